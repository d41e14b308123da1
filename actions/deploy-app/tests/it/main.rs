//! The action through its host, over HTTP, against the strict in-memory AWS.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod deployment;
mod errors;
mod faults;
mod harness;
mod matrix;
mod parameters;
mod reasons;
mod rollout;
mod strictness;
