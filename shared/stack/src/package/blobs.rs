//! Objects in S3 that are named by their content: `blobs/sha256/HEX`.
//!
//! An object is never written twice: one of that name has that content. Two who upload the same at once are told apart by
//! S3 (`If-None-Match: *`), and the one who comes second is done, too.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use delivery_action::aws::{CallError, CallErrorKind};
use delivery_action::blocking;
use sha2::{Digest, Sha256};

use super::PackageError;
use super::files::DiskError;

/// What their keys begin with.
const PREFIX: &str = "blobs/sha256/";

/// How much is hashed at once, in bytes.
const BLOCK: usize = 1 << 16;

/// How often an upload is begun: S3 answers 409 to one of two that write the same key at once (S3 User Guide, "Conditional
/// writes"), and the other has written it by then.
const MAX_ATTEMPTS: u32 = 3;

/// A bucket for such objects.
#[derive(Clone, Debug)]
pub struct Blobs {
    client: Client,
    bucket: String,
    region: String,
}

impl Blobs {
    /// Those of a bucket, which is in this region.
    #[must_use]
    pub fn new(client: Client, bucket: &str, region: &str) -> Self {
        Self {
            client,
            bucket: bucket.to_owned(),
            region: region.to_owned(),
        }
    }

    /// The bucket.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The address of an object, as CloudFormation takes it for a template.
    #[must_use]
    pub fn url(&self, key: &str) -> String {
        let suffix = if self.region.starts_with("cn-") {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        };
        format!("https://{}.s3.{}.{suffix}/{key}", self.bucket, self.region)
    }

    /// Uploads a text, if it is not there, and returns its key.
    ///
    /// # Errors
    ///
    /// A call failed.
    pub async fn put_text(&self, text: &str) -> Result<String, PackageError> {
        let key = format!("{PREFIX}{}", hex::encode(Sha256::digest(text)));
        let body = || async { Ok(ByteStream::from(text.to_owned().into_bytes())) };
        self.put(&key, body).await?;
        Ok(key)
    }

    /// Uploads a file, if it is not there, and returns its key.
    ///
    /// # Errors
    ///
    /// The disk or a call failed.
    pub async fn put_file(&self, file: &Path) -> Result<String, PackageError> {
        let path = file.to_owned();
        let digest = blocking(move || digest(&path)).await;
        let disk = |source| {
            PackageError::Files(Box::new(DiskError {
                path: file.to_owned(),
                source,
            }))
        };
        let key = format!("{PREFIX}{}", hex::encode(digest.map_err(disk)?));
        let body = || async {
            let body = ByteStream::from_path(file).await;
            body.map_err(|error| disk(io::Error::other(error)))
        };
        self.put(&key, body).await?;
        Ok(key)
    }

    async fn put<F>(&self, key: &str, body: impl Fn() -> F) -> Result<(), PackageError>
    where
        F: Future<Output = Result<ByteStream, PackageError>>,
    {
        let resource = format!("s3://{}/{key}", self.bucket);
        let mut attempt = 1;
        loop {
            if self.is_there(key, &resource).await? {
                return Ok(());
            }
            let put = self.client.put_object().bucket(&self.bucket).key(key);
            let put = put.if_none_match("*").body(body().await?);
            let Err(error) = put.send().await else {
                tracing::info!(resource, "uploaded");
                return Ok(());
            };
            let error = CallError::new("s3:PutObject", &resource, &error);
            if error.kind != CallErrorKind::Conflict || attempt == MAX_ATTEMPTS {
                return Err(error.into());
            }
            attempt += 1;
        }
    }

    async fn is_there(&self, key: &str, resource: &str) -> Result<bool, CallError> {
        let head = self.client.head_object().bucket(&self.bucket).key(key);
        match head.send().await {
            Ok(_) => Ok(true),
            Err(error) => {
                let error = CallError::new("s3:GetObject", resource, &error);
                match error.kind {
                    CallErrorKind::NotFound => Ok(false),
                    _ => Err(error),
                }
            }
        }
    }
}

fn digest(path: &PathBuf) -> io::Result<[u8; 32]> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut block = vec![0; BLOCK];
    loop {
        match file.read(&mut block)? {
            0 => return Ok(hash.finalize().into()),
            length => hash.update(&block[..length]),
        }
    }
}
