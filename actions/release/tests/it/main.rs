//! The action through its host and as its real binary, in an AWS in memory.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests, too")]

mod chains;
mod damage;
mod ending;
mod harness;
mod matrix;
mod params;
mod publishing;
mod refusals;
