//! Archives as actions meet them: hostile ones, those of other tools, large ones.

#![expect(clippy::unwrap_used, reason = "tests may panic")]
#![expect(
    clippy::print_stdout,
    reason = "a test says what it skipped and measured"
)]

#[path = "archives/creation.rs"]
mod creation;
#[path = "archives/entries.rs"]
mod entries;
#[path = "archives/hostile.rs"]
mod hostile;
#[path = "archives/support.rs"]
mod support;
#[path = "archives/trees.rs"]
mod trees;
#[path = "archives/writers.rs"]
mod writers;
