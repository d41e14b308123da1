//! The guard over HTTP, against the strict in-memory AWS.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod matrix;
mod rollouts;
mod watching;
