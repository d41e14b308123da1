//! What actions have to agree on about artifacts that one makes and another reads.
//!
//! No action knows another. What both ends of an artifact depend on is here, so that a change reaches both:
//!
//! - a directory with [`SITE_PAGE`] at its root is a website. Its archive has a fingerprint of each file, with which
//!   deploy-site fetches only what changed;
//! - the action that makes an artifact publishes its digests as output variables, and the actions that deploy it
//!   take one of them as `digest` ([`Stored::variables`]).

use std::collections::BTreeMap;
use std::path::Path;

use super::{ArtifactError, Store, Stored};
use crate::job::Artifact;

/// The page that every website has at its root.
pub const SITE_PAGE: &str = "index.html";

impl Store {
    /// Stores what a build made at a path: a website with fingerprints, another directory as a zip, a file as it is.
    /// Equal contents give equal bytes, except for a file, which stays what it is.
    ///
    /// # Errors
    ///
    /// Those of [`Store::put_directory`] and [`Store::put_file`].
    pub async fn put(&self, artifact: &Artifact, path: &Path) -> Result<Stored, ArtifactError> {
        if path.join(SITE_PAGE).is_file() {
            return self.put_fingerprinted(artifact, path).await;
        }
        if path.is_dir() {
            return self.put_directory(artifact, path).await;
        }
        self.put_file(artifact, path).await
    }
}

impl Stored {
    /// The output variables that say what an artifact holds: `{name}Digest`, of all its bytes, and
    /// `{name}DirectoryDigest`, of its central directory where that is enough to pin it, else of all bytes.
    #[must_use]
    pub fn variables(&self, artifact: &Artifact) -> BTreeMap<String, String> {
        let name = &artifact.name;
        let directory = self.directory.unwrap_or(self.whole);
        BTreeMap::from([
            (format!("{name}Digest"), self.whole.to_string()),
            (format!("{name}DirectoryDigest"), directory.to_string()),
        ])
    }
}
