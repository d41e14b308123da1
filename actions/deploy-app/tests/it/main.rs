//! The action through its host, over HTTP, against the strict in-memory AWS.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod deployment;
mod errors;
mod faults;
mod harness;
mod matrix;
#[path = "../../../../shared/release/tests/support/mishaps.rs"]
mod mishaps;
mod parameters;
mod reasons;
mod released;
#[path = "../../../../shared/release/tests/support/releases.rs"]
mod releases;
mod rollout;
#[path = "../../../../shared/release/tests/support/rules.rs"]
mod rules;
mod strictness;
