//! The files that people install, made and installed as they do: on a machine without cargo, where the checkout is out of reach.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(
    clippy::print_stdout,
    reason = "a skipped test says why, and `scripts/test` shows it"
)]

mod files;
mod install;
mod machine;
mod registry;
mod staged;
