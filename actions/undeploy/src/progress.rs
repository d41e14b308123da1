//! The continuation token of a removal.

use delivery_action::continuation::Progress;
use delivery_release::environment::DeploymentId;
use serde::{Deserialize, Serialize};

/// The content of a continuation token: which removal is the action's own. Where it goes on, the environment's document says,
/// since another invocation may have gone on with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UndeployProgress {
    /// The id of the action's first job.
    pub job: String,
    /// The removal; none while somebody else is deploying.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removal: Option<DeploymentId>,
}

impl Progress for UndeployProgress {
    const ACTION: &'static str = "undeploy";
    const VERSION: u32 = 1;
}
