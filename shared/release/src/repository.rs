//! The repository of releases: a bucket in which nothing that a release consists of is ever written twice.
//!
//! What is read is compared with its digest, so a release that comes back is the one that was published, or an error.

mod entries;
pub mod layout;
pub(crate) mod objects;
mod publish;
mod roll;
mod verify;

use std::collections::BTreeMap;

use aws_sdk_s3::Client;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;

use crate::digest::Digest;
use crate::error::ReleaseError;
use crate::manifest::{Manifest, ManifestError, ReleaseId};
use layout::OfRelease;
use objects::{Head, Objects, UpTo};

pub use objects::Put;
pub use publish::{Blob, Counts, Provenance, Publication, Publisher};
pub use roll::Roll;
pub use verify::Verification;

/// The largest blob that is read into memory, in bytes: templates have at most 1 MB, documents of APIs 6 MB (API Gateway,
/// "Quotas"). Code and sites are not read here: Lambda and deploy-site take them from the bucket.
pub const MAX_READ_BYTES: u64 = 16 << 20;

/// How many blobs are looked for at once: a release of twenty functions is looked through in two round trips, and S3 takes
/// thousands of such requests a second (S3 User Guide, "Optimizing Amazon S3 performance").
const PARALLEL_CHECKS: usize = 16;

/// A repository of releases.
#[derive(Clone, Debug)]
pub struct Repository {
    pub(crate) objects: Objects,
}

/// A release, as far as the keys of the bucket tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub release: ReleaseId,
    /// When it was first published; `None` if its entry in the index is gone.
    pub published: Option<Timestamp>,
    /// The environments whose tests it passed.
    pub verified: Vec<String>,
}

impl Repository {
    /// The repository in a bucket.
    #[must_use]
    pub fn new(client: Client, bucket: &str) -> Self {
        Self {
            objects: Objects::new(client, bucket),
        }
    }

    /// Its bucket.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.objects.bucket
    }

    /// Reads the manifest of a release.
    ///
    /// # Errors
    ///
    /// There is none, it is not the one that was published, or it is not one that can be read.
    pub async fn manifest(&self, release: &ReleaseId) -> Result<Manifest, ReleaseError> {
        let key = layout::manifest(release);
        let address = || self.objects.address(&key);
        let object = self.objects.get(&key).await?;
        let object = object.ok_or_else(|| ReleaseError::NoRelease {
            release: release.clone(),
            address: address(),
        })?;
        let found = ReleaseId::of(&object.bytes);
        if found != *release {
            return Err(ReleaseError::ChangedManifest {
                release: release.clone(),
                found,
                address: address(),
            });
        }
        Manifest::read(&object.bytes).map_err(|error| match error {
            ManifestError::Newer(schema) => ReleaseError::Newer {
                address: address(),
                schema,
            },
            source => ReleaseError::Malformed {
                address: address(),
                source: Box::new(source),
            },
        })
    }

    /// Reads a blob of at most [`MAX_READ_BYTES`].
    ///
    /// # Errors
    ///
    /// There is none, it is too large, or it is not what its digest says.
    pub async fn blob(&self, digest: &Digest) -> Result<Vec<u8>, ReleaseError> {
        let key = layout::blob(digest);
        let missing = || ReleaseError::MissingBlob {
            address: self.objects.address(&key),
        };
        let object = self.objects.get_up_to(&key, MAX_READ_BYTES).await?;
        let object = match object.ok_or_else(missing)? {
            UpTo::Object(object) => object,
            UpTo::Larger(bytes) => {
                return Err(ReleaseError::LargeBlob {
                    address: self.objects.address(&key),
                    bytes,
                });
            }
        };
        let found = Digest::of(&object.bytes);
        if found != *digest {
            return Err(ReleaseError::ChangedBlob {
                address: self.objects.address(&key),
                found,
            });
        }
        Ok(object.bytes)
    }

    /// Checks that everything that a release names is there, and is what its digest says. S3 compared each object with its
    /// digest when it came and tells it; one that came without is read.
    ///
    /// # Errors
    ///
    /// Something is missing, or is something else.
    pub async fn check_blobs(&self, manifest: &Manifest) -> Result<(), ReleaseError> {
        stream::iter(manifest.blobs())
            .map(|(digest, size)| async move { self.check_blob(&digest, size).await })
            .buffer_unordered(PARALLEL_CHECKS)
            .try_collect()
            .await
    }

    async fn check_blob(&self, digest: &Digest, size: u64) -> Result<(), ReleaseError> {
        let key = layout::blob(digest);
        let address = self.objects.address(&key);
        let head = self.objects.head(&key).await?;
        let Some(head) = head else {
            return Err(ReleaseError::MissingBlob { address });
        };
        self.compare(digest, size, head).await
    }

    /// Compares what is there with what a blob must be.
    async fn compare(&self, digest: &Digest, size: u64, head: Head) -> Result<(), ReleaseError> {
        let key = layout::blob(digest);
        let address = self.objects.address(&key);
        if head.size != size {
            return Err(ReleaseError::CutBlob {
                address,
                found: head.size,
                size,
            });
        }
        let told = head.sha256.and_then(|told| Digest::from_base64(&told));
        let found = match told {
            Some(told) => Some(told),
            None => self.objects.digest(&key).await?,
        };
        match found {
            None => Err(ReleaseError::MissingBlob { address }),
            Some(found) if found != *digest => Err(ReleaseError::ChangedBlob { address, found }),
            Some(_) => Ok(()),
        }
    }

    /// All releases, the newest first.
    ///
    /// # Errors
    ///
    /// A call failed.
    pub async fn releases(&self) -> Result<Vec<Listed>, ReleaseError> {
        let listed = self.objects.list(layout::RELEASES).await?;
        Ok(catalog(listed.iter().map(|object| object.key.as_str())))
    }
}

/// The releases that keys tell of: those with a manifest. The first of several entries by time counts.
fn catalog<'a>(keys: impl Iterator<Item = &'a str>) -> Vec<Listed> {
    let mut published: BTreeMap<ReleaseId, Timestamp> = BTreeMap::new();
    let mut verified: BTreeMap<ReleaseId, Vec<String>> = BTreeMap::new();
    let mut releases = Vec::new();
    for key in keys {
        match layout::of_release(key) {
            Some(OfRelease::Manifest(release)) => releases.push(release),
            Some(OfRelease::Published(at, release)) => {
                let first = published.entry(release).or_insert(at);
                *first = at.min(*first);
            }
            Some(OfRelease::Verified(release, environment)) => {
                verified.entry(release).or_default().push(environment);
            }
            None => {}
        }
    }
    let mut listed: Vec<_> = releases
        .into_iter()
        .map(|release| Listed {
            published: published.get(&release).copied(),
            verified: verified.remove(&release).unwrap_or_default(),
            release,
        })
        .collect();
    listed.sort_by(|a, b| (b.published, &b.release).cmp(&(a.published, &a.release)));
    listed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_listed_once_it_has_a_manifest() {
        let keys = [
            "releases/0000000000000001/manifest.json",
            "releases/0000000000000002/manifest.json",
            "releases/0000000000000002/provenance-1.json",
            "releases/0000000000000002/verified/int.json",
            "releases/0000000000000002/verified/qa.json",
            "releases/0000000000000004/manifest.json",
            "releases/by-time/20261127T100000Z-0000000000000001",
            "releases/by-time/20261127T110000Z-0000000000000002",
            "releases/by-time/20261127T120000Z-0000000000000001",
            "releases/by-time/20261127T130000Z-0000000000000003",
        ];
        let listed: Vec<_> = catalog(keys.into_iter())
            .into_iter()
            .map(|one| {
                let published = one.published.map(|at| at.to_string());
                (one.release.to_string(), published, one.verified.join(" "))
            })
            .collect();
        let at = |text: &str| Some(text.to_owned());
        let row =
            |id: &str, published, verified: &str| (id.to_owned(), published, verified.to_owned());
        assert_eq!(
            listed,
            [
                row("0000000000000002", at("2026-11-27T11:00:00Z"), "int qa"),
                row("0000000000000001", at("2026-11-27T10:00:00Z"), ""),
                row("0000000000000004", None, ""),
            ]
        );
    }
}
