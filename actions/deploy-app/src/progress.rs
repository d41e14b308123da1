//! The continuation token of a deployment.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use delivery_action::clock;
use delivery_action::continuation::Progress;
use delivery_alias::Found;
use delivery_rollout::stable_version;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

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
    /// The rollout that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rollout: Option<RolloutProgress>,
}

/// The alias, as a token holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AliasState {
    pub(crate) version: String,
    /// The weights of other versions, in thousandths.
    pub(crate) weights: BTreeMap<String, u16>,
}

/// What a rollout needs to remember that its alias does not say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RolloutProgress {
    pub(crate) id: String,
    /// The version that had all traffic when it began; `None` for a new alias.
    pub(crate) stable: Option<String>,
    pub(crate) before_hook_passed: bool,
    pub(crate) after_hook_passed: bool,
}

impl DeployAppProgress {
    pub(crate) fn new(
        code_sha256: String,
        alias: Option<&Found>,
        rollout: Option<RolloutProgress>,
    ) -> Self {
        Self {
            code_sha256,
            alias: alias.map(|found| AliasState {
                version: found.alias.version.clone(),
                weights: found.alias.weights.clone(),
            }),
            began_seconds: now().as_secs(),
            rollout,
        }
    }

    /// When the action began.
    pub(crate) fn began(&self) -> Timestamp {
        let seconds = i64::try_from(self.began_seconds).unwrap_or_default();
        Timestamp::from_second(seconds).unwrap_or_default()
    }

    /// How long the action has taken so far, over all its jobs.
    pub(crate) fn elapsed(&self) -> Duration {
        now().saturating_sub(Duration::from_secs(self.began_seconds))
    }
}

/// Of a rollout's id, in bytes: enough to tell those of one alias apart, and short enough for its description.
const ID_BYTES: usize = 5;

impl RolloutProgress {
    /// A rollout that begins now. Its id is made from the job's, so that a job that is delivered again goes on with
    /// the same rollout.
    pub(crate) fn begin(job: &str, alias: Option<&Found>, good: Option<&Found>) -> Self {
        let id = hex::encode(&Sha256::digest(job)[..ID_BYTES]);
        let good = good.map(|good| good.alias.version.as_str());
        Self {
            stable: stable_version(&id, alias.map(|found| &found.alias), good),
            id,
            before_hook_passed: false,
            after_hook_passed: false,
        }
    }
}

fn now() -> Duration {
    clock::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl Progress for DeployAppProgress {
    const ACTION: &'static str = "deploy-app";
    const VERSION: u32 = 1;
}
