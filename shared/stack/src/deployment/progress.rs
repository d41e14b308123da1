//! Where a deployment goes on: a hint. What counts is what the stack says.

use std::time::{Duration, UNIX_EPOCH};

use delivery_action::clock;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Hex digits that name a job: what is written with them is compared within one stack and one hour.
const JOB_DIGITS: usize = 8;

/// Where a deployment goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeploymentProgress {
    /// The first job of the action, in few digits.
    pub(crate) job: String,
    /// What is deployed, as it was last worked out.
    pub(crate) entry: Option<String>,
    /// The token of the operation that deploys it, as soon as one is begun or followed.
    pub(crate) operation: Option<String>,
    /// Whether the stack's events have shown that operation.
    pub(crate) begun: bool,
    /// Whether a stack that could not be changed was deleted.
    pub(crate) deleted: bool,
    /// Whether a rollback was continued.
    pub(crate) continued: bool,
    /// When the action began, in seconds of the Unix epoch.
    pub(crate) began_seconds: u64,
}

impl DeploymentProgress {
    /// The beginning of a deployment, by a job of this id, or by whatever else tells it from others.
    #[must_use]
    pub fn new(job: &str) -> Self {
        let digest = hex::encode(Sha256::digest(job));
        Self {
            job: digest[..JOB_DIGITS].to_owned(),
            entry: None,
            operation: None,
            begun: false,
            deleted: false,
            continued: false,
            began_seconds: now().as_secs(),
        }
    }

    /// How long the action has taken so far, over all its jobs.
    pub(crate) fn elapsed(&self) -> Duration {
        now().saturating_sub(Duration::from_secs(self.began_seconds))
    }
}

fn now() -> Duration {
    clock::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
