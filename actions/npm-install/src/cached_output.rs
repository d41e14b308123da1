//! The output, composed in S3 of a cached `node_modules` and the source.
//!
//! Problem: with an unchanged lock file npm makes the same tree again, of ten thousands of files, and archiving and
//! sending it takes longer than npm does (9.7 s, measured, against 0.06 s composed).
//!
//! Solution: the tree lies in the artifact bucket as an archive of its own, under a key that covers everything that decides its
//! content ([`crate::cache`]). S3 copies it into the output (`UploadPartCopy`), and the function sends only the source
//! and the central directory of both. The output has the same bytes whether the tree was cached or not, so that
//! the cache cannot be noticed downstream.
//!
//! The cache never fails a job: any error means that npm runs, or that the whole output is sent, and the summary
//! says why.

use std::path::PathBuf;

use delivery_action::artifact::{ComposeError, ComposedEnd, composed_end};
use delivery_action::aws::{CallError, CallErrorKind};
use delivery_action::blocking;
use delivery_action::failure::{ActionError as _, chain};
use delivery_archive::{Archive, ArchiveEnd, ArchiveError, Creation, Limits};
use delivery_node::project::Project;

use crate::NpmInstallError;
use crate::cache::{self, NotCacheable, Plan};
use crate::installation::Installation;

/// A tree that the cache may hold, and its key.
pub(crate) struct CacheEntry {
    pub(crate) plan: Plan,
    pub(crate) key: String,
}

/// What the cache had.
pub(crate) enum Lookup {
    /// The output was composed; its length in bytes.
    Hit(u64),
    /// npm has to run, and its tree goes into the cache.
    Miss,
    /// npm has to run, and its tree does not go into the cache.
    Unusable(NotCacheable),
}

/// A tree that was installed, as an archive in the workspace.
struct TreeArchive {
    zip: PathBuf,
    end: ArchiveEnd,
}

impl Installation<'_> {
    /// Composes the output of a tree in the cache, if there is one.
    pub(crate) async fn compose_from_cache(&self, entry: &CacheEntry) -> Lookup {
        let object = cache::object(&entry.key);
        let cached = match self
            .cache_store
            .find_cached_tree(&self.output.bucket, &object)
            .await
        {
            Ok(Some(cached)) => cached,
            Ok(None) => return Lookup::Miss,
            // Without `s3:ListBucket` S3 denies access to what does not exist. If the role really lacks a
            // permission, writing to the cache fails with the same error.
            Err(error) if error.kind == CallErrorKind::Denied => return Lookup::Miss,
            Err(error) => return Lookup::Unusable(failed_call(&error)),
        };
        let composed = self
            .cache_store
            .put_with_cached_tree(self.output, &cached, &self.source)
            .await;
        match composed {
            Ok(size) => Lookup::Hit(size),
            Err(ComposeError::Call(error)) => Lookup::Unusable(failed_call(&error)),
            Err(error @ (ComposeError::Damaged { .. } | ComposeError::Gone(_))) => {
                tracing::warn!(key = object, error = %chain(&error), "the cached dependencies are unusable; replacing them");
                Lookup::Miss
            }
            Err(error) => Lookup::Unusable(NotCacheable(chain(&error))),
        }
    }

    /// Puts the tree that npm made into the cache and composes the output of it. Returns the output's length, and
    /// why the tree is not in the cache if it is not.
    pub(crate) async fn store_with_cache(
        &self,
        entry: &CacheEntry,
        project: &Project,
    ) -> Result<(u64, Option<NotCacheable>), NpmInstallError> {
        let tree = project.directory().join("node_modules");
        if !tree.is_dir() {
            return Ok((self.store_whole(project).await?, None)); // nothing was installed
        }
        match self.archive_tree(entry, tree.clone()).await {
            Ok((archive, end)) => {
                // The files are in the archive now. Removing them takes about as long as the upload, and the job
                // would have to wait for it at its end: so both run at once.
                let (stored, ()) =
                    tokio::join!(self.store_tree(entry, &archive, end), remove(tree));
                let (size, error) = stored?;
                let not_cacheable = error.map(|error| {
                    tracing::warn!(error = %chain(&error), "the dependencies are not cached");
                    match &error {
                        ComposeError::Call(call) => failed_call(call),
                        error => NotCacheable(chain(error)),
                    }
                });
                Ok((size, not_cacheable))
            }
            Err(error) => {
                let size = self.store_whole(project).await?;
                Ok((size, Some(NotCacheable(chain(&error)))))
            }
        }
    }

    /// Archives a tree, and computes the end of the output: the central directory of tree and source.
    async fn archive_tree(
        &self,
        entry: &CacheEntry,
        tree: PathBuf,
    ) -> Result<(TreeArchive, ComposedEnd), ComposeError> {
        let (zip, root) = (self.workspace.file("tree.zip"), entry.plan.root.clone());
        let (archive, end) = blocking(move || {
            Creation::of(&tree).below(&root).write_file(&zip)?;
            let archive = Archive::open(&zip, Limits::default())?;
            delivery_archive::check_confined(&archive, &root)?;
            // Twice, because computing the end of the output consumes one.
            let (end, output_end) = (ArchiveEnd::of(&archive)?, ArchiveEnd::of(&archive)?);
            Ok::<_, ArchiveError>((TreeArchive { zip, end }, output_end))
        })
        .await
        .map_err(ComposeError::Together)?;
        let end = composed_end(end, self.source.archive.clone()).await?;
        Ok((archive, end))
    }

    /// Stores the tree in the cache and the output, which S3 composes of the cached tree. If the cache cannot be
    /// written, sends the whole output and returns why.
    async fn store_tree(
        &self,
        entry: &CacheEntry,
        archive: &TreeArchive,
        end: ComposedEnd,
    ) -> Result<(u64, Option<ComposeError>), NpmInstallError> {
        let object = cache::object(&entry.key);
        let composed = async {
            let bucket = &self.output.bucket;
            let cached = self
                .cache_store
                .cache_tree(bucket, &object, &archive.zip, &archive.end)
                .await?;
            self.cache_store
                .put_with_cached_tree(self.output, &cached, &self.source)
                .await
        };
        match composed.await {
            Ok(size) => Ok((size, None)),
            Err(error) => {
                let size = self
                    .store
                    .put_composed(self.output, (&archive.zip, &archive.end), &self.source, end)
                    .await
                    .map_err(|error| error.of(self.output))?;
                // `Gone`: another job has cached the same tree at the same time, which is as good.
                let error = Some(error).filter(|error| !matches!(error, ComposeError::Gone(_)));
                Ok((size, error))
            }
        }
    }
}

/// The reason of a failed call to the cache, with what to do about it.
fn failed_call(error: &CallError) -> NotCacheable {
    let hint = error
        .hint()
        .map_or_else(String::new, |hint| format!(": {hint}"));
    NotCacheable(format!("{error}{hint}"))
}

/// Removes a tree that is not needed any more. What cannot be removed goes with the job's directory, or at the latest
/// with the next job's: if the job ends while this runs, both remove the same files, and either may fail.
async fn remove(tree: PathBuf) {
    let path = tree.clone();
    if let Err(error) = blocking(move || std::fs::remove_dir_all(tree)).await {
        tracing::debug!(path = %path.display(), %error, "cannot remove a tree now; it goes with the job's directory");
    }
}
