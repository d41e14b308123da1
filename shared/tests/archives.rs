//! Archives as actions meet them: hostile ones, those of other tools, large ones.

#![expect(clippy::unwrap_used, reason = "tests may panic")]

#[path = "archives/hostile.rs"]
mod hostile;
#[path = "archives/support.rs"]
mod support;
#[path = "archives/trees.rs"]
mod trees;
#[path = "archives/writers.rs"]
mod writers;
