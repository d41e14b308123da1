//! What to upload and what to remove: a release compared with a bucket.

use std::collections::{BTreeMap, BTreeSet};

use crate::bucket::Bucket;
use crate::bucket_state::with_etags;
use crate::error::DeploySiteError;
use crate::listing::Listing;
use crate::manifest::{Entry, Manifest};
use crate::params::Delete;
use crate::publish::Release;

/// What the bucket has, and what it lacks.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Every key below the prefix.
    pub(crate) listed: Listing,
    /// Files that the bucket has with the right content and headers.
    pub(crate) unchanged: BTreeMap<String, Entry>,
    /// Files to upload.
    pub(crate) uploads: BTreeSet<String>,
    /// Files to remove afterwards.
    pub(crate) removals: BTreeSet<String>,
}

impl Plan {
    /// Compares a release with a bucket.
    ///
    /// An object is unchanged if its `ETag` is that of an upload which the manifest records with the same
    /// digest and headers. The `ETag` alone is not enough: with KMS encryption it is not a hash of the content.
    pub(crate) async fn make(
        bucket: &Bucket,
        release: &Release<'_>,
        digest: &str,
        manifest: &Manifest,
        listed: Listing,
    ) -> Result<Self, DeploySiteError> {
        let site = release.site;
        let is_known = |key: &str| {
            let item = site.get(key);
            item.is_some_and(|item| manifest.uploads_of(key, item).next().is_some())
        };
        let listed = with_etags(bucket, listed, is_known).await?;
        let mut unchanged = BTreeMap::new();
        for (key, item) in site {
            let Some(Some(etag)) = listed.get(key) else {
                continue;
            };
            let mut uploads = manifest.uploads_of(key, item);
            if let Some(entry) = uploads.find(|entry| entry.etag == *etag) {
                unchanged.insert(key.clone(), entry.clone());
            }
        }
        let uploads = site.keys().filter(|key| !unchanged.contains_key(*key));
        Ok(Self {
            uploads: uploads.cloned().collect(),
            removals: match release.delete {
                Delete::Unused => manifest.unused(digest, site),
                Delete::Never => BTreeSet::new(),
            },
            listed,
            unchanged,
        })
    }

    /// Compares the bucket with what this job uploaded or found unchanged: a plan of what somebody else
    /// replaced or removed since.
    pub(crate) async fn of_changed_since(
        bucket: &Bucket,
        files: &BTreeMap<String, Entry>,
        listed: Listing,
    ) -> Result<Self, DeploySiteError> {
        let listed = with_etags(bucket, listed, |key| files.contains_key(key)).await?;
        let is_as_uploaded = |key: &str, entry: &Entry| {
            let found = listed.get(key).and_then(Option::as_ref);
            found.is_some_and(|etag| *etag == entry.etag)
        };
        let changed = files
            .iter()
            .filter(|(key, entry)| !is_as_uploaded(key, entry));
        Ok(Self {
            uploads: changed.map(|(key, _)| key.clone()).collect(),
            unchanged: BTreeMap::new(),
            removals: BTreeSet::new(),
            listed,
        })
    }
}
