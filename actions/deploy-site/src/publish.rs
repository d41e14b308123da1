//! Brings a release into a bucket: announce, upload, remove, complete.
//!
//! Two things make this hard. A job may end at any moment, and the bucket serves whatever it holds then; and
//! Lambda delivers jobs more than once, so two jobs, of the same release or of two, may work on one bucket at
//! the same time. So:
//!
//! 1. [`crate::announcement`] writes into the manifest what is coming. From here on an older release stops.
//! 2. Files are uploaded in an order in which the site works all the time ([`crate::upload_order`]).
//! 3. [`crate::removals`] removes what no release needs any more.
//! 4. If an older release was under way, its last uploads may have arrived after they were checked: what it
//!    changed is uploaded again.
//! 5. The manifest says that the release is complete.
//!
//! What a job has to do follows from the manifest and the objects' `ETag`s alone, and the manifest is replaced only
//! if it still is what was read. So doing a job again, or twice at once, ends where doing it once ends.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use delivery_action::clock::Deadline;
use delivery_action::execution::ExecutionCheck;
use tokio::time::Instant;

use crate::announcement::{Announced, Announcement, announce};
use crate::bucket::{Bucket, StoredManifest};
use crate::bucket_state::BucketState;
use crate::error::DeploySiteError;
use crate::manifest::{Entry, Manifest};
use crate::ownership::{self, OwnershipCheck};
use crate::params::Delete;
use crate::plan::Plan;
use crate::removals;
use crate::site::{self, Item, Site};
use crate::site_archive::SiteArchive;
use crate::upload::Uploader;
use crate::upload_order;
use crate::upload_window::UploadWindow;

/// How often the manifest is read again because somebody else has written it. Two invocations of one job
/// write it four times.
pub(crate) const MAX_CONFLICTS: u32 = 6;

/// How much of the invocation has to be left to begin another upload: in this time the uploads under way
/// have to end and the manifest has to be written, before the action is stopped.
const CHECKPOINT_TIME: Duration = Duration::from_mins(1);

/// That is at most this part of the time there is, so that a function with a short timeout gets
/// something done.
const LARGEST_CHECKPOINT_PART: u32 = 2;

/// What the bucket is to serve.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Release<'a> {
    pub(crate) site: &'a Site,
    pub(crate) version: &'a str,
    pub(crate) delete: Delete,
    pub(crate) execution: &'a ExecutionCheck,
}

/// How far a job came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Published {
    /// The bucket serves the release.
    Complete(Counts, Box<Manifest>),
    /// The time ran out; the next job continues.
    Partial {
        /// Files of the release that are in the bucket.
        uploaded: usize,
    },
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) uploaded: usize,
    pub(crate) unchanged: usize,
    pub(crate) removed: usize,
    /// Whether the bucket served another release before, or not all of this one.
    pub(crate) is_changed: bool,
}

/// Brings a release into a bucket; `early` is the bucket's state, read before the release was known.
pub(crate) async fn publish(
    bucket: &Bucket,
    archive: &SiteArchive,
    release: &Release<'_>,
    early: BucketState,
    deadline: Deadline,
) -> Result<Published, DeploySiteError> {
    let publication = Publication {
        bucket,
        archive,
        release,
        digest: site::digest(release.site),
        deadline,
    };
    publication.run(early).await
}

/// One job's work on one bucket.
pub(crate) struct Publication<'a> {
    pub(crate) bucket: &'a Bucket,
    pub(crate) archive: &'a SiteArchive,
    pub(crate) release: &'a Release<'a>,
    pub(crate) digest: String,
    pub(crate) deadline: Deadline,
}

impl Publication<'_> {
    async fn run(&self, early: BucketState) -> Result<Published, DeploySiteError> {
        let Announced {
            stored,
            plan,
            uploader,
            mut ownership,
            took_over,
        } = match announce(self, early).await? {
            Announcement::Made(announced) => *announced,
            Announcement::NotNeeded(manifest) => {
                let counts = Counts {
                    unchanged: self.release.site.len(),
                    ..Counts::default()
                };
                return Ok(Published::Complete(counts, Box::new(manifest)));
            }
        };
        let margin = CHECKPOINT_TIME.min(self.deadline.remaining() / LARGEST_CHECKPOINT_PART);
        let mut progress = Progress {
            files: plan.unchanged.clone(),
            window: UploadWindow::new(Instant::now()),
            until: self.deadline.earlier_by(margin),
        };
        if !progress
            .upload(self, &plan, &uploader, &mut ownership)
            .await?
        {
            return self.checkpoint(progress.files).await;
        }
        let removed = removals::remove(self, &plan, &mut ownership).await?;
        // After the removals, so that a file that the older release removed late is noticed, too.
        if took_over && !self.repair(&mut progress, &mut ownership).await? {
            return self.checkpoint(progress.files).await;
        }
        let counts = Counts {
            uploaded: plan.uploads.len(),
            unchanged: plan.unchanged.len(),
            removed,
            is_changed: removed > 0
                || !plan.uploads.is_empty()
                || stored.manifest.release != self.digest,
        };
        let manifest = self
            .complete(stored, progress.files, &plan.removals)
            .await?;
        Ok(Published::Complete(counts, Box::new(manifest)))
    }

    /// Fetches the contents of the files to upload.
    pub(crate) async fn uploader(
        &self,
        keys: &BTreeSet<String>,
    ) -> Result<Uploader, DeploySiteError> {
        let contents = self.archive.contents_of(self.release.site, keys);
        Ok(Uploader {
            bucket: self.bucket.clone(),
            artifact: self.archive.artifact().clone(),
            contents: contents.await?,
        })
    }

    /// Uploads again what the older release changed after this one had listed the bucket; `false` if the
    /// time was too short.
    ///
    /// The older release stops as soon as it sees the announcement. But requests that it had already sent
    /// arrive: they replace a file that this release took for unchanged, or remove one that it wants back.
    async fn repair(
        &self,
        progress: &mut Progress,
        ownership: &mut OwnershipCheck<'_>,
    ) -> Result<bool, DeploySiteError> {
        for _ in 0..MAX_CONFLICTS {
            let now = BucketState::read(self.bucket).await?;
            if !now.stored.manifest.is_owned_by(&self.digest) {
                return Err(self.overtaken(&now.stored.manifest));
            }
            let plan = Plan::of_changed_since(self.bucket, &progress.files, now.listed).await?;
            if plan.uploads.is_empty() {
                return Ok(true);
            }
            tracing::warn!(
                files = plan.uploads.len(),
                "another release changed files after this one had started; uploading them again"
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
        for _ in 0..MAX_CONFLICTS {
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
                // The same job, delivered twice, or this job's own write whose reply was lost.
                return Ok(stored.manifest);
            }
            if !stored.manifest.is_owned_by(&self.digest) {
                break;
            }
        }
        Err(self.overtaken(&stored.manifest))
    }

    /// Records in the manifest what is uploaded, so that the next job does not upload it again.
    async fn checkpoint(
        &self,
        files: BTreeMap<String, Entry>,
    ) -> Result<Published, DeploySiteError> {
        for _ in 0..MAX_CONFLICTS {
            let stored = self.bucket.manifest().await?;
            if stored.manifest.is_complete(&self.digest) {
                return Ok(Published::Partial {
                    uploaded: files.len(),
                });
            }
            if !stored.manifest.is_owned_by(&self.digest) {
                return Err(self.overtaken(&stored.manifest));
            }
            let mut recorded = stored.manifest.clone();
            recorded
                .unfinished
                .get_or_insert_default()
                .files
                .extend(files.clone());
            if self.bucket.put_manifest(&stored, recorded).await?.is_some() {
                return Ok(Published::Partial {
                    uploaded: files.len(),
                });
            }
        }
        Err(self.overtaken(&Manifest::default()))
    }

    pub(crate) fn overtaken(&self, now: &Manifest) -> DeploySiteError {
        ownership::overtaken(self.bucket, self.release.version, now)
    }
}

/// The files of the release that are in the bucket so far, and the pace of uploads.
struct Progress {
    files: BTreeMap<String, Entry>,
    window: UploadWindow,
    /// When no further upload is started.
    until: Deadline,
}

impl Progress {
    /// Uploads batch after batch; `false` if the time was too short for all.
    ///
    /// Each check comes right before the change that it is for: what was true before a batch of a thousand
    /// uploads need not be true after it.
    async fn upload(
        &mut self,
        publication: &Publication<'_>,
        plan: &Plan,
        uploader: &Uploader,
        ownership: &mut OwnershipCheck<'_>,
    ) -> Result<bool, DeploySiteError> {
        let site = publication.release.site;
        for batch in upload_order::batches(&plan.uploads, &plan.listed, site) {
            if batch.is_visible() {
                publication.release.execution.still_runs().await?;
            }
            ownership.check().await?;
            let files = &mut self.files;
            let record = |key: &str, item: &Item, etag| {
                files.insert(key.to_owned(), Entry::new(item, etag));
            };
            let upload = uploader.upload(batch, ownership, &mut self.window, self.until, record);
            if !upload.await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
