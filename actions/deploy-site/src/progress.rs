//! The continuation token of a site that is too large for one invocation.

use delivery_action::continuation::Progress;
use serde::{Deserialize, Serialize};

use crate::DeploySite;
use delivery_action::action::Action;

/// Only a number for the console: which files are uploaded is in the manifest, where another job cannot miss it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SiteProgress {
    /// Files of the release that are in the bucket.
    #[serde(rename = "there")]
    pub(crate) uploaded: usize,
}

impl Progress for SiteProgress {
    const ACTION: &'static str = DeploySite::NAME;
    const VERSION: u32 = 1;
}
