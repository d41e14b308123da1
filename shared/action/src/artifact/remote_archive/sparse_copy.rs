//! A local copy of a remote archive that contains only the wanted entries.
//!
//! The copy is a sparse file of the archive's full length: wanted ranges are at their original positions, so it can be
//! opened like the whole archive, and the rest are holes that take no space on the disk.

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::Semaphore;

use super::RemoteArchive;
use crate::artifact::ArtifactError;
use crate::artifact::download::{check_space, write};
use crate::blocking;
use delivery_archive::{Archive, Entry, Limits, ReadPlan};

/// Largest range of one request.
const PIECE_BYTES: u64 = 4 * 1024 * 1024;

/// Requests in flight at once if they are small: many of them hide each other's latency.
const PIECES: usize = 32;

/// Memory for ranges in flight, in KiB: four of the largest.
const MEMORY_KIB: u32 = 4 * 4 * 1024;

impl RemoteArchive {
    /// Fetches the directory, all links and the chosen entries into a new sparse file as long as the archive, and
    /// opens it. Other entries are not fetched, except for small gaps between chosen ones. Reading one of them is an
    /// error.
    ///
    /// # Errors
    ///
    /// [`ArtifactError`] names the artifact, and the entry where one is at fault.
    pub async fn fetch_some(
        &self,
        to: &Path,
        which: impl Fn(&Entry) -> bool,
    ) -> Result<Archive, ArtifactError> {
        let chosen: Vec<bool> = self.entries().map(which).collect();
        let plan = ReadPlan::new(&self.directory, Some(&chosen), PIECE_BYTES);
        let mut pieces: Vec<Range<u64>> = plan.pieces().collect();
        pieces.extend(self.end());
        self.fetch_pieces(to, pieces).await?;
        let path = to.to_owned();
        let opened = blocking(move || Archive::open_some(&path, Limits::default(), &chosen));
        opened.await.map_err(|error| self.remote.explain(error))
    }

    /// The ranges of the directory and the end records.
    fn end(&self) -> impl Iterator<Item = Range<u64>> + use<> {
        let length = self.size();
        let directory = self.entries().last().map_or(0, Entry::end);
        let step = usize::try_from(PIECE_BYTES).unwrap_or(usize::MAX);
        (directory..length)
            .step_by(step)
            .map(move |at| at..length.min(at.saturating_add(PIECE_BYTES)))
    }

    async fn fetch_pieces(&self, to: &Path, pieces: Vec<Range<u64>>) -> Result<(), ArtifactError> {
        let disk = |source| ArtifactError::Disk {
            path: to.to_owned(),
            source,
        };
        let bytes = pieces.iter().map(|piece| piece.end - piece.start).sum();
        let artifact = &self.remote.object.artifact;
        check_space(artifact, to, bytes)?;
        let file = Arc::new(File::create_new(to).map_err(disk)?);
        file.set_len(self.size()).map_err(disk)?;
        let memory = Semaphore::new(usize::try_from(MEMORY_KIB).unwrap_or(usize::MAX));
        stream::iter(pieces)
            .map(|piece| {
                let (memory, file) = (&memory, &file);
                async move {
                    // Permits count KiB rather than requests, so 32 small ranges may be in flight, but only four
                    // of the largest. At most all permits, or `acquire_many` would wait forever.
                    let kib = (piece.end - piece.start).div_ceil(1024);
                    let permits = u32::try_from(kib).unwrap_or(u32::MAX).min(MEMORY_KIB);
                    let held = memory.acquire_many(permits).await;
                    let _held = held.expect("nobody closes the semaphore");
                    let mut bytes = Vec::new();
                    self.remote.read(piece.clone(), &mut bytes).await?;
                    write(file, piece.start, bytes, to).await
                }
            })
            .buffer_unordered(PIECES)
            .try_collect::<()>()
            .await?;
        tracing::info!(
            artifact = artifact.name,
            size_bytes = self.size(),
            fetched_bytes = bytes,
            "fetched part of artifact"
        );
        Ok(())
    }
}
