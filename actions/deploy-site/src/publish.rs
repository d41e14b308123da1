//! From a site to a bucket that serves it.
//!
//! Whenever the work is broken off, the bucket serves a working site: assets come before the pages
//! that refer to them, what is new before what is replaced, `config.json` after all pages, and removals
//! last. Doing the work again, or twice at once, ends where doing it once ends: what is there is told
//! by the manifest and the objects' `ETag`s alone, and the manifest is only ever replaced as it was
//! read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use shared::clock::Deadline;

use crate::bucket::{Bucket, Kept};
use crate::error::DeploySiteError;
use crate::manifest::{Entry, Manifest};
use crate::params::Delete;
use crate::site::{self, Item, Phase, Site};

/// Requests on their way at once. S3 takes thousands a second for a prefix; more than this only waits
/// for the function's network.
const PARALLEL_REQUESTS: usize = 16;

/// How often the manifest is read anew because someone else has written it. Two invocations of one job
/// write it four times.
const MAX_ROUNDS: u32 = 6;

/// What has to be left of the invocation for a further upload: the uploads under way have to end and
/// the manifest to be written in it, before the action is ended.
const CHECKPOINT: Duration = Duration::from_mins(1);

/// The checkpoint is at most this part of the time there is, so that a function with a short timeout
/// gets something done.
const LARGEST_CHECKPOINT_PART: u32 = 2;

/// What is to be served.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Release<'a> {
    pub(crate) site: &'a Site,
    pub(crate) version: &'a str,
    pub(crate) delete: Delete,
}

/// How far it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Published {
    /// The bucket serves the release.
    Wholly(Counts, Box<Manifest>),
    /// The time ran out; the next job goes on.
    Partly {
        /// Objects of the release that are there.
        there: usize,
    },
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) uploaded: usize,
    pub(crate) unchanged: usize,
    pub(crate) removed: usize,
}

/// Brings a release into a bucket.
pub(crate) async fn publish(
    bucket: &Bucket,
    release: &Release<'_>,
    deadline: Deadline,
) -> Result<Published, DeploySiteError> {
    let margin = CHECKPOINT.min(deadline.remaining() / LARGEST_CHECKPOINT_PART);
    let digest = site::digest(release.site);
    let publication = Publication {
        bucket,
        release,
        digest,
        until: deadline.earlier_by(margin),
    };
    publication.run().await
}

struct Publication<'a> {
    bucket: &'a Bucket,
    release: &'a Release<'a>,
    digest: String,
    until: Deadline,
}

/// What the bucket has, and what it lacks.
struct Plan {
    /// Every key below the prefix.
    there: BTreeSet<String>,
    /// What is there as it should be.
    unchanged: BTreeMap<String, Entry>,
    /// What is to be uploaded.
    uploads: BTreeSet<String>,
    /// What is to be removed afterwards.
    removals: BTreeSet<String>,
}

impl Publication<'_> {
    async fn run(&self) -> Result<Published, DeploySiteError> {
        let (kept, plan) = match self.begin().await? {
            Begun::Complete(manifest) => {
                let counts = Counts {
                    unchanged: self.release.site.len(),
                    ..Counts::default()
                };
                return Ok(Published::Wholly(counts, Box::new(manifest)));
            }
            Begun::UnderWay(kept, plan) => (kept, plan),
        };
        let mut files = plan.unchanged.clone();
        for (phase, batch) in self.batches(&plan) {
            if phase >= Phase::Pages {
                self.check_still_ours().await?;
            }
            if !self.upload(&batch, &mut files).await? {
                return self.checkpoint(files).await;
            }
        }
        self.remove(&plan).await?;
        let removed = plan.removals.intersection(&plan.there).count();
        let counts = Counts {
            uploaded: plan.uploads.len(),
            unchanged: plan.unchanged.len(),
            removed,
        };
        let manifest = self.complete(kept, files, &plan.removals).await?;
        Ok(Published::Wholly(counts, Box::new(manifest)))
    }

    /// Announces what is to come, unless all is there.
    async fn begin(&self) -> Result<Begun, DeploySiteError> {
        for _ in 0..MAX_ROUNDS {
            let read = self.bucket.manifest().await?;
            let plan = self.plan(&read.manifest).await?;
            if plan.uploads.is_empty() && read.manifest.is_complete(&self.digest) {
                return Ok(Begun::Complete(read.manifest));
            }
            let changes = plan.uploads.union(&plan.removals).cloned().collect();
            let begun = read
                .manifest
                .begun(&self.digest, self.release.site, changes);
            if begun == read.manifest {
                return Ok(Begun::UnderWay(read, plan));
            }
            if let Some(kept) = self.bucket.put_manifest(&read, begun).await? {
                return Ok(Begun::UnderWay(kept, plan));
            }
        }
        Err(self.overtaken(&Manifest::default()))
    }

    async fn plan(&self, manifest: &Manifest) -> Result<Plan, DeploySiteError> {
        let listed = self.bucket.list().await?;
        let site = self.release.site;
        let mut unchanged = BTreeMap::new();
        for (key, item) in site {
            let Some(etag) = listed.get(key) else {
                continue;
            };
            let known: Vec<_> = manifest.uploads_of(key, item).collect();
            if known.is_empty() {
                continue;
            }
            // Some stores list keys without their tags; then the object itself is asked.
            let etag = match etag {
                Some(etag) => Some(etag.clone()),
                None => self.bucket.etag(key).await?,
            };
            if let Some(entry) = known
                .into_iter()
                .find(|entry| Some(&entry.etag) == etag.as_ref())
            {
                unchanged.insert(key.clone(), entry.clone());
            }
        }
        let removals = match self.release.delete {
            Delete::Unused => manifest.unused(&self.digest, site),
            Delete::Never => BTreeSet::new(),
        };
        Ok(Plan {
            uploads: site
                .keys()
                .filter(|key| !unchanged.contains_key(*key))
                .cloned()
                .collect(),
            there: listed.into_keys().collect(),
            unchanged,
            removals,
        })
    }

    /// The uploads in an order in which nothing refers to what is not there yet: in each phase, what is
    /// new comes before what replaces something.
    fn batches<'b>(&'b self, plan: &'b Plan) -> Vec<(Phase, Vec<(&'b String, &'b Item)>)> {
        let mut batches: BTreeMap<(Phase, bool), Vec<_>> = BTreeMap::new();
        for key in &plan.uploads {
            let item = &self.release.site[key];
            batches
                .entry((item.phase, plan.there.contains(key)))
                .or_default()
                .push((key, item));
        }
        batches
            .into_iter()
            .map(|((phase, _), batch)| (phase, batch))
            .collect()
    }

    /// Uploads one batch; `false` where the time ran out first.
    async fn upload(
        &self,
        batch: &[(&String, &Item)],
        files: &mut BTreeMap<String, Entry>,
    ) -> Result<bool, DeploySiteError> {
        let uploads: Vec<_> = batch
            .iter()
            .map(|(key, item)| self.upload_one(key, item))
            .collect();
        let mut uploads = stream::iter(uploads).buffer_unordered(PARALLEL_REQUESTS);
        let mut in_time = true;
        while let Some((key, entry)) = uploads.try_next().await? {
            match entry {
                Some(entry) => {
                    files.insert(key, entry);
                }
                None => in_time = false,
            }
        }
        Ok(in_time)
    }

    async fn upload_one(
        &self,
        key: &str,
        item: &Item,
    ) -> Result<(String, Option<Entry>), DeploySiteError> {
        if self.until.remaining().is_zero() {
            return Ok((key.to_owned(), None));
        }
        let etag = self.bucket.put(key, item).await?;
        tracing::debug!(key, size_bytes = item.size_bytes, "uploaded");
        Ok((key.to_owned(), Some(Entry::new(item, etag))))
    }

    async fn remove(&self, plan: &Plan) -> Result<(), DeploySiteError> {
        let removals: Vec<_> = plan
            .removals
            .intersection(&plan.there)
            .map(|key| self.bucket.delete(key))
            .collect();
        stream::iter(removals)
            .buffer_unordered(PARALLEL_REQUESTS)
            .try_collect()
            .await
    }

    /// Stops an invocation that was overtaken by another release before it replaces that one's pages.
    async fn check_still_ours(&self) -> Result<(), DeploySiteError> {
        let now = self.bucket.manifest().await?.manifest;
        if now.is_about(&self.digest) {
            Ok(())
        } else {
            Err(self.overtaken(&now))
        }
    }

    /// Writes the manifest of the complete release.
    async fn complete(
        &self,
        mut kept: Kept,
        files: BTreeMap<String, Entry>,
        removed: &BTreeSet<String>,
    ) -> Result<Manifest, DeploySiteError> {
        for _ in 0..MAX_ROUNDS {
            let complete =
                kept.manifest
                    .completed(&self.digest, self.release.version, files.clone(), removed);
            if let Some(written) = self.bucket.put_manifest(&kept, complete).await? {
                return Ok(written.manifest);
            }
            kept = self.bucket.manifest().await?;
            if kept.manifest.is_complete(&self.digest) {
                return Ok(kept.manifest); // the same job, delivered twice, or a lost reply
            }
            if !kept.manifest.is_about(&self.digest) {
                break;
            }
        }
        Err(self.overtaken(&kept.manifest))
    }

    /// Notes what is uploaded, so that the next job does not do it again.
    async fn checkpoint(
        &self,
        files: BTreeMap<String, Entry>,
    ) -> Result<Published, DeploySiteError> {
        for _ in 0..MAX_ROUNDS {
            let kept = self.bucket.manifest().await?;
            if kept.manifest.is_complete(&self.digest) {
                return Ok(Published::Partly { there: files.len() });
            }
            if !kept.manifest.is_about(&self.digest) {
                return Err(self.overtaken(&kept.manifest));
            }
            let mut noted = kept.manifest.clone();
            noted
                .unfinished
                .get_or_insert_default()
                .files
                .extend(files.clone());
            if self.bucket.put_manifest(&kept, noted).await?.is_some() {
                return Ok(Published::Partly { there: files.len() });
            }
        }
        Err(self.overtaken(&Manifest::default()))
    }

    fn overtaken(&self, now: &Manifest) -> DeploySiteError {
        DeploySiteError::Overtaken {
            bucket: self.bucket.name().to_owned(),
            version: self.release.version.to_owned(),
            other: now.version.clone(),
        }
    }
}

enum Begun {
    /// The bucket serves the release already.
    Complete(Manifest),
    /// The manifest says that the release is coming.
    UnderWay(Kept, Plan),
}
