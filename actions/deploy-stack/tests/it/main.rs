//! The action through its host and as its real binary, in an AWS in memory.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests, too")]

mod deploying;
mod duplicates;
mod harness;
mod matrix;
#[path = "../../../../shared/release/tests/support/mishaps.rs"]
mod mishaps;
mod params;
mod released;
#[path = "../../../../shared/release/tests/support/releases.rs"]
mod releases;
#[path = "../../../../shared/release/tests/support/rules.rs"]
mod rules;
mod services;
