//! What a bucket has of a release, and what is to be done about the rest.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future;

use crate::bucket::{Bucket, Expected, StoredManifest};
use crate::error::DeploySiteError;
use crate::listing::{self, Listing};
use crate::manifest::{Entry, Manifest};
use crate::params::Delete;
use crate::publish::Release;
use crate::site::{Item, Phase};

/// Objects that are asked for their `ETag` at once: there are few of them.
const PARALLEL_REQUESTS: usize = 16;

/// What a bucket has.
#[derive(Clone, Debug)]
pub(crate) struct BucketState {
    pub(crate) stored: StoredManifest,
    pub(crate) listed: Listing,
}

impl BucketState {
    /// Reads the manifest first, so that what it does not know of is in the listing.
    pub(crate) async fn read(bucket: &Bucket) -> Result<Self, DeploySiteError> {
        let stored = bucket.manifest().await?;
        let own = bucket.manifest_key();
        let known = stored.manifest.keys(&own);
        let listed = listing::list(bucket, &known).await?;
        Ok(Self { stored, listed })
    }
}

/// What the bucket has, and what it lacks.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Every key below the prefix.
    pub(crate) there: Listing,
    /// What is there as it should be.
    pub(crate) unchanged: BTreeMap<String, Entry>,
    /// What is to be uploaded.
    pub(crate) uploads: BTreeSet<String>,
    /// What is to be removed afterwards.
    pub(crate) removals: BTreeSet<String>,
}

impl Plan {
    /// Compares a release with a bucket.
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
        let there = with_etags(bucket, listed, is_known).await?;
        let mut unchanged = BTreeMap::new();
        for (key, item) in site {
            let Some(Some(etag)) = there.get(key) else {
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
            there,
            unchanged,
        })
    }

    /// What is left to upload once these are there: what the bucket has otherwise by now.
    pub(crate) async fn of_differing(
        bucket: &Bucket,
        files: &BTreeMap<String, Entry>,
        listed: Listing,
    ) -> Result<Self, DeploySiteError> {
        let there = with_etags(bucket, listed, |key| files.contains_key(key)).await?;
        let is_as_uploaded = |key: &str, entry: &Entry| {
            let found = there.get(key).and_then(Option::as_ref);
            found.is_some_and(|etag| *etag == entry.etag)
        };
        let differing = files
            .iter()
            .filter(|(key, entry)| !is_as_uploaded(key, entry));
        Ok(Self {
            uploads: differing.map(|(key, _)| key.clone()).collect(),
            unchanged: BTreeMap::new(),
            removals: BTreeSet::new(),
            there,
        })
    }

    /// The removals of what is there.
    pub(crate) fn objects_to_remove(&self) -> Vec<&String> {
        let is_there = |key: &&String| self.there.contains_key(*key);
        self.removals.iter().filter(is_there).collect()
    }

    /// The uploads in an order in which nothing refers to what is not there yet: in each phase, what is
    /// new comes before what replaces something.
    pub(crate) fn batches<'p>(&'p self, release: &Release<'p>) -> Vec<Batch<'p>> {
        let mut batches: BTreeMap<(Phase, bool), Vec<_>> = BTreeMap::new();
        for key in &self.uploads {
            let item = &release.site[key];
            let found = self.there.get(key);
            let upload = Upload {
                key,
                item,
                expected: Expected::found(found),
            };
            batches
                .entry((item.phase, found.is_some()))
                .or_default()
                .push(upload);
        }
        let batches = batches.into_iter();
        batches
            .map(|((phase, replaces), uploads)| Batch {
                phase,
                replaces,
                uploads,
            })
            .collect()
    }
}

/// A listing with the `ETag`s that matter. Some stores list keys without them; then the objects are
/// asked themselves.
async fn with_etags(
    bucket: &Bucket,
    mut listed: Listing,
    matters: impl Fn(&str) -> bool,
) -> Result<Listing, DeploySiteError> {
    let mut unknown: Vec<_> = listed
        .iter_mut()
        .filter(|(key, etag)| etag.is_none() && matters(key))
        .collect();
    for some in unknown.chunks_mut(PARALLEL_REQUESTS) {
        let asked = some.iter().map(|(key, _)| bucket.etag(key));
        let etags = future::try_join_all(asked).await?;
        for ((_, etag), answer) in some.iter_mut().zip(etags) {
            **etag = answer;
        }
    }
    Ok(listed)
}

/// One file to be uploaded.
#[derive(Clone, Debug)]
pub(crate) struct Upload<'p> {
    pub(crate) key: &'p str,
    pub(crate) item: &'p Item,
    /// What is at its key.
    pub(crate) expected: Expected,
}

/// Files that may be uploaded in any order.
#[derive(Debug)]
pub(crate) struct Batch<'p> {
    phase: Phase,
    replaces: bool,
    pub(crate) uploads: Vec<Upload<'p>>,
}

impl Batch<'_> {
    /// Whether a visitor of another release could notice: new assets are referred to by nothing yet.
    pub(crate) fn is_visible(&self) -> bool {
        self.replaces || self.phase >= Phase::Pages
    }
}
