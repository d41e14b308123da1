//! From a site to a bucket that serves it.
//!
//! Whenever the work is broken off, the bucket serves a working site: assets come before the pages
//! that refer to them, what is new before what is replaced, `config.json` after all pages, and removals
//! last. Doing the work again, or twice at once, ends where doing it once ends: what is there is told
//! by the manifest and the objects' `ETag`s alone, and the manifest is only ever replaced as it was
//! read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use shared::clock::Deadline;
use tokio::time::Instant;

use crate::bucket::{Bucket, Kept};
use crate::error::DeploySiteError;
use crate::listing::{self, Listing};
use crate::manifest::{Entry, Manifest};
use crate::params::Delete;
use crate::site::{self, Item, Phase, Site};
use crate::source::Source;
use crate::upload::Uploader;
use crate::window::{self, Window};

/// Requests other than uploads on their way at once: there are few of them.
const PARALLEL_REQUESTS: usize = 16;

/// Most uploads between two looks at who the bucket belongs to, once pages are being replaced: about
/// what is under way at once anyway.
const UNCHECKED_UPLOADS: usize = window::FIRST;

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

/// What a bucket has.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    kept: Kept,
    listed: Listing,
}

/// Looks at what a bucket has: the manifest first, so that what it does not know of is in the listing.
pub(crate) async fn look(bucket: &Bucket) -> Result<Look, DeploySiteError> {
    let kept = bucket.manifest().await?;
    let listed = listing::list(bucket, &kept.manifest.keys(&bucket.manifest_key())).await?;
    Ok(Look { kept, listed })
}

/// Brings a release into a bucket, of which there was a look before the release was known.
pub(crate) async fn publish(
    bucket: &Bucket,
    source: &Source,
    release: &Release<'_>,
    early: Look,
    deadline: Deadline,
) -> Result<Published, DeploySiteError> {
    let publication = Publication {
        bucket,
        source,
        release,
        digest: site::digest(release.site),
        deadline,
    };
    publication.run(early).await
}

struct Publication<'a> {
    bucket: &'a Bucket,
    source: &'a Source,
    release: &'a Release<'a>,
    digest: String,
    deadline: Deadline,
}

/// What is known of whose release the bucket is about to get.
struct Ours {
    /// The `ETag` of a manifest that named this one.
    etag: Option<String>,
    /// Uploads since that was last seen; `None` where it is not known to be new.
    uploads: Option<usize>,
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
    async fn run(&self, early: Look) -> Result<Published, DeploySiteError> {
        let UnderWay {
            kept,
            plan,
            uploader,
            mut ours,
        } = match self.begin(early).await? {
            Begun::Complete(manifest) => {
                let counts = Counts {
                    unchanged: self.release.site.len(),
                    ..Counts::default()
                };
                return Ok(Published::Wholly(counts, Box::new(manifest)));
            }
            Begun::UnderWay(under_way) => *under_way,
        };
        let margin = CHECKPOINT.min(self.deadline.remaining() / LARGEST_CHECKPOINT_PART);
        let until = self.deadline.earlier_by(margin);
        let mut files = plan.unchanged.clone();
        let mut window = Window::new(Instant::now());
        let mut may_be_unchecked = 0;
        for (phase, batch) in self.batches(&plan) {
            if phase >= Phase::Pages {
                if ours
                    .uploads
                    .is_none_or(|uploads| uploads > may_be_unchecked)
                {
                    self.check_still_ours(&mut ours).await?;
                }
                may_be_unchecked = UNCHECKED_UPLOADS;
            }
            let note = |key: &str, item: &Item, etag| {
                files.insert(key.to_owned(), Entry::new(item, etag));
            };
            let upload = uploader.upload(&batch, &mut window, until, note);
            if !upload.await? {
                return self.checkpoint(files).await;
            }
            ours.uploads = ours.uploads.map(|uploads| uploads + batch.len());
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

    /// Fetches what is to be uploaded and announces what is to come, unless all is there.
    async fn begin(&self, early: Look) -> Result<Begun, DeploySiteError> {
        let mut early = self.is_good_enough(&early).then_some(early);
        let mut fetched: Option<(BTreeSet<String>, Uploader)> = None;
        for _ in 0..MAX_ROUNDS {
            let Look { kept: read, listed } = match early.take() {
                Some(early) => early,
                None => look(self.bucket).await?,
            };
            let plan = self.plan(&read.manifest, listed).await?;
            if plan.uploads.is_empty() && read.manifest.is_complete(&self.digest) {
                return Ok(Begun::Complete(read.manifest));
            }
            // Before the announcement: what is fetched takes its time, and may fail.
            let uploader = match fetched.take() {
                Some((keys, uploader)) if plan.uploads.is_subset(&keys) => uploader,
                _ => self.uploader(&plan).await?,
            };
            let changes = plan.uploads.union(&plan.removals).cloned().collect();
            let begun = read
                .manifest
                .begun(&self.digest, self.release.site, changes);
            let (kept, ours) = if begun == read.manifest {
                let ours = Ours {
                    etag: read.etag.clone(),
                    uploads: None,
                };
                (read, ours)
            } else if let Some(kept) = self.bucket.put_manifest(&read, begun).await? {
                let ours = Ours {
                    etag: kept.etag.clone(),
                    uploads: Some(0),
                };
                (kept, ours)
            } else {
                fetched = Some((plan.uploads, uploader));
                continue;
            };
            return Ok(Begun::UnderWay(Box::new(UnderWay {
                kept,
                plan,
                uploader,
                ours,
            })));
        }
        Err(self.overtaken(&Manifest::default()))
    }

    /// Fetches what is to be uploaded.
    async fn uploader(&self, plan: &Plan) -> Result<Uploader, DeploySiteError> {
        let contents = self.source.contents_of(self.release.site, &plan.uploads);
        Ok(Uploader {
            bucket: self.bucket.clone(),
            artifact: self.source.artifact().clone(),
            contents: contents.await?,
        })
    }

    /// Whether a look from before the release was known will do. Another release that was under way
    /// then may have replaced what was listed; one that began later is met by the announcement.
    fn is_good_enough(&self, early: &Look) -> bool {
        let unfinished = early.kept.manifest.unfinished.as_ref();
        unfinished.is_none_or(|unfinished| unfinished.release == self.digest)
    }

    async fn plan(&self, manifest: &Manifest, listed: Listing) -> Result<Plan, DeploySiteError> {
        let site = self.release.site;
        let listed = self.with_etags(manifest, listed).await?;
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

    /// A listing with the `ETag`s that matter. Some stores list keys without them; then the objects are
    /// asked themselves.
    async fn with_etags(
        &self,
        manifest: &Manifest,
        mut listed: Listing,
    ) -> Result<Listing, DeploySiteError> {
        let is_known = |key: &str| {
            let item = self.release.site.get(key);
            item.is_some_and(|item| manifest.uploads_of(key, item).next().is_some())
        };
        let mut unknown: Vec<_> = listed
            .iter_mut()
            .filter(|(key, etag)| etag.is_none() && is_known(key))
            .collect();
        for some in unknown.chunks_mut(PARALLEL_REQUESTS) {
            let asked = some.iter().map(|(key, _)| self.bucket.etag(key));
            let etags = future::try_join_all(asked).await?;
            for ((_, etag), answer) in some.iter_mut().zip(etags) {
                **etag = answer;
            }
        }
        Ok(listed)
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
    /// A manifest that nobody has written since need not be read.
    async fn check_still_ours(&self, ours: &mut Ours) -> Result<(), DeploySiteError> {
        if ours.etag.is_none() || self.bucket.manifest_etag().await? != ours.etag {
            let now = self.bucket.manifest().await?;
            if !now.manifest.is_about(&self.digest) {
                return Err(self.overtaken(&now.manifest));
            }
            ours.etag = now.etag;
        }
        ours.uploads = Some(0);
        Ok(())
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
    UnderWay(Box<UnderWay>),
}

/// The manifest says that the release is coming.
struct UnderWay {
    kept: Kept,
    plan: Plan,
    uploader: Uploader,
    ours: Ours,
}
