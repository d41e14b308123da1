//! What a file defines, and what it says where a file is wrong.
#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests, too")]

mod detection;
mod mistakes;
mod model;
mod properties;
mod published;
