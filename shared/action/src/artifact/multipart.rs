//! One multipart upload to S3, whose parts come from memory or are copied from another object.
//!
//! S3 assembles parts by their numbers, so they can be sent in any order and in parallel. Every part except the last
//! must have at least 5 MiB. Parts of an upload that is neither completed nor aborted stay in the bucket, invisible
//! but billed, until a lifecycle rule removes them; that happens if the future is dropped, because nothing can be
//! awaited then.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use bytes::Bytes;

use super::{MAX_PARTS, Store};
use crate::aws::CallError;

/// Smallest part of an upload, but for the last (S3 User Guide, "Multipart upload limits").
pub(super) const MIN_PART_BYTES: u64 = 5 * 1024 * 1024;

/// Largest part, sent or copied (the same page).
pub(super) const MAX_PART_BYTES: u64 = 5 * 1024 * 1024 * 1024;

/// Attributes of an object.
#[derive(Clone, Debug, Default)]
pub(super) struct ObjectAttributes {
    pub(super) content_type: &'static str,
    /// User metadata, by name without `x-amz-meta-`.
    pub(super) metadata: HashMap<String, String>,
}

/// One version of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ObjectVersion {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) etag: String,
}

/// A started upload, which has to be completed or aborted.
#[derive(Debug)]
pub(super) struct MultipartUpload<'a> {
    store: &'a Store,
    bucket: &'a str,
    key: &'a str,
    id: String,
}

impl<'a> MultipartUpload<'a> {
    /// Starts an upload, encrypted with the store's key.
    pub(super) async fn create(
        store: &'a Store,
        bucket: &'a str,
        key: &'a str,
        about: ObjectAttributes,
    ) -> Result<Self, CallError> {
        let (algorithm, encryption_key) = store.encryption();
        let metadata = Some(about.metadata).filter(|metadata| !metadata.is_empty());
        let created = store
            .client
            .create_multipart_upload()
            .bucket(bucket)
            .key(key)
            .content_type(about.content_type)
            .set_metadata(metadata)
            .server_side_encryption(algorithm)
            .set_ssekms_key_id(encryption_key)
            .send()
            .await
            .map_err(|error| put_error(bucket, key, &error))?;
        Ok(Self {
            store,
            bucket,
            key,
            id: created.upload_id.unwrap_or_default(),
        })
    }

    /// Sends a part. Numbers start at 1.
    pub(super) async fn part(&self, number: u64, bytes: Bytes) -> Result<CompletedPart, CallError> {
        let number = part_number(number);
        let output = self
            .store
            .client
            .upload_part()
            .bucket(self.bucket)
            .key(self.key)
            .upload_id(&self.id)
            .part_number(number)
            .body(ByteStream::from(bytes))
            .send()
            .await
            .map_err(|error| put_error(self.bucket, self.key, &error))?;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(output.e_tag)
            .set_checksum_crc32(output.checksum_crc32)
            .build())
    }

    /// Copies a range of an object, of exactly this version, as a part. The range must not be empty, and has at most
    /// [`MAX_PART_BYTES`].
    ///
    /// Errors are attributed to reading the source: that the caller may write the target was proven when the upload
    /// was started.
    pub(super) async fn copy(
        &self,
        number: u64,
        source: &ObjectVersion,
        range: Range<u64>,
    ) -> Result<CompletedPart, CallError> {
        let number = part_number(number);
        let output = self
            .store
            .client
            .upload_part_copy()
            .bucket(self.bucket)
            .key(self.key)
            .upload_id(&self.id)
            .part_number(number)
            .copy_source(copy_source(source))
            .copy_source_range(format!(
                "bytes={}-{}",
                range.start,
                range.end.saturating_sub(1)
            ))
            .copy_source_if_match(&source.etag)
            .send()
            .await
            .map_err(|error| {
                let resource = format!("s3://{}/{}", source.bucket, source.key);
                CallError::new("s3:GetObject", resource, &error)
            })?;
        let (etag, crc32) = output
            .copy_part_result
            .map(|copied| (copied.e_tag, copied.checksum_crc32))
            .unwrap_or_default();
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(etag)
            .set_checksum_crc32(crc32)
            .build())
    }

    /// Assembles the object from its parts and returns its `ETag`. S3 requires the list to be sorted by number.
    pub(super) async fn complete(
        &self,
        mut parts: Vec<CompletedPart>,
    ) -> Result<Option<String>, CallError> {
        parts.sort_by_key(CompletedPart::part_number);
        let output = self
            .store
            .client
            .complete_multipart_upload()
            .bucket(self.bucket)
            .key(self.key)
            .upload_id(&self.id)
            .multipart_upload(
                CompletedMultipartUpload::builder()
                    .set_parts(Some(parts))
                    .build(),
            )
            .send()
            .await
            .map_err(|error| put_error(self.bucket, self.key, &error))?;
        Ok(output.e_tag)
    }

    /// Removes the parts. If that fails, the bucket's lifecycle rules remove them.
    pub(super) async fn abort(&self) {
        let aborted = self
            .store
            .client
            .abort_multipart_upload()
            .bucket(self.bucket)
            .key(self.key)
            .upload_id(&self.id)
            .send()
            .await;
        if let Err(error) = aborted {
            let resource = format!("s3://{}/{}", self.bucket, self.key);
            let error = CallError::new("s3:AbortMultipartUpload", resource, &error);
            tracing::warn!(%error, "cannot abort a failed upload; its parts stay until the bucket's lifecycle rules remove them");
        }
    }
}

fn part_number(number: u64) -> i32 {
    debug_assert!((1..=MAX_PARTS).contains(&number), "part {number}");
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// `BUCKET/KEY`, the key encoded as a URL's path (S3 API Reference, `x-amz-copy-source`).
fn copy_source(source: &ObjectVersion) -> String {
    let mut text = format!("{}/", source.bucket);
    for byte in source.key.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                text.push(char::from(byte));
            }
            _ => {
                let _infallible = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

/// The error of a call that writes an object.
pub(super) fn put_error<E>(bucket: &str, key: &str, error: &SdkError<E, HttpResponse>) -> CallError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    CallError::new("s3:PutObject", format!("s3://{bucket}/{key}"), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_named_as_a_urls_path() {
        let version = ObjectVersion {
            bucket: "store".to_owned(),
            key: "a b/ü+?.zip".to_owned(),
            etag: String::new(),
        };
        assert_eq!(copy_source(&version), "store/a%20b/%C3%BC%2B%3F.zip");
    }
}
