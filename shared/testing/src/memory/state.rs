//! What is kept: buckets with their objects, and uploads that are under way.

use std::collections::BTreeMap;

use s3s::dto::{ETag, ETagCondition};
use s3s::{S3Result, s3_error};

use super::object::{About, Content, Object};

#[derive(Debug, Default)]
pub(super) struct Inner {
    pub(super) buckets: BTreeMap<String, BTreeMap<String, Object>>,
    pub(super) uploads: BTreeMap<String, Upload>,
    /// The `ETag`s of the uploads that are complete.
    pub(super) completed: BTreeMap<String, ETag>,
    pub(super) begun: u64,
}

#[derive(Debug, Default)]
pub(super) struct Upload {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) about: About,
    pub(super) parts: BTreeMap<i32, (Content, [u8; 16])>,
}

impl Inner {
    pub(super) fn bucket(&mut self, name: &str) -> S3Result<&mut BTreeMap<String, Object>> {
        self.buckets
            .get_mut(name)
            .ok_or_else(|| s3_error!(NoSuchBucket))
    }

    pub(super) fn object(&mut self, bucket: &str, key: &str) -> S3Result<&Object> {
        self.bucket(bucket)?
            .get(key)
            .ok_or_else(|| s3_error!(NoSuchKey))
    }

    pub(super) fn upload(&mut self, id: &str) -> S3Result<&mut Upload> {
        self.uploads
            .get_mut(id)
            .ok_or_else(|| s3_error!(NoSuchUpload))
    }
}

/// Applies `If-Match` and `If-None-Match` to what is there.
pub(super) fn check(
    there: Option<&Object>,
    only: Option<&ETagCondition>,
    unless: Option<&ETagCondition>,
) -> S3Result<()> {
    let matches = |condition: &ETagCondition| {
        there.is_some_and(|object| condition.is_any() || condition.as_etag() == Some(&object.etag))
    };
    if only.is_some_and(|only| !matches(only)) || unless.is_some_and(matches) {
        return Err(s3_error!(
            PreconditionFailed,
            "At least one of the pre-conditions did not hold"
        ));
    }
    Ok(())
}
