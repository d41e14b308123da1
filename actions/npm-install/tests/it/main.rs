//! npm-install as a function runs it: the real npm, an in-process artifact store, and npm's own
//! registry or one that misbehaves.

mod install;
mod messages;
mod projects;
mod refused;
mod registry;
