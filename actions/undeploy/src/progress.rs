//! The continuation token of a removal.

use delivery_action::continuation::Progress;
use serde::{Deserialize, Serialize};

/// The content of a continuation token: nothing. Where a removal goes on, the environment's document says, since another
/// invocation may have gone on with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UndeployProgress {}

impl Progress for UndeployProgress {
    const ACTION: &'static str = "undeploy";
    const VERSION: u32 = 1;
}
