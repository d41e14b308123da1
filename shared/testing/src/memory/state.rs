//! What is kept: buckets with their objects, and uploads that are under way.

use std::collections::{BTreeMap, BTreeSet};

use s3s::dto::{DeletedObject, ETag, ETagCondition};
use s3s::{S3Result, s3_error};

use super::object::{About, Content, Object};

/// The version of an object in a bucket without versions (S3 User Guide, "Deleting object versions").
pub(super) const ONLY_VERSION: &str = "null";

#[derive(Debug, Default)]
pub(super) struct Inner {
    pub(super) buckets: BTreeMap<String, BTreeMap<String, Object>>,
    pub(super) uploads: BTreeMap<String, Upload>,
    /// The `ETag`s of the uploads that are complete.
    pub(super) completed: BTreeMap<String, ETag>,
    pub(super) begun: u64,
    /// The buckets that keep what was deleted.
    pub(super) versioned: BTreeSet<String>,
    /// What was deleted of them, by bucket and key, behind its delete marker.
    pub(super) hidden: BTreeMap<(String, String), (String, Object)>,
    /// How many delete markers there were.
    pub(super) markers: u64,
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

    /// Deletes an object, with its only version for good; with the version of the marker that hides one, brings it back. What
    /// there is to tell of it.
    pub(super) fn delete(
        &mut self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> S3Result<DeletedObject> {
        let place = (bucket.to_owned(), key.to_owned());
        let mut deleted = DeletedObject {
            key: Some(key.to_owned()),
            version_id: version.map(str::to_owned),
            ..DeletedObject::default()
        };
        if let Some(marker) = version.filter(|version| *version != ONLY_VERSION) {
            let hidden = self.hidden.get(&place).cloned();
            if let Some((_, object)) = hidden.filter(|(there, _)| there == marker) {
                self.hidden.remove(&place);
                self.bucket(bucket)?.insert(key.to_owned(), object);
            }
            return Ok(deleted);
        }
        let object = self.bucket(bucket)?.remove(key);
        if let Some(object) = object.filter(|_| version.is_none())
            && self.versioned.contains(bucket)
        {
            self.markers += 1;
            let marker = format!("marker-{}", self.markers);
            deleted.delete_marker = Some(true);
            deleted.delete_marker_version_id = Some(marker.clone());
            self.hidden.insert(place, (marker, object));
        }
        Ok(deleted)
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
