//! npm-install as a function runs it: the real npm, an in-process artifact store, and npm's own
//! registry or one that misbehaves.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "the cells of the matrix are counted")]

mod cached;
mod faults;
mod install;
mod managers;
mod messages;
mod projects;
mod refused;
mod registry;
