//! The continuation token of a deployment.

use delivery_action::continuation::Progress;
use delivery_stack::deployment::DeploymentProgress;
use serde::{Deserialize, Serialize};

/// The content of a continuation token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeployStackProgress(pub(crate) DeploymentProgress);

impl Progress for DeployStackProgress {
    const ACTION: &'static str = "deploy-stack";
    const VERSION: u32 = 1;
}
