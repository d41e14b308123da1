//! The action through its host, over real HTTP.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(
    clippy::print_stdout,
    reason = "the number of cells is a result of its own"
)]

mod bad_input;
mod faults;
mod frame;
#[path = "../../../../shared/release/tests/support/mishaps.rs"]
mod mishaps;
mod order;
mod overtaken;
mod publishing;
mod released;
#[path = "../../../../shared/release/tests/support/releases.rs"]
mod releases;
mod requests;
#[path = "../../../../shared/release/tests/support/rules.rs"]
mod rules;
