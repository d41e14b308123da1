//! What one job leaves for the next where a site is too large for one invocation.

use delivery_action::continuation::Progress;
use serde::{Deserialize, Serialize};

use crate::DeploySite;
use delivery_action::action::Action;

/// Only how far it is: the manifest in the bucket says what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SiteProgress {
    /// Objects that are there.
    pub(crate) there: usize,
}

impl Progress for SiteProgress {
    const ACTION: &'static str = DeploySite::NAME;
    const VERSION: u32 = 1;
}
