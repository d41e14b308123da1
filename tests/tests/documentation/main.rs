//! The documents are correct: every command in them is run or checked, every link has a target, and what they say about the
//! code is compared with the code.
//!
//! `DELIVERY_UPDATE_DOCS=1 cargo test --workspace --bin delivery --test documentation` rewrites the generated parts.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "the helpers of tests are tests, too; what was counted is said aloud"
)]

mod action_lists;
mod actions;
mod commands;
mod cost;
mod generated;
mod getting_started;
mod hooks;
mod links;
mod markdown;
mod messages;
mod parameters;
mod reference;
mod source;
