//! The manifest: what the action knows of the releases in a bucket, kept in the bucket.
//!
//! An object's `ETag` shows whether the object is still what was uploaded, but not what that was: whether it is
//! the MD5 of the content depends on the bucket's encryption. So the manifest records the digest and the `ETag` of each
//! key. Only keys in a manifest are ever removed. It is written before the first change, with all keys that
//! are about to be written, and after the last one: nothing that a killed invocation left behind is forgotten.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::site::{Item, Site};

/// The manifest's name below the prefix.
pub(crate) const MANIFEST: &str = ".delivery-manifest.json";

/// The version of its format.
pub(crate) const FORMAT: u32 = 1;

/// What is known of the releases in a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// [`FORMAT`]
    pub(crate) format: u32,
    /// How often a release was completed that changed something.
    pub(crate) sequence: u64,
    /// Digest of the release that is complete; empty before the first.
    pub(crate) release: String,
    /// What the release calls itself.
    pub(crate) version: String,
    /// The release's objects by key.
    pub(crate) files: BTreeMap<String, Entry>,
    /// Keys that this action wrote and the release does not have: those of the release before it, and those
    /// that interrupted deployments may have left.
    pub(crate) retained: BTreeSet<String>,
    /// The keys that the release changed.
    pub(crate) changed: BTreeSet<String>,
    /// The deployment that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unfinished: Option<Unfinished>,
}

/// A deployment that is under way, or was interrupted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unfinished {
    /// Digest of its release.
    pub(crate) release: String,
    /// The keys that it changes.
    pub(crate) changed: BTreeSet<String>,
    /// What it has uploaded, if it continues in another job.
    pub(crate) files: BTreeMap<String, Entry>,
}

/// One object as it was uploaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// SHA-256 of the content, hexadecimal.
    pub(crate) sha256: String,
    /// `Content-Type`
    pub(crate) content_type: String,
    /// `Cache-Control`
    pub(crate) cache_control: String,
    /// S3's `ETag` of that upload.
    pub(crate) etag: String,
}

impl Default for Manifest {
    fn default() -> Self {
        Self {
            format: FORMAT,
            sequence: 0,
            release: String::new(),
            version: String::new(),
            files: BTreeMap::new(),
            retained: BTreeSet::new(),
            changed: BTreeSet::new(),
            unfinished: None,
        }
    }
}

impl Entry {
    pub(crate) fn new(item: &Item, etag: String) -> Self {
        Self {
            sha256: item.sha256.clone(),
            content_type: item.content_type.clone(),
            cache_control: item.cache_control.to_owned(),
            etag,
        }
    }

    /// Whether the item would be uploaded with the same content and headers.
    fn matches(&self, item: &Item) -> bool {
        self.sha256 == item.sha256
            && self.content_type == item.content_type
            && self.cache_control == item.cache_control
    }
}

impl Manifest {
    /// Known uploads of this content with these headers under this key.
    pub(crate) fn uploads_of<'a>(
        &'a self,
        key: &str,
        item: &'a Item,
    ) -> impl Iterator<Item = &'a Entry> {
        let unfinished = self
            .unfinished
            .as_ref()
            .and_then(|unfinished| unfinished.files.get(key));
        self.files
            .get(key)
            .into_iter()
            .chain(unfinished)
            .filter(move |entry| entry.matches(item))
    }

    /// Every key that may be in the bucket, with the manifest's own, in order.
    pub(crate) fn keys<'a>(&'a self, own: &'a str) -> Vec<&'a str> {
        let unfinished = self.unfinished.iter();
        let keys: BTreeSet<&str> = self
            .files
            .keys()
            .chain(&self.retained)
            .chain(unfinished.flat_map(|unfinished| unfinished.files.keys()))
            .map(String::as_str)
            .chain([own])
            .collect();
        keys.into_iter().collect()
    }

    /// Whether a release is complete, and nothing is under way.
    pub(crate) fn is_complete(&self, release: &str) -> bool {
        self.release == release && self.unfinished.is_none()
    }

    /// Whether this release was the last to announce itself.
    pub(crate) fn is_owned_by(&self, release: &str) -> bool {
        self.unfinished
            .as_ref()
            .map_or(self.release.as_str(), |unfinished| &unfinished.release)
            == release
    }

    /// The manifest with a release announced, and every key of that release recorded.
    pub(crate) fn announcing(&self, release: &str, site: &Site, changes: BTreeSet<String>) -> Self {
        let before = self.unfinished.clone().unwrap_or_default();
        let mut announcing = self.clone();
        let unknown = site.keys().filter(|key| !self.files.contains_key(*key));
        announcing.retained.extend(unknown.cloned());
        announcing.unfinished = Some(Unfinished {
            release: release.to_owned(),
            changed: before.changed.into_iter().chain(changes).collect(),
            files: before.files,
        });
        announcing
    }

    /// The keys to remove once a release is there: those that neither it nor the release before it has.
    pub(crate) fn unused(&self, release: &str, site: &Site) -> BTreeSet<String> {
        if self.release == release {
            return BTreeSet::new();
        }
        let used = |key: &str| site.contains_key(key) || self.files.contains_key(key);
        self.retained
            .iter()
            .filter(|key| !used(key))
            .cloned()
            .collect()
    }

    /// The manifest with a release complete and `removed` gone.
    pub(crate) fn completed(
        &self,
        release: &str,
        version: &str,
        files: BTreeMap<String, Entry>,
        removed: &BTreeSet<String>,
    ) -> Self {
        let changed = self
            .unfinished
            .iter()
            .flat_map(|unfinished| &unfinished.changed);
        let kept = self.retained.iter().chain(self.files.keys());
        Self {
            format: FORMAT,
            sequence: self.sequence + 1,
            release: release.to_owned(),
            version: version.to_owned(),
            retained: kept
                .filter(|key| !files.contains_key(*key) && !removed.contains(*key))
                .cloned()
                .collect(),
            changed: changed.cloned().collect(),
            files,
            unfinished: None,
        }
    }
}
