//! The action through its host, over HTTP, against the strict in-memory AWS.

mod deployment;
mod errors;
mod faults;
mod harness;
mod matrix;
mod parameters;
mod strictness;
