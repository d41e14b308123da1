//! The engine through its API, with fake ports.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it expects"
)]
#![expect(
    clippy::too_many_lines,
    reason = "a test that follows an execution is one story"
)]

mod api;
mod cli;
mod commands;
mod declarations;
mod fakes;
mod flow;
mod jobs;
mod modes;
mod ports;
mod protocols;
mod rollback;
mod source;
mod stages;
mod test_engine;
