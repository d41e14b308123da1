//! The calls to S3: each write is on a condition, so that nothing is overwritten that its writer has not seen.

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::{ByteStream, ByteStreamError};
use aws_sdk_s3::types::ChecksumMode;
use delivery_action::aws::{CallError, CallErrorKind};
use delivery_action::failure::chain;
use jiff::Timestamp;

use crate::digest::{Digest, Hasher};
use crate::error::ReleaseError;

/// How often a write is tried: S3 answers 409 to one of two that write the same key at once (S3 User Guide, "Conditional
/// writes"), and the other has written it by then.
const MAX_ATTEMPTS: u32 = 3;

/// The right to read an object, which S3 asks for its head, too.
const READ: &str = "s3:GetObject";

/// What a write on the condition that nothing is there has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is new.
    Written,
    /// It was there already.
    Unchanged,
}

/// A bucket.
#[derive(Clone, Debug)]
pub(crate) struct Objects {
    client: Client,
    pub(crate) bucket: String,
}

/// An object that was read.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) bytes: Vec<u8>,
    pub(crate) etag: String,
}

/// An object, unless it is too large to be read.
#[derive(Debug)]
pub(crate) enum UpTo {
    Object(Object),
    /// Its length in bytes.
    Larger(u64),
}

/// What S3 tells of an object without sending it.
#[derive(Debug)]
pub(crate) struct Head {
    /// Its length in bytes.
    pub(crate) size: u64,
    /// Its SHA-256 in base64, which S3 has compared with the bytes when they came; `None` if it was put without one.
    pub(crate) sha256: Option<String>,
}

/// An object as a listing tells it.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) key: String,
    pub(crate) size: u64,
    pub(crate) etag: String,
    pub(crate) modified: Option<Timestamp>,
}

impl Objects {
    pub(crate) fn new(client: Client, bucket: &str) -> Self {
        Self {
            client,
            bucket: bucket.to_owned(),
        }
    }

    /// The address of an object, for people.
    pub(crate) fn address(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    /// Reads an object; `None` if there is none.
    pub(crate) async fn get(&self, key: &str) -> Result<Option<Object>, CallError> {
        match self.open(key).await? {
            Some(object) => self.collect(key, object).await.map(Some),
            None => Ok(None),
        }
    }

    /// Reads an object of at most so many bytes; of a larger one nothing but its length.
    pub(crate) async fn get_up_to(&self, key: &str, most: u64) -> Result<Option<UpTo>, CallError> {
        let Some(object) = self.open(key).await? else {
            return Ok(None);
        };
        let bytes = length(object.content_length);
        if bytes > most {
            return Ok(Some(UpTo::Larger(bytes)));
        }
        self.collect(key, object).await.map(UpTo::Object).map(Some)
    }

    async fn collect(&self, key: &str, object: GetObjectOutput) -> Result<Object, CallError> {
        let bytes = object.body.collect().await;
        let bytes = bytes.map_err(|error| self.broken(key, &error))?;
        Ok(Object {
            bytes: bytes.to_vec(),
            etag: object.e_tag.unwrap_or_default(),
        })
    }

    /// The digest of an object's bytes, which are not kept; `None` if there is none.
    pub(crate) async fn digest(&self, key: &str) -> Result<Option<Digest>, CallError> {
        let Some(mut object) = self.open(key).await? else {
            return Ok(None);
        };
        let mut hash = Hasher::default();
        while let Some(block) = object.body.next().await {
            hash.update(&block.map_err(|error| self.broken(key, &error))?);
        }
        Ok(Some(hash.finish()))
    }

    async fn open(&self, key: &str) -> Result<Option<GetObjectOutput>, CallError> {
        let get = self.client.get_object().bucket(&self.bucket).key(key);
        let object = match get.send().await {
            Ok(object) => object,
            Err(error) => {
                let error = CallError::new(READ, self.address(key), &error);
                return match error.kind {
                    CallErrorKind::NotFound if !error.is_code("NoSuchBucket") => Ok(None),
                    _ => Err(error),
                };
            }
        };
        Ok(Some(object))
    }

    /// That an object's bytes broke off.
    fn broken(&self, key: &str, error: &ByteStreamError) -> CallError {
        CallError {
            action: READ,
            resource: self.address(key),
            kind: CallErrorKind::Unavailable,
            code: None,
            message: chain(error),
            request_id: None,
            outcome_unknown: false,
        }
    }

    /// What S3 tells of an object; `None` if there is none.
    pub(crate) async fn head(&self, key: &str) -> Result<Option<Head>, CallError> {
        let head = self.client.head_object().bucket(&self.bucket).key(key);
        match head.checksum_mode(ChecksumMode::Enabled).send().await {
            Ok(head) => Ok(Some(Head {
                size: length(head.content_length),
                // Of an upload in parts it is the digest of their digests, which a `-` and their number tell.
                sha256: head.checksum_sha256.filter(|digest| !digest.contains('-')),
            })),
            Err(error) => {
                let error = CallError::new(READ, self.address(key), &error);
                match error.kind {
                    CallErrorKind::NotFound => Ok(None),
                    _ => Err(error),
                }
            }
        }
    }

    /// Writes an object that is not there. S3 compares the bytes with their digest.
    pub(crate) async fn create<F>(
        &self,
        key: &str,
        digest: &Digest,
        body: impl Fn() -> F,
    ) -> Result<Put, ReleaseError>
    where
        F: Future<Output = Result<ByteStream, ReleaseError>>,
    {
        let mut attempt = 1;
        loop {
            let put = self.client.put_object().bucket(&self.bucket).key(key);
            let put = put.if_none_match("*").checksum_sha256(digest.base64());
            let Err(error) = put.body(body().await?).send().await else {
                return Ok(Put::Written);
            };
            let error = CallError::new("s3:PutObject", self.address(key), &error);
            match error.kind {
                CallErrorKind::Conflict if is_not_met(&error) => return Ok(Put::Unchanged),
                CallErrorKind::Conflict if attempt < MAX_ATTEMPTS => attempt += 1,
                _ => return Err(error.into()),
            }
        }
    }

    /// The same of bytes in memory.
    pub(crate) async fn create_bytes(&self, key: &str, bytes: &[u8]) -> Result<Put, ReleaseError> {
        let body = || async { Ok(ByteStream::from(bytes.to_vec())) };
        self.create(key, &Digest::of(bytes), body).await
    }

    /// Writes an object in place of the one that was read, or where there was none; `false` if somebody else has written
    /// it since.
    pub(crate) async fn replace(
        &self,
        key: &str,
        read: Option<&str>,
        bytes: &[u8],
    ) -> Result<bool, CallError> {
        let put = self.client.put_object().bucket(&self.bucket).key(key);
        let put = match read {
            Some(etag) => put.if_match(etag),
            None => put.if_none_match("*"),
        };
        let put = put.checksum_sha256(Digest::of(bytes).base64());
        let Err(error) = put.body(ByteStream::from(bytes.to_vec())).send().await else {
            return Ok(true);
        };
        let error = CallError::new("s3:PutObject", self.address(key), &error);
        match error.kind {
            CallErrorKind::Conflict => Ok(false),
            // S3's answer where the object that was read has been deleted.
            CallErrorKind::NotFound if error.is_code("NoSuchKey") => Ok(false),
            _ => Err(error),
        }
    }

    /// Everything whose key begins with a text.
    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<Listed>, CallError> {
        let list = self.client.list_objects_v2().bucket(&self.bucket);
        let mut pages = list.prefix(prefix).into_paginator().send();
        let mut listed = Vec::new();
        while let Some(page) = pages.next().await {
            let page =
                page.map_err(|error| CallError::new("s3:ListBucket", &self.bucket, &error))?;
            for object in page.contents.unwrap_or_default() {
                let modified = object.last_modified;
                listed.push(Listed {
                    key: object.key.unwrap_or_default(),
                    size: length(object.size),
                    etag: object.e_tag.unwrap_or_default(),
                    modified: modified.and_then(|at| Timestamp::from_second(at.secs()).ok()),
                });
            }
        }
        Ok(listed)
    }

    /// What stands between a prefix and the next `/` in its keys.
    pub(crate) async fn folders(&self, prefix: &str) -> Result<Vec<String>, CallError> {
        let list = self.client.list_objects_v2().bucket(&self.bucket);
        let list = list.prefix(prefix).delimiter("/");
        let mut pages = list.into_paginator().send();
        let mut folders = Vec::new();
        while let Some(page) = pages.next().await {
            let page =
                page.map_err(|error| CallError::new("s3:ListBucket", &self.bucket, &error))?;
            for folder in page.common_prefixes.unwrap_or_default() {
                let folder = folder.prefix.unwrap_or_default();
                let name = folder.strip_prefix(prefix);
                folders.extend(
                    name.and_then(|name| name.strip_suffix('/'))
                        .map(str::to_owned),
                );
            }
        }
        Ok(folders)
    }
}

/// Whether the condition of a write was not met: 412, and not 409.
fn is_not_met(error: &CallError) -> bool {
    error.is_code("PreconditionFailed")
}

fn length(bytes: Option<i64>) -> u64 {
    bytes
        .and_then(|bytes| u64::try_from(bytes).ok())
        .unwrap_or(0)
}
