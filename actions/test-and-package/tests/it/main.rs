//! test-and-package as a function runs it: the real npm, and an in-process artifact store.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "the cells of the matrix are counted")]

mod faults;
mod messages;
mod outputs;
mod projects;
mod tasks;
mod trees;
