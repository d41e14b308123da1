//! The continuation token of a deployment.

use std::time::{Duration, UNIX_EPOCH};

use delivery_action::clock;
use delivery_action::continuation::Progress;
use serde::{Deserialize, Serialize};

use crate::alias::AliasState;

/// The content of a continuation token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeployAppProgress {
    /// The code's hash as Lambda writes it: base64 of SHA-256.
    pub(crate) code_sha256: String,
    /// The alias when the action began; `None` if there was none. Kept over all jobs: a later job must not
    /// take another deployment's version for the one that it may replace.
    pub(crate) alias: Option<AliasState>,
    /// When the action began, in seconds of the Unix epoch.
    pub(crate) began_seconds: u64,
}

impl DeployAppProgress {
    pub(crate) fn new(code_sha256: String, alias: Option<AliasState>) -> Self {
        Self {
            code_sha256,
            alias,
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

impl Progress for DeployAppProgress {
    const ACTION: &'static str = "deploy-app";
    const VERSION: u32 = 1;
}
