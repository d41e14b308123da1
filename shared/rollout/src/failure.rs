//! Why a rollout fails.

use thiserror::Error;

use crate::decision::Hook;
use crate::description::Marker;
use crate::difference::{self, Difference};

/// Why a rollout fails. The texts name the versions; who reports them adds the function and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    /// It was put back.
    #[error("{}", put_back(.why, .stable))]
    PutBack {
        /// What was seen.
        why: String,
        /// The version that has the traffic.
        stable: String,
    },
    /// The guard put it back, because nobody watched it any more.
    #[error("the guard put it back: {why}; all traffic is on version {stable} again")]
    PutBackByGuard {
        /// The guard's reason.
        why: String,
        /// The version that has the traffic.
        stable: String,
    },
    /// A person aborted it.
    #[error("{by} aborted it: {why}; all traffic is on version {stable} again")]
    Aborted {
        /// Who.
        by: String,
        /// Why.
        why: String,
        /// The version that has the traffic.
        stable: String,
    },
    /// A hook failed where nothing had to be put back.
    #[error("the {hook} hook failed: {message}")]
    Hook {
        /// Which.
        hook: Hook,
        /// What it said.
        message: String,
    },
    /// An alarm rang before it began.
    #[error("it did not begin: {0}")]
    Alarm(String),
    /// One of its alarms is not there.
    #[error("it did not begin: there is no alarm `{0}`")]
    NoAlarm(String),
    /// Lambda would not split traffic between the two versions.
    #[error(
        "it did not begin: {}; an alias can split its traffic only between versions with the same execution role and dead \
         letter queue",
        difference::listed(.differences, .new, .stable)
    )]
    Unlike {
        /// The version that has the traffic.
        stable: String,
        /// The version that was to get a share of it.
        new: String,
        /// What is not the same.
        differences: Vec<Difference>,
    },
    /// What it needs to see cannot be read.
    #[error("it did not begin: {0}")]
    Unreadable(String),
    /// Provisioned concurrency was not there in time.
    #[error("it did not begin: {0}")]
    Provisioning(String),
    /// Another rollout is under way.
    #[error("another rollout is under way: {0}")]
    Busy(Box<Marker>),
    /// Somebody else splits the traffic.
    #[error("somebody else splits the traffic: it is on version {version}, with {weights}")]
    Split {
        /// The version that gets what the weights leave.
        version: String,
        /// The other versions.
        weights: String,
    },
    /// Somebody changed the alias meanwhile.
    #[error("somebody else changed it: it is on version {version}{weights}")]
    Changed {
        /// The version that gets what the weights leave.
        version: String,
        /// `, with 10 % on version 8`, or nothing.
        weights: String,
    },
}

/// The first line of a reason says all; what follows is the log of a hook.
fn put_back(why: &str, stable: &str) -> String {
    let (first, log) = why.split_once('\n').unwrap_or((why, ""));
    let end = if log.is_empty() { "" } else { "\n" };
    format!("{first}; all traffic is on version {stable} again{end}{log}")
}
