//! A page of a listing, as `ListObjectsV2` describes it.

use std::collections::BTreeMap;
use std::ops::Bound;

use s3s::S3Result;
use s3s::dto::{
    CommonPrefix, DeleteMarkerEntry, ListMultipartUploadsOutput, ListObjectVersionsOutput,
    ListObjectsV2Input, ListObjectsV2Output, MultipartUpload, ObjectVersion,
};

use super::object::Object;
use super::state::{Inner, ONLY_VERSION, Upload};

/// Answers for the objects of one bucket, which are sorted by key, with so many keys at most.
pub(super) fn page(
    objects: &BTreeMap<String, Object>,
    input: ListObjectsV2Input,
    most: usize,
) -> ListObjectsV2Output {
    let prefix = input.prefix.clone().unwrap_or_default();
    let delimiter = input.delimiter.clone().filter(|text| !text.is_empty());
    let asked = usize::try_from(input.max_keys.unwrap_or(i32::MAX)).unwrap_or_default();
    let room = asked.min(most);
    let after = input
        .continuation_token
        .clone()
        .or(input.start_after.clone());
    let from = match &after {
        Some(key) if *key >= prefix => Bound::Excluded(key.clone()),
        _ => Bound::Included(prefix.clone()),
    };
    let mut contents = Vec::new();
    let mut folders: Vec<CommonPrefix> = Vec::new();
    let mut last: Option<String> = None;
    let mut truncated = false;
    for (key, object) in objects.range((from, Bound::Unbounded)) {
        let Some(rest) = key.strip_prefix(&prefix) else {
            break;
        };
        let folder = delimiter.as_ref().and_then(|delimiter| {
            let end = rest.find(delimiter.as_str())? + delimiter.len();
            Some(format!("{prefix}{}", &rest[..end]))
        });
        let known = |folder: &String| {
            after
                .as_ref()
                .is_some_and(|after| after.starts_with(folder))
                || folders.last().and_then(|folder| folder.prefix.as_ref()) == Some(folder)
        };
        if folder.as_ref().is_some_and(known) {
            last = Some(key.clone());
            continue;
        }
        if contents.len() + folders.len() == room {
            truncated = true;
            break;
        }
        last = Some(key.clone());
        match folder {
            Some(folder) => folders.push(CommonPrefix {
                prefix: Some(folder),
            }),
            None => contents.push(listed(key, object)),
        }
    }
    ListObjectsV2Output {
        key_count: i32::try_from(contents.len() + folders.len()).ok(),
        max_keys: i32::try_from(room).ok(),
        contents: Some(contents),
        common_prefixes: Some(folders),
        is_truncated: Some(truncated),
        next_continuation_token: last.filter(|_| truncated),
        continuation_token: input.continuation_token,
        delimiter: input.delimiter,
        name: Some(input.bucket),
        prefix: Some(prefix),
        start_after: input.start_after,
        ..Default::default()
    }
}

fn listed(key: &str, object: &Object) -> s3s::dto::Object {
    s3s::dto::Object {
        key: Some(key.to_owned()),
        e_tag: Some(object.etag.clone()),
        last_modified: Some(object.modified.clone()),
        size: i64::try_from(object.content.len()).ok(),
        ..Default::default()
    }
}

/// The first versions in a bucket that keeps one of each object, and the markers of those that were deleted.
pub(super) fn versions(
    inner: &mut Inner,
    bucket: &str,
    prefix: &str,
    page_keys: usize,
) -> S3Result<ListObjectVersionsOutput> {
    let hidden = inner.hidden.iter();
    let hidden = hidden.filter(|((of, key), _)| of == bucket && key.starts_with(prefix));
    let markers = hidden.map(|((_, key), (marker, _))| DeleteMarkerEntry {
        key: Some(key.clone()),
        version_id: Some(marker.clone()),
        is_latest: Some(true),
        ..Default::default()
    });
    let markers = markers.collect();
    let version = |key: &String| ObjectVersion {
        key: Some(key.clone()),
        version_id: Some(ONLY_VERSION.to_owned()),
        is_latest: Some(true),
        ..Default::default()
    };
    let keys = inner.bucket(bucket)?.keys();
    let keys: Vec<_> = keys.filter(|key| key.starts_with(prefix)).collect();
    let versions = keys.iter().take(page_keys).map(|key| version(key));
    Ok(ListObjectVersionsOutput {
        versions: Some(versions.collect()),
        delete_markers: Some(markers),
        is_truncated: Some(keys.len() > page_keys),
        ..Default::default()
    })
}

/// The uploads to a bucket that are under way.
pub(super) fn uploads(
    uploads: &BTreeMap<String, Upload>,
    bucket: &str,
) -> ListMultipartUploadsOutput {
    let there = uploads
        .iter()
        .filter(|(_, upload)| upload.bucket == bucket)
        .map(|(id, upload)| MultipartUpload {
            key: Some(upload.key.clone()),
            upload_id: Some(id.clone()),
            ..Default::default()
        });
    ListMultipartUploadsOutput {
        uploads: Some(there.collect()),
        ..Default::default()
    }
}
