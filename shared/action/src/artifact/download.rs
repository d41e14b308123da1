//! Downloads an object into a file, with several range requests at once.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use aws_sdk_s3::Client;
use futures_util::{TryStreamExt, stream};

use super::range_reader::{End, RangeReader};
use super::{ArtifactError, PARALLEL_PARTS, PART_BYTES};
use crate::blocking;
use crate::job::Artifact;

/// Downloads an object into a new file and returns its length.
pub(super) async fn download(
    client: &Client,
    artifact: &Artifact,
    to: &Path,
) -> Result<u64, ArtifactError> {
    let disk = |source| ArtifactError::Disk {
        path: to.to_owned(),
        source,
    };
    let (object, first) = RangeReader::open(client, artifact, End::Front, PART_BYTES).await?;
    check_space(artifact, to, object.length)?;
    let file = Arc::new(File::create_new(to).map_err(disk)?);
    write(&file, 0, first, to).await?;
    let starts =
        (PART_BYTES..object.length).step_by(usize::try_from(PART_BYTES).unwrap_or(usize::MAX));
    stream::iter(starts.map(Ok))
        .try_for_each_concurrent(PARALLEL_PARTS, |start| {
            let (object, file) = (&object, &file);
            async move {
                let end = object.length.min(start + PART_BYTES);
                let mut bytes = Vec::new();
                object.read(start..end, &mut bytes).await?;
                write(file, start, bytes, to).await
            }
        })
        .await?;
    Ok(object.length)
}

/// Fails if the disk has not enough space.
pub(super) fn check_space(
    artifact: &Artifact,
    to: &Path,
    needed_bytes: u64,
) -> Result<(), ArtifactError> {
    let directory = to.parent().unwrap_or(to);
    let stat = rustix::fs::statvfs(directory).map_err(|error| ArtifactError::Disk {
        path: directory.to_owned(),
        source: error.into(),
    })?;
    let free_bytes = stat.f_bavail.saturating_mul(stat.f_frsize);
    if needed_bytes <= free_bytes {
        return Ok(());
    }
    Err(ArtifactError::DiskFull {
        artifact: artifact.clone(),
        needed_bytes,
        free_bytes,
    })
}

/// Writes at a position of a file, off the async runtime.
pub(super) async fn write(
    file: &Arc<File>,
    at: u64,
    bytes: Vec<u8>,
    path: &Path,
) -> Result<(), ArtifactError> {
    let file = Arc::clone(file);
    blocking(move || file.write_all_at(&bytes, at))
        .await
        .map_err(|source| ArtifactError::Disk {
            path: path.to_owned(),
            source,
        })
}
