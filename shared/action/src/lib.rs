//! What every action stands on: the job model, the [`action::Action`] trait and the one place that
//! reports results, artifacts in and out, `UserParameters`, continuation tokens, and children.
//!
//! Invariants: only [`action`] reports job results, exactly one an invocation; only [`env`] reads
//! environment variables; nothing here knows an action, the local engine or the command line.

pub mod action;
pub mod artifact;
pub mod aws;
mod blocking;
pub mod clock;
pub mod continuation;
pub mod env;
pub mod execution;
pub mod failure;
pub mod glob;
pub mod job;
pub mod logging;
pub mod parameters;
pub mod process;
mod removal;
pub mod sandbox;
pub mod text;
pub mod workspace;

pub use blocking::blocking;
