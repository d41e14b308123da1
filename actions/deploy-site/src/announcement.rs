//! Announcing a release: the manifest says what is coming before anything changes.
//!
//! The announcement does three things. It records every key that is about to be written, so that a job that
//! is killed leaves no file that no later job knows of. It stops an older release that is still under way,
//! which checks the manifest as it goes ([`crate::ownership`]). And it is the lock between two jobs
//! that start at once: the manifest is replaced only if it still is the one that was read, so one of
//! them wins, and the other one reads the bucket again.

use std::collections::BTreeSet;

use crate::bucket::StoredManifest;
use crate::bucket_state::BucketState;
use crate::error::DeploySiteError;
use crate::manifest::Manifest;
use crate::ownership::OwnershipCheck;
use crate::plan::Plan;
use crate::publish::{MAX_CONFLICTS, Publication};
use crate::upload::Uploader;

/// What came of announcing a release.
pub(crate) enum Announcement<'a> {
    /// The bucket serves the release already.
    NotNeeded(Manifest),
    Made(Box<Announced<'a>>),
}

/// A release that the manifest announces, with all that is needed to bring it into the bucket.
pub(crate) struct Announced<'a> {
    pub(crate) stored: StoredManifest,
    pub(crate) plan: Plan,
    pub(crate) uploader: Uploader,
    pub(crate) ownership: OwnershipCheck<'a>,
    /// Whether another release was under way before, and may have uploads on their way still.
    pub(crate) took_over: bool,
}

/// Fetches the files to upload and announces the release, unless the bucket serves it already.
/// `early` was read before the release was known.
pub(crate) async fn announce<'a>(
    publication: &'a Publication<'_>,
    early: BucketState,
) -> Result<Announcement<'a>, DeploySiteError> {
    let Publication {
        bucket,
        release,
        digest,
        ..
    } = publication;
    let mut early = is_still_current(&early, digest).then_some(early);
    // Kept from one attempt to the next, so that a lost race does not fetch everything again.
    let mut fetched: Option<(BTreeSet<String>, Uploader)> = None;
    for _ in 0..MAX_CONFLICTS {
        let state = match early.take() {
            Some(early) => early,
            None => BucketState::read(bucket).await?,
        };
        let read = state.stored;
        let plan = Plan::make(bucket, release, digest, &read.manifest, state.listed).await?;
        if plan.uploads.is_empty() && read.manifest.is_complete(digest) {
            return Ok(Announcement::NotNeeded(read.manifest));
        }
        // Before the announcement: fetching takes a while and may fail, and nobody has to wait for a
        // release that was announced and does not come.
        let uploader = match fetched.take() {
            Some((keys, uploader)) if plan.uploads.is_subset(&keys) => uploader,
            _ => publication.uploader(&plan.uploads).await?,
        };
        // An announcement of this very release may itself have taken over from another one.
        let took_over = read.manifest.unfinished.is_some();
        let changes = plan.uploads.union(&plan.removals).cloned().collect();
        let announcement = read.manifest.announcing(digest, release.site, changes);
        let is_announced = announcement == read.manifest;
        release.execution.still_runs().await?;
        let stored = if is_announced {
            read
        } else if let Some(stored) = bucket.put_manifest(&read, announcement).await? {
            stored
        } else {
            // Somebody else wrote the manifest since it was read, so the plan is out of date.
            fetched = Some((plan.uploads, uploader));
            continue;
        };
        return Ok(Announcement::Made(Box::new(Announced {
            ownership: OwnershipCheck::new(
                bucket,
                (publication.digest.as_str(), release.version),
                &stored,
                !is_announced,
            ),
            stored,
            plan,
            uploader,
            took_over,
        })));
    }
    Err(publication.overtaken(&Manifest::default()))
}

/// Whether a state that was read before the release was known can be used. Not if another release was under
/// way then: it may have replaced files since they were listed. One that began later is noticed when the
/// manifest is replaced.
fn is_still_current(early: &BucketState, digest: &str) -> bool {
    let unfinished = early.stored.manifest.unfinished.as_ref();
    unfinished.is_none_or(|unfinished| unfinished.release == digest)
}
