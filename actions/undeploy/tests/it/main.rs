//! The function's real binary, with events and with jobs, against the strict in-memory AWS.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod function;
mod job;
mod killed;
mod world;
