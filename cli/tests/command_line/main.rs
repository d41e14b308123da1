//! The command line itself, and what is said before anything is started: no service is needed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "what is skipped is said")]

mod init;
mod local;
mod page;
mod program;
mod render;
mod run;
mod usage;
mod validate;
mod wrong_starts;
