//! Reads input artifacts from, and stores output artifacts in, the pipeline's artifact store.
//!
//! There are two constructors for [`Store`]: [`Store::for_job`] uses the credentials in the job, which are limited to
//! its artifacts; [`Store::for_function`] uses the function's role, for objects that are not artifacts of the job.
//!
//! No artifact is held in memory as a whole: a transfer holds at most [`PARALLEL_PARTS`] parts of [`PART_BYTES`], or,
//! for an archive that is uploaded while it is created, three parts of 5.5 MiB.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::aws::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Credentials;
use aws_sdk_s3::types::ServerSideEncryption;
use jiff::Timestamp;
use rustix::fs::{Mode, OFlags};

use crate::aws::{CallError, CallErrorKind};
use crate::failure::{ActionError, FailureType};
use crate::job::{Artifact, Job};
use crate::workspace::{Workspace, WorkspaceError};
use delivery_archive::{ArchiveError, Creation};

mod archive_error;
mod cached_tree;
mod compose;
mod contract;
mod digest;
mod download;
mod multipart;
mod part_pipe;
mod range_reader;
mod remote_archive;
mod segments;
mod upload;

pub use cached_tree::CachedTree;
pub use compose::{ComposeError, ComposedEnd, LocalArchive, composed_end};
pub use contract::SITE_PAGE;
pub use delivery_archive::{Archive, Entry, Kind};
pub use digest::{Digest, DigestError, Stored};
pub use remote_archive::RemoteArchive;

/// Size of one part of a transfer. Multipart uploads require at least 5 MiB (S3 User Guide, "Multipart upload limits");
/// larger parts use more memory, smaller ones more requests.
pub const PART_BYTES: u64 = 8 * 1024 * 1024;

/// Parts in flight at once. Four hide the latency of a request; more only use memory.
pub const PARALLEL_PARTS: usize = 4;

/// Most parts of an upload (S3 User Guide, "Multipart upload limits").
const MAX_PARTS: u64 = 10_000;

/// Attempts to read an artifact that is replaced while it is being read. A job that Lambda delivers twice stores its
/// output twice, so one replacement is normal; more of them mean that something else is wrong.
const MAX_READS: u32 = 3;

/// Name of the credentials provider in the SDK's logs.
const CREDENTIALS_PROVIDER: &str = "CodePipelineJob";

/// The artifact store as one job may use it.
#[derive(Clone, Debug)]
pub struct Store {
    client: Client,
    encryption_key: Option<String>,
}

impl Store {
    /// The store with the job's credentials, or the function's own if the job has none.
    #[must_use]
    pub fn for_job(config: &SdkConfig, job: &Job) -> Self {
        let mut builder = aws_sdk_s3::config::Builder::from(config);
        if let Some(credentials) = &job.credentials {
            let (id, secret, token) = credentials.expose();
            builder = builder.credentials_provider(Credentials::new(
                id,
                secret,
                token.map(str::to_owned),
                None,
                CREDENTIALS_PROVIDER,
            ));
        }
        Self {
            client: Client::from_conf(builder.build()),
            encryption_key: job.encryption_key.as_ref().map(|key| key.id.clone()),
        }
    }

    /// Downloads an input artifact into a new file and returns its length in bytes.
    ///
    /// Large objects are read in parallel ranges, all of the same version of the object.
    ///
    /// # Errors
    ///
    /// [`ArtifactError`] names the artifact.
    pub async fn fetch(&self, artifact: &Artifact, to: &Path) -> Result<u64, ArtifactError> {
        let mut reads = 1;
        let length = loop {
            match download::download(&self.client, artifact, to).await {
                Err(ArtifactError::Changed { .. }) if reads < MAX_READS => reads += 1,
                Err(error) => return Err(error),
                Ok(length) => break length,
            }
            log_read_again(artifact);
            std::fs::remove_file(to).map_err(|source| ArtifactError::Disk {
                path: to.to_owned(),
                source,
            })?;
        };
        tracing::info!(
            artifact = artifact.name,
            size_bytes = length,
            "fetched artifact"
        );
        Ok(length)
    }

    /// When an input artifact was stored, which is the same for every job that reads it.
    ///
    /// # Errors
    ///
    /// [`ArtifactError`] names the artifact.
    pub async fn modified(&self, artifact: &Artifact) -> Result<Timestamp, ArtifactError> {
        let head = self
            .client
            .head_object()
            .bucket(&artifact.bucket)
            .key(&artifact.key);
        let object = head.send().await.map_err(|error| {
            let resource = format!("s3://{}/{}", artifact.bucket, artifact.key);
            let source = CallError::new("s3:GetObject", resource, &error);
            let artifact = artifact.clone();
            match source.kind {
                CallErrorKind::NotFound => ArtifactError::Missing { artifact, source },
                _ => ArtifactError::Call { artifact, source },
            }
        })?;
        let seconds = object.last_modified.map_or(0, |time| time.secs());
        Ok(Timestamp::from_second(seconds).unwrap_or_default())
    }

    /// Opens a zip artifact in the store: only its central directory is read and checked.
    ///
    /// # Errors
    ///
    /// [`ArtifactError`] names the artifact, and the entry where one is at fault.
    pub async fn open(&self, artifact: &Artifact) -> Result<RemoteArchive, ArtifactError> {
        RemoteArchive::open(&self.client, artifact).await
    }

    /// Extracts a zip artifact into the workspace's directory of this name, straight from the store,
    /// under the strict rules of [`delivery_archive::extract`]. On an error, nothing remains in the directory.
    ///
    /// # Errors
    ///
    /// [`ArtifactError`] names the artifact, and the entry where one is at fault.
    pub async fn fetch_and_extract(
        &self,
        artifact: &Artifact,
        workspace: &Workspace,
        name: &str,
    ) -> Result<std::path::PathBuf, ArtifactError> {
        let into = workspace.directory(name)?;
        let mut reads = 1;
        let size_bytes = loop {
            let archive = self.open(artifact).await?;
            match archive.extract(&into, |_| true).await {
                Err(ArtifactError::Changed { .. }) if reads < MAX_READS => reads += 1,
                Err(error) => return Err(error),
                Ok(_) => break archive.size(),
            }
            log_read_again(artifact);
        };
        tracing::info!(artifact = artifact.name, size_bytes, "extracted artifact");
        Ok(into)
    }

    /// Uploads a file as it is.
    ///
    /// # Errors
    ///
    /// [`ArtifactError`] names the artifact; the parts of a failed upload are removed; those of a dropped future stay
    /// until the bucket's lifecycle rules remove them.
    pub async fn put_file(
        &self,
        artifact: &Artifact,
        file: &Path,
    ) -> Result<Stored, ArtifactError> {
        let stored = upload::upload(self, artifact, file).await?;
        log_stored(artifact, stored.bytes);
        Ok(stored)
    }

    /// Zips a directory and uploads the archive while it is being created, without writing it to the disk. Equal
    /// contents give equal bytes.
    ///
    /// # Errors
    ///
    /// [`ArtifactError`] names the artifact, and the file where one is at fault; the parts of a failed
    /// upload are removed; those of a dropped future stay until the bucket's lifecycle rules remove them.
    pub async fn put_directory(
        &self,
        artifact: &Artifact,
        directory: &Path,
    ) -> Result<Stored, ArtifactError> {
        let directory = directory.to_owned();
        let make = upload::upload_made(self, artifact, move |to| {
            delivery_archive::create(&directory, to)
        });
        let stored = make.await?;
        log_stored(artifact, stored.bytes);
        Ok(stored)
    }

    /// [`Store::put_directory`] with a fingerprint of each file ([`delivery_archive::Creation::fingerprints`]), for
    /// readers that want to know what changed without reading everything.
    ///
    /// # Errors
    ///
    /// Those of [`Store::put_directory`].
    pub async fn put_fingerprinted(
        &self,
        artifact: &Artifact,
        directory: &Path,
    ) -> Result<Stored, ArtifactError> {
        let directory = directory.to_owned();
        let make = move |to: &mut _| Creation::of(&directory).fingerprints(true).write(to);
        let stored = upload::upload_made(self, artifact, make).await?;
        log_stored(artifact, stored.bytes);
        Ok(stored)
    }

    /// The artifact store's key if it has one, else the account's `aws/s3` key: CodePipeline's own buckets refuse
    /// objects that are not encrypted with KMS (CodePipeline User Guide, "Configure server-side encryption for
    /// artifacts").
    fn encryption(&self) -> (ServerSideEncryption, Option<String>) {
        (ServerSideEncryption::AwsKms, self.encryption_key.clone())
    }
}

fn log_read_again(artifact: &Artifact) {
    tracing::warn!(
        artifact = artifact.name,
        "the artifact was replaced while it was being read; reading it again"
    );
}

fn log_stored(artifact: &Artifact, length: u64) {
    tracing::info!(
        artifact = artifact.name,
        size_bytes = length,
        "stored artifact"
    );
}

/// Opens a file that an untrusted program may have put there. `NONBLOCK`, so that a named pipe does not block;
/// `NOFOLLOW`, so that a link does not lead to a file outside; and devices are refused.
fn open_regular(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    Ok(file)
}

/// An artifact could not be fetched or stored.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// The object is not there.
    #[error("input artifact {artifact} does not exist")]
    Missing {
        /// The artifact.
        artifact: Artifact,
        /// What S3 said.
        source: CallError,
    },
    /// The object was replaced between two reads of it.
    #[error("input artifact {artifact} changed while it was read")]
    Changed {
        /// The artifact.
        artifact: Artifact,
        /// What S3 said.
        source: CallError,
    },
    /// It is not the artifact that an earlier action created.
    #[error(
        "input artifact {artifact} is not the one that was built and tested: its digest is {found}, not {expected}"
    )]
    Replaced {
        /// The artifact.
        artifact: Artifact,
        /// What `digest` in `UserParameters` says.
        expected: Digest,
        /// The actual digest.
        found: Digest,
    },
    /// Fewer bytes arrived than announced, in every attempt.
    #[error("input artifact {artifact} was truncated {attempts} times")]
    Incomplete {
        /// The artifact.
        artifact: Artifact,
        /// Number of attempts.
        attempts: u32,
        /// What interrupted the last transfer.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The archive breaks a rule.
    #[error("artifact {artifact} is not a usable archive")]
    Archive {
        /// The artifact.
        artifact: Artifact,
        /// Which rule, and which entry.
        source: ArchiveError,
    },
    /// The archive cannot be created from its files.
    #[error("cannot create output artifact {artifact}")]
    Made {
        /// The artifact.
        artifact: Artifact,
        /// Which rule, and which file.
        source: ArchiveError,
    },
    /// A call to the store failed.
    #[error("cannot transfer artifact {artifact}")]
    Call {
        /// The artifact.
        artifact: Artifact,
        /// What S3 said.
        source: CallError,
    },
    /// The artifact is too large for an upload in parts of this size.
    #[error("output artifact {artifact} has {size_bytes} bytes; the limit is {}", PART_BYTES * MAX_PARTS)]
    TooLarge {
        /// The artifact.
        artifact: Artifact,
        /// Its size.
        size_bytes: u64,
    },
    /// The function's disk is too small for the artifact.
    #[error(
        "input artifact {artifact} needs {} MiB on the function's disk, which has {} MiB left",
        mebibytes(*.needed_bytes), mebibytes(*.free_bytes)
    )]
    DiskFull {
        /// The artifact.
        artifact: Artifact,
        /// Required bytes.
        needed_bytes: u64,
        /// Free bytes.
        free_bytes: u64,
    },
    /// The function's disk failed.
    #[error("cannot read or write `{}`", .path.display())]
    Disk {
        /// The file.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The job's directory failed.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
}

fn mebibytes(bytes: u64) -> u64 {
    bytes.div_ceil(1024 * 1024)
}

impl ActionError for ArtifactError {
    fn failure_type(&self) -> FailureType {
        match self {
            Self::Missing { .. } | Self::Changed { .. } | Self::Replaced { .. } => {
                FailureType::RevisionUnavailable
            }
            Self::Incomplete { .. } => FailureType::SystemUnavailable,
            Self::Archive { source, .. } | Self::Made { source, .. } => source.failure_type(),
            Self::Call { source, .. } => source.failure_type(),
            Self::TooLarge { .. } | Self::DiskFull { .. } | Self::Disk { .. } => {
                FailureType::JobFailed
            }
            Self::Workspace(source) => source.failure_type(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => Some(
                "release the change again: this artifact was never stored, or the bucket's lifecycle rules \
                 deleted it"
                    .to_owned(),
            ),
            Self::Changed { .. } => Some("retry the stage".to_owned()),
            Self::Replaced { .. } => Some(
                "find out who wrote to the artifact store, then release the commit again; nothing was deployed"
                    .to_owned(),
            ),
            Self::Incomplete { .. } => {
                Some("retry the stage; if it keeps failing, check the AWS Health Dashboard".to_owned())
            }
            Self::Archive { source, .. } | Self::Made { source, .. } => ActionError::hint(source),
            Self::Call { source, .. } => source.hint(),
            Self::TooLarge { .. } => Some("make the output smaller, or split it".to_owned()),
            Self::DiskFull { .. } | Self::Disk { .. } => {
                Some("raise the function's `EphemeralStorage` (10,240 MiB at most)".to_owned())
            }
            Self::Workspace(source) => source.hint(),
        }
    }
}
