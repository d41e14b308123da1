//! The engine through its API, beside ports of the tests' own.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it expects"
)]

mod api;
mod cli;
mod flow;
mod jobs;
mod modes;
mod rig;
mod source;
