//! The engine through its API, beside ports of the tests' own.

mod api;
mod cli;
mod flow;
mod jobs;
mod modes;
mod rig;
mod source;
