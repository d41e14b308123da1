//! Objects in the bucket: verified where they are there, sent where they are not, never overwritten.

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{ChecksumMode, ServerSideEncryption};
use delivery_action::aws::{CallError, CallErrorKind};

use super::PublishError;
use super::bucket::Bucket;
use super::content::Object;
use crate::error::CliError;

/// The metadata with an object's SHA-256, for stores that keep no checksum of their own.
const DIGEST: &str = "sha256";

/// Whether an object was sent, or was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It is new.
    New,
    /// It was there and is the same.
    There,
}

/// Brings an object into the bucket.
pub(crate) async fn bring(s3: &Client, bucket: &Bucket, object: &Object) -> Result<Sent, CliError> {
    if verify(s3, bucket, object).await? {
        return Ok(Sent::There);
    }
    if put(s3, bucket, object).await? {
        return Ok(Sent::New);
    }
    // Somebody was quicker, or an attempt whose answer was lost.
    verify(s3, bucket, object).await?;
    Ok(Sent::There)
}

/// Whether the object is there; one that differs is an error.
async fn verify(s3: &Client, bucket: &Bucket, object: &Object) -> Result<bool, CliError> {
    let head = s3
        .head_object()
        .bucket(&bucket.name)
        .key(&object.key)
        .expected_bucket_owner(&bucket.owner)
        .checksum_mode(ChecksumMode::Enabled)
        .send()
        .await;
    match head {
        Ok(found) => match difference(&found, object) {
            None => Ok(true),
            Some(what) => Err(PublishError::Different {
                bucket: bucket.name.clone(),
                key: object.key.clone(),
                what,
            }
            .into()),
        },
        Err(error) => {
            let resource = format!("s3://{}/{}", bucket.name, object.key);
            let error = CallError::new("s3:GetObject", resource, &error);
            if error.kind == CallErrorKind::NotFound {
                return Ok(false);
            }
            Err(error.into())
        }
    }
}

/// How a found object differs; `None` where it is the same.
fn difference(found: &HeadObjectOutput, object: &Object) -> Option<String> {
    let size = found.content_length.unwrap_or_default();
    if u64::try_from(size) != Ok(object.bytes()) {
        return Some(format!("{size} bytes instead of {}", object.bytes()));
    }
    let digest = found
        .metadata
        .as_ref()
        .and_then(|metadata| metadata.get(DIGEST));
    let same = match (&found.checksum_sha256, digest) {
        (Some(checksum), _) => *checksum == object.checksum(),
        (None, Some(digest)) => *digest == object.sha256(),
        (None, None) => return Some("no SHA-256 to verify it with".to_owned()),
    };
    (!same).then(|| "another SHA-256".to_owned())
}

/// Sends the object where there is none of its key; `false` where there is one by now.
async fn put(s3: &Client, bucket: &Bucket, object: &Object) -> Result<bool, CliError> {
    let sent = s3
        .put_object()
        .bucket(&bucket.name)
        .key(&object.key)
        .expected_bucket_owner(&bucket.owner)
        .if_none_match("*")
        .checksum_sha256(object.checksum())
        .metadata(DIGEST, object.sha256())
        .server_side_encryption(ServerSideEncryption::Aes256)
        .content_type(object.content_type)
        .body(object.body.clone().into())
        .send()
        .await;
    match sent {
        Ok(_) => Ok(true),
        Err(error) => {
            let resource = format!("s3://{}/{}", bucket.name, object.key);
            let error = CallError::new("s3:PutObject", resource, &error);
            if error.kind == CallErrorKind::Conflict {
                return Ok(false);
            }
            Err(error.into())
        }
    }
}

/// Takes an object away again that a dry run sent.
pub(crate) async fn take_back(s3: &Client, bucket: &Bucket, key: &str) -> Result<(), CliError> {
    s3.delete_object()
        .bucket(&bucket.name)
        .key(key)
        .expected_bucket_owner(&bucket.owner)
        .send()
        .await
        .map_err(|error| {
            let resource = format!("s3://{}/{key}", bucket.name);
            CallError::new("s3:DeleteObject", resource, &error)
        })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn found(size: i64, checksum: Option<&str>, digest: Option<&str>) -> HeadObjectOutput {
        let metadata = digest.map(|digest| HashMap::from([(DIGEST.to_owned(), digest.to_owned())]));
        HeadObjectOutput::builder()
            .content_length(size)
            .set_checksum_sha256(checksum.map(str::to_owned))
            .set_metadata(metadata)
            .build()
    }

    #[test]
    fn an_object_is_the_same_by_size_and_digest_only() {
        let object = Object::zip("actions/1/e2e.zip".to_owned(), b"abc".to_vec());
        let (checksum, digest) = (object.checksum(), object.sha256());
        let difference = |found| difference(&found, &object);
        assert_eq!(difference(found(3, Some(&checksum), None)), None);
        assert_eq!(difference(found(3, None, Some(&digest))), None);
        assert_eq!(
            difference(found(3, Some("other"), Some(&digest))).as_deref(),
            Some("another SHA-256")
        );
        assert_eq!(
            difference(found(4, Some(&checksum), None)).as_deref(),
            Some("4 bytes instead of 3")
        );
        assert_eq!(
            difference(found(3, None, None)).as_deref(),
            Some("no SHA-256 to verify it with")
        );
    }
}
