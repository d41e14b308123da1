//! test-and-package as a function runs it: the real npm, and an in-process artifact store.

mod messages;
mod outputs;
mod projects;
mod tasks;
