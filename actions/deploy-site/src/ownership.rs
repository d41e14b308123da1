//! Checks that no other release has taken over the bucket.
//!
//! Problem: two releases may be deployed to one bucket at the same time (two pipelines, a retried stage, a job that
//! Lambda delivered late). S3 has no lock that would keep the older one from writing on, and a bucket with
//! files of both serves a site that nobody built.
//!
//! Solution: whoever announces itself in the manifest last owns the bucket, and a release checks the manifest before
//! each step that visitors or the other release could notice. The check costs one `HeadObject`: only if the
//! manifest's `ETag` has changed is it read. Among many uploads the check runs in the background: one that each upload
//! waited for would leave the bucket idle for a round trip (`docs/decisions/0266-the-check-runs-while-uploads-continue.md`).
//!
//! Requests that are under way during the check still arrive. Uploads are harmless: they replace only what this
//! release listed, never what the newer one wrote ([`crate::bucket::Expected`]). For the rest the newer release
//! compares the bucket once more at its end ([`crate::publish`]).

use tokio::task::JoinSet;
use tracing::Instrument;

use crate::bucket::{Bucket, StoredManifest};
use crate::error::DeploySiteError;
use crate::manifest::Manifest;

/// The last check, and the changes since.
#[derive(Debug)]
pub(crate) struct OwnershipCheck<'a> {
    bucket: &'a Bucket,
    digest: &'a str,
    version: &'a str,
    /// The `ETag` of a manifest that named this release.
    etag: Option<String>,
    /// Changes since it was last seen; `None` if that may be long ago.
    changes: Option<usize>,
    background: BackgroundCheck,
}

/// A check that runs while changes are made; at most one.
#[derive(Debug, Default)]
struct BackgroundCheck {
    manifest_etag: JoinSet<Result<Option<String>, DeploySiteError>>,
    /// Changes since it began. They may have come after what it sees.
    changes: usize,
}

impl<'a> OwnershipCheck<'a> {
    /// The check for a release, by a manifest that names it; `is_fresh` if this job has just written that.
    pub(crate) fn new(
        bucket: &'a Bucket,
        (digest, version): (&'a str, &'a str),
        stored: &StoredManifest,
        is_fresh: bool,
    ) -> Self {
        Self {
            bucket,
            digest,
            version,
            etag: stored.etag.clone(),
            changes: is_fresh.then_some(0),
            background: BackgroundCheck::default(),
        }
    }

    /// An object is about to be changed.
    pub(crate) fn count_change(&mut self) {
        self.changes = self.changes.map(|changes| changes + 1);
        self.background.changes += 1;
    }

    /// Fails if another release has taken over. Asks S3 if anything was changed since the last check.
    pub(crate) async fn check(&mut self) -> Result<(), DeploySiteError> {
        if self.changes == Some(0) {
            return Ok(());
        }
        self.background = BackgroundCheck::default();
        let etag = match &self.etag {
            Some(_) => self.bucket.manifest_etag().await?,
            None => None,
        };
        self.compare(etag, 0).await
    }

    /// The same for one of many changes, of which `width` may be under way at once.
    ///
    /// A check begins after `width` changes. It runs while the next `width` are made, and only then is waited for: so at most
    /// twice as many changes as may be under way at once are newer than the last check that succeeded.
    pub(crate) async fn check_in_background(
        &mut self,
        width: usize,
    ) -> Result<(), DeploySiteError> {
        let Some(changes) = self.changes else {
            return self.check().await;
        };
        let checks = &mut self.background.manifest_etag;
        if checks.is_empty() && changes >= width {
            let bucket = self.bucket.clone();
            checks.spawn(async move { bucket.manifest_etag().await }.in_current_span());
            self.background.changes = 0;
        }
        let ended = if changes < 2 * width {
            checks.try_join_next()
        } else {
            checks.join_next().await
        };
        match ended {
            None => Ok(()),
            Some(Ok(etag)) => self.compare(etag?, self.background.changes).await,
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Fails if the manifest names another release; `changes` may have been made since it had this `ETag`.
    async fn compare(
        &mut self,
        etag: Option<String>,
        changes: usize,
    ) -> Result<(), DeploySiteError> {
        // The same `ETag`: nobody has written the manifest, so it still names this release.
        if self.etag.is_none() || self.etag != etag {
            let now = self.bucket.manifest().await?;
            if !now.manifest.is_owned_by(self.digest) {
                return Err(overtaken(self.bucket, self.version, &now.manifest));
            }
            self.etag = now.etag;
        }
        self.changes = Some(changes);
        Ok(())
    }
}

/// The error of a release that finds another one in the manifest.
pub(crate) fn overtaken(bucket: &Bucket, version: &str, now: &Manifest) -> DeploySiteError {
    DeploySiteError::Overtaken {
        bucket: bucket.name().to_owned(),
        version: version.to_owned(),
        other: now.version.clone(),
    }
}
