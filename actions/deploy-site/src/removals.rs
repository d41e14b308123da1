//! Removing the files that no release needs any more, after everything else.
//!
//! Last, because pages that are open in browsers still load the assets of the release before; so its files
//! stay, too, and only what is older goes ([`crate::manifest::Manifest::unused`]).
//!
//! A removal cannot be made conditional in every store as an upload can. So the manifest is checked before
//! each group of removals: a release that was announced in the meantime may want such a file back, and finds
//! it unchanged. What was under way at that moment is still removed; the newer release notices and uploads
//! it again ([`crate::publish`]).

use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::error::DeploySiteError;
use crate::ownership::OwnershipCheck;
use crate::plan::Plan;
use crate::publish::Publication;

/// Removals under way at once, and between two checks of the manifest.
const PARALLEL_REMOVALS: usize = 16;

/// Removes the objects of a plan and returns how many there were.
pub(crate) async fn remove(
    publication: &Publication<'_>,
    plan: &Plan,
    ownership: &mut OwnershipCheck<'_>,
) -> Result<usize, DeploySiteError> {
    let is_listed = |key: &&String| plan.listed.contains_key(*key);
    let objects: Vec<_> = plan.removals.iter().filter(is_listed).collect();
    if !objects.is_empty() {
        publication.release.execution.still_runs().await?;
    }
    for group in objects.chunks(PARALLEL_REMOVALS) {
        ownership.check().await?;
        let removals: Vec<_> = group
            .iter()
            .map(|key| publication.bucket.delete(key))
            .collect();
        for _ in group {
            ownership.count_change();
        }
        let removals = stream::iter(removals).buffer_unordered(PARALLEL_REMOVALS);
        removals.try_collect::<()>().await?;
    }
    Ok(objects.len())
}
