//! What every action stands on: the job model, the [`action::Action`] trait and the one place that
//! reports results, artifacts in and out, `UserParameters`, continuation tokens, and children.
//!
//! Invariants: only [`action`] reports job results, exactly one an invocation; only [`env`] reads
//! environment variables; nothing here knows an action, the local engine or the command line.

pub mod archive;
pub mod process;
#[cfg(feature = "testing")]
pub mod testing;
