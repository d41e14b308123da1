//! Whether the bucket is still to get this release: another one may announce itself at any time.
//!
//! Nothing in S3 stops an older release that goes on writing. So it looks at the manifest before each step
//! that visitors or the other release could notice, and stops where that announces another release. What
//! it has under way at that moment still arrives: an upload only over what it listed, never over what
//! the newer release wrote (see [`crate::bucket::Expected`]), and the newer release looks again at its end at all that
//! it took for unchanged (see [`crate::publish`]).

use crate::bucket::{Bucket, StoredManifest};
use crate::error::DeploySiteError;
use crate::manifest::Manifest;

/// Most changes that others could notice between two looks at the manifest: about as many as are under way
/// at once anyway.
const UNCHECKED_CHANGES: usize = crate::window::FIRST;

/// What is known of whose release the bucket is about to get.
#[derive(Debug)]
pub(crate) struct Ownership<'a> {
    bucket: &'a Bucket,
    digest: &'a str,
    version: &'a str,
    /// The `ETag` of a manifest that named this release.
    etag: Option<String>,
    /// Changes since that was last seen; `None` where it may be long ago.
    changes: Option<usize>,
}

impl<'a> Ownership<'a> {
    /// That of a release, by a manifest that names it; `is_fresh` where that was written just now.
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

    /// Something of the bucket is about to be changed.
    pub(crate) fn note_change(&mut self) {
        self.changes = self.changes.map(|changes| changes + 1);
    }

    /// Fails where another release took over, if anything changed since the last look.
    pub(crate) async fn check(&mut self) -> Result<(), DeploySiteError> {
        self.check_after(0).await
    }

    /// The same, if much changed since.
    pub(crate) async fn check_now_and_then(&mut self) -> Result<(), DeploySiteError> {
        self.check_after(UNCHECKED_CHANGES - 1).await
    }

    async fn check_after(&mut self, unchecked: usize) -> Result<(), DeploySiteError> {
        if self.changes.is_some_and(|changes| changes <= unchecked) {
            return Ok(());
        }
        // A manifest that nobody has written since need not be read.
        if self.etag.is_none() || self.bucket.manifest_etag().await? != self.etag {
            let now = self.bucket.manifest().await?;
            if !now.manifest.is_about(self.digest) {
                return Err(self.overtaken(&now.manifest));
            }
            self.etag = now.etag;
        }
        self.changes = Some(0);
        Ok(())
    }

    /// Another release is in the manifest.
    pub(crate) fn overtaken(&self, now: &Manifest) -> DeploySiteError {
        overtaken(self.bucket, self.version, now)
    }
}

/// Another release is in the manifest.
pub(crate) fn overtaken(bucket: &Bucket, version: &str, now: &Manifest) -> DeploySiteError {
    DeploySiteError::Overtaken {
        bucket: bucket.name().to_owned(),
        version: version.to_owned(),
        other: now.version.clone(),
    }
}
