//! Checks that no other release has taken over the bucket.
//!
//! Problem: two releases may be deployed to one bucket at the same time (two pipelines, a retried stage, a job that
//! Lambda delivered late). S3 has no lock that would keep the older one from writing on, and a bucket with
//! files of both serves a site that nobody built.
//!
//! Solution: whoever announces itself in the manifest last owns the bucket, and a release checks the manifest before
//! each step that visitors or the other release could notice. The check costs one `HeadObject`: only if the
//! manifest's `ETag` has changed is it read.
//!
//! Requests that are under way during the check still arrive. Uploads are harmless: they replace only what this
//! release listed, never what the newer one wrote ([`crate::bucket::Expected`]). For the rest the newer release
//! compares the bucket once more at its end ([`crate::publish`]).

use crate::bucket::{Bucket, StoredManifest};
use crate::error::DeploySiteError;
use crate::manifest::Manifest;

/// Most visible changes between two checks of the manifest: about as many are under way at once anyway.
const UNCHECKED_CHANGES: usize = crate::upload_window::INITIAL_UPLOADS;

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
        }
    }

    /// An object is about to be changed.
    pub(crate) fn count_change(&mut self) {
        self.changes = self.changes.map(|changes| changes + 1);
    }

    /// Fails if another release has taken over. Asks S3 if anything was changed since the last check.
    pub(crate) async fn check(&mut self) -> Result<(), DeploySiteError> {
        self.check_after(0).await
    }

    /// The same, but asks S3 only if many objects were changed since the last check.
    pub(crate) async fn check_occasionally(&mut self) -> Result<(), DeploySiteError> {
        self.check_after(UNCHECKED_CHANGES - 1).await
    }

    async fn check_after(&mut self, unchecked: usize) -> Result<(), DeploySiteError> {
        if self.changes.is_some_and(|changes| changes <= unchecked) {
            return Ok(());
        }
        // The same `ETag`: nobody has written the manifest, so it still names this release.
        if self.etag.is_none() || self.bucket.manifest_etag().await? != self.etag {
            let now = self.bucket.manifest().await?;
            if !now.manifest.is_owned_by(self.digest) {
                return Err(overtaken(self.bucket, self.version, &now.manifest));
            }
            self.etag = now.etag;
        }
        self.changes = Some(0);
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
