//! From a site to a bucket that serves it.
//!
//! Whenever the work is broken off, the bucket serves a working site: assets come before the pages
//! that refer to them, what is new before what is replaced, `config.json` after all pages, and removals
//! last. Doing the work again, or twice at once, ends where doing it once ends: what is there is told
//! by the manifest and the objects' `ETag`s alone, and the manifest is only ever replaced as it was
//! read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use delivery_action::clock::Deadline;
use delivery_action::execution::ExecutionCheck;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::time::Instant;

use crate::bucket::{Bucket, StoredManifest};
use crate::error::DeploySiteError;
use crate::manifest::{Entry, Manifest};
use crate::ownership::{self, Ownership};
use crate::params::Delete;
use crate::plan::{BucketState, Plan};
use crate::site::{self, Item, Site};
use crate::source::Source;
use crate::upload::Uploader;
use crate::window::Window;

/// Removals on their way at once, and between two looks at who the bucket belongs to.
const PARALLEL_REMOVALS: usize = 16;

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
    pub(crate) execution: &'a ExecutionCheck,
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

/// Brings a release into a bucket, whose state was read before the release was known.
pub(crate) async fn publish(
    bucket: &Bucket,
    source: &Source,
    release: &Release<'_>,
    early: BucketState,
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

/// What was found when the release was to be announced.
enum Announcement<'a> {
    /// The bucket serves the release already.
    NotNeeded(Manifest),
    Made(Box<Announced<'a>>),
}

/// The manifest says that the release is coming.
struct Announced<'a> {
    stored: StoredManifest,
    plan: Plan,
    uploader: Uploader,
    ownership: Ownership<'a>,
    /// Whether another release was under way before, and may have uploads on their way still.
    took_over: bool,
}

impl Publication<'_> {
    async fn run(&self, early: BucketState) -> Result<Published, DeploySiteError> {
        let Announced {
            stored,
            plan,
            uploader,
            mut ownership,
            took_over,
        } = match self.announce(early).await? {
            Announcement::Made(announced) => *announced,
            Announcement::NotNeeded(manifest) => {
                let counts = Counts {
                    unchanged: self.release.site.len(),
                    ..Counts::default()
                };
                return Ok(Published::Wholly(counts, Box::new(manifest)));
            }
        };
        let margin = CHECKPOINT.min(self.deadline.remaining() / LARGEST_CHECKPOINT_PART);
        let mut progress = Progress {
            files: plan.unchanged.clone(),
            window: Window::new(Instant::now()),
            until: self.deadline.earlier_by(margin),
        };
        if !progress
            .upload(self, &plan, &uploader, &mut ownership)
            .await?
        {
            return self.checkpoint(progress.files).await;
        }
        let removed = self.remove(&plan, &mut ownership).await?;
        if took_over && !self.mend(&mut progress, &mut ownership).await? {
            return self.checkpoint(progress.files).await;
        }
        let counts = Counts {
            uploaded: plan.uploads.len(),
            unchanged: plan.unchanged.len(),
            removed,
        };
        let manifest = self
            .complete(stored, progress.files, &plan.removals)
            .await?;
        Ok(Published::Wholly(counts, Box::new(manifest)))
    }

    /// Fetches what is to be uploaded and announces what is to come, unless all is there.
    async fn announce(&self, early: BucketState) -> Result<Announcement<'_>, DeploySiteError> {
        let mut early = self.is_good_enough(&early).then_some(early);
        let mut fetched: Option<(BTreeSet<String>, Uploader)> = None;
        for _ in 0..MAX_ROUNDS {
            let state = match early.take() {
                Some(early) => early,
                None => BucketState::read(self.bucket).await?,
            };
            let read = state.stored;
            let plan = Plan::make(
                self.bucket,
                self.release,
                &self.digest,
                &read.manifest,
                state.listed,
            );
            let plan = plan.await?;
            if plan.uploads.is_empty() && read.manifest.is_complete(&self.digest) {
                return Ok(Announcement::NotNeeded(read.manifest));
            }
            // Before the announcement: what is fetched takes its time, and may fail.
            let uploader = match fetched.take() {
                Some((keys, uploader)) if plan.uploads.is_subset(&keys) => uploader,
                _ => self.uploader(&plan.uploads).await?,
            };
            // An announcement that is there may itself have taken over from another release.
            let took_over = read.manifest.unfinished.is_some();
            let changes = plan.uploads.union(&plan.removals).cloned().collect();
            let site = self.release.site;
            let announcement = read.manifest.begun(&self.digest, site, changes);
            let is_announced = announcement == read.manifest;
            self.release.execution.still_runs().await?;
            let stored = if is_announced {
                read
            } else if let Some(stored) = self.bucket.put_manifest(&read, announcement).await? {
                stored
            } else {
                // Someone else wrote it meanwhile: what was read of the bucket is out of date.
                fetched = Some((plan.uploads, uploader));
                continue;
            };
            let release = (self.digest.as_str(), self.release.version);
            return Ok(Announcement::Made(Box::new(Announced {
                ownership: Ownership::new(self.bucket, release, &stored, !is_announced),
                stored,
                plan,
                uploader,
                took_over,
            })));
        }
        Err(self.overtaken(&Manifest::default()))
    }

    /// Whether a state that was read before the release was known will do. Another release that was under
    /// way then may have replaced what was listed; one that began later is met by the announcement.
    fn is_good_enough(&self, early: &BucketState) -> bool {
        let unfinished = early.stored.manifest.unfinished.as_ref();
        unfinished.is_none_or(|unfinished| unfinished.release == self.digest)
    }

    /// Fetches what is to be uploaded.
    async fn uploader(&self, keys: &BTreeSet<String>) -> Result<Uploader, DeploySiteError> {
        let contents = self.source.contents_of(self.release.site, keys);
        Ok(Uploader {
            bucket: self.bucket.clone(),
            artifact: self.source.artifact().clone(),
            contents: contents.await?,
        })
    }

    /// Removes what no release has any more, and says how many objects that were. A release that went back
    /// to such an object and announced itself meanwhile keeps it.
    async fn remove(
        &self,
        plan: &Plan,
        ownership: &mut Ownership<'_>,
    ) -> Result<usize, DeploySiteError> {
        let objects = plan.objects_to_remove();
        if !objects.is_empty() {
            self.release.execution.still_runs().await?;
        }
        for some in objects.chunks(PARALLEL_REMOVALS) {
            ownership.check().await?;
            let removals: Vec<_> = some.iter().map(|key| self.bucket.delete(key)).collect();
            for _ in some {
                ownership.note_change();
            }
            let removals = stream::iter(removals).buffer_unordered(PARALLEL_REMOVALS);
            removals.try_collect::<()>().await?;
        }
        Ok(objects.len())
    }

    /// Uploads again what the release before it still changed after this one had looked; `false` where the
    /// time was too short. It stops when it looks at the manifest, but what it had under way by then
    /// arrives: over what this one took for unchanged, or as a removal of what it wants back.
    async fn mend(
        &self,
        progress: &mut Progress,
        ownership: &mut Ownership<'_>,
    ) -> Result<bool, DeploySiteError> {
        for _ in 0..MAX_ROUNDS {
            let now = BucketState::read(self.bucket).await?;
            if !now.stored.manifest.is_about(&self.digest) {
                return Err(self.overtaken(&now.stored.manifest));
            }
            let plan = Plan::of_differing(self.bucket, &progress.files, now.listed).await?;
            if plan.uploads.is_empty() {
                return Ok(true);
            }
            tracing::warn!(
                files = plan.uploads.len(),
                "another release changed files after this one had begun"
            );
            let uploader = self.uploader(&plan.uploads).await?;
            if !progress.upload(self, &plan, &uploader, ownership).await? {
                return Ok(false);
            }
        }
        Err(self.overtaken(&Manifest::default()))
    }

    /// Writes the manifest of the complete release.
    async fn complete(
        &self,
        mut stored: StoredManifest,
        files: BTreeMap<String, Entry>,
        removed: &BTreeSet<String>,
    ) -> Result<Manifest, DeploySiteError> {
        for _ in 0..MAX_ROUNDS {
            let complete = stored.manifest.completed(
                &self.digest,
                self.release.version,
                files.clone(),
                removed,
            );
            if let Some(written) = self.bucket.put_manifest(&stored, complete).await? {
                return Ok(written.manifest);
            }
            stored = self.bucket.manifest().await?;
            if stored.manifest.is_complete(&self.digest) {
                return Ok(stored.manifest); // the same job, delivered twice, or a lost reply
            }
            if !stored.manifest.is_about(&self.digest) {
                break;
            }
        }
        Err(self.overtaken(&stored.manifest))
    }

    /// Notes what is uploaded, so that the next job does not do it again.
    async fn checkpoint(
        &self,
        files: BTreeMap<String, Entry>,
    ) -> Result<Published, DeploySiteError> {
        for _ in 0..MAX_ROUNDS {
            let stored = self.bucket.manifest().await?;
            if stored.manifest.is_complete(&self.digest) {
                return Ok(Published::Partly { there: files.len() });
            }
            if !stored.manifest.is_about(&self.digest) {
                return Err(self.overtaken(&stored.manifest));
            }
            let mut noted = stored.manifest.clone();
            noted
                .unfinished
                .get_or_insert_default()
                .files
                .extend(files.clone());
            if self.bucket.put_manifest(&stored, noted).await?.is_some() {
                return Ok(Published::Partly { there: files.len() });
            }
        }
        Err(self.overtaken(&Manifest::default()))
    }

    fn overtaken(&self, now: &Manifest) -> DeploySiteError {
        ownership::overtaken(self.bucket, self.release.version, now)
    }
}

/// What of the release is in the bucket, and how it gets there.
struct Progress {
    files: BTreeMap<String, Entry>,
    window: Window,
    /// When no further upload is begun.
    until: Deadline,
}

impl Progress {
    /// Uploads batch after batch; `false` where the time was too short for all.
    async fn upload(
        &mut self,
        publication: &Publication<'_>,
        plan: &Plan,
        uploader: &Uploader,
        ownership: &mut Ownership<'_>,
    ) -> Result<bool, DeploySiteError> {
        for batch in plan.batches(publication.release) {
            if batch.is_visible() {
                publication.release.execution.still_runs().await?;
            }
            ownership.check().await?;
            let files = &mut self.files;
            let note = |key: &str, item: &Item, etag| {
                files.insert(key.to_owned(), Entry::new(item, etag));
            };
            let upload = uploader.upload(batch, ownership, &mut self.window, self.until, note);
            if !upload.await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
