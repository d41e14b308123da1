//! Objects in memory behind `s3s`: quick, and its listings tell `ETag`s as S3's do (those of
//! `s3s-fs` do not, and walk the whole bucket for each page).
//!
//! No multipart uploads and no versions: what needs them takes [`super::s3::Objects::new`].

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use md5::{Digest, Md5};
use s3s::dto::{
    Bucket, CommonPrefix, CreateBucketInput, CreateBucketOutput, DeleteObjectInput,
    DeleteObjectOutput, ETag, ETagCondition, GetObjectInput, GetObjectOutput, HeadBucketInput,
    HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListBucketsInput, ListBucketsOutput,
    ListObjectsV2Input, ListObjectsV2Output, Object, PutObjectInput, PutObjectOutput,
    StreamingBlob, Timestamp,
};
use s3s::{Body, S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};

use crate::clock;

/// Most keys of a page, as S3 has it.
pub(crate) const PAGE_KEYS: usize = 1000;

/// All buckets.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    page_keys: usize,
    buckets: Arc<Mutex<BTreeMap<String, Keys>>>,
}

/// The objects of one bucket in the order of their keys.
type Keys = BTreeMap<String, Stored>;

#[derive(Clone, Debug)]
struct Stored {
    body: Bytes,
    etag: String,
    modified: Timestamp,
    content_type: Option<String>,
    cache_control: Option<String>,
    metadata: Option<s3s::dto::Metadata>,
}

impl Memory {
    pub(crate) fn new(page_keys: usize) -> Self {
        Self {
            page_keys,
            buckets: Arc::default(),
        }
    }

    /// The bytes of an object.
    pub(crate) fn read(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        Some(self.lock().get(bucket)?.get(key)?.body.to_vec())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Keys>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, bucket: &str, work: impl FnOnce(&mut Keys) -> S3Result<T>) -> S3Result<T> {
        match self.lock().get_mut(bucket) {
            Some(keys) => work(keys),
            None => Err(s3_error!(NoSuchBucket)),
        }
    }

    fn stored(&self, bucket: &str, key: &str) -> S3Result<Stored> {
        self.with(bucket, |keys| {
            keys.get(key).cloned().ok_or_else(|| s3_error!(NoSuchKey))
        })
    }
}

/// Whether a condition names this very object.
fn is_met(condition: &ETagCondition, stored: Option<&Stored>) -> bool {
    stored.is_some_and(|stored| match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(etag) => etag.value() == stored.etag,
    })
}

fn length(bytes: &Bytes) -> Option<i64> {
    i64::try_from(bytes.len()).ok()
}

#[async_trait]
impl S3 for Memory {
    async fn create_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        let mut buckets = self.lock();
        buckets.entry(request.input.bucket).or_default();
        Ok(S3Response::new(CreateBucketOutput::default()))
    }

    async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        self.with(&request.input.bucket, |_| Ok(()))?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn list_buckets(
        &self,
        _request: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        let names: Vec<String> = self.lock().keys().cloned().collect();
        let bucket = |name| Bucket {
            name: Some(name),
            ..Bucket::default()
        };
        Ok(S3Response::new(ListBucketsOutput {
            buckets: Some(names.into_iter().map(bucket).collect()),
            ..ListBucketsOutput::default()
        }))
    }

    async fn put_object(
        &self,
        request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let input = request.input;
        let mut body = BytesMut::new();
        if let Some(mut stream) = input.body {
            // A checksum or digest that does not fit ends the stream in an error.
            while let Some(piece) = stream
                .try_next()
                .await
                .map_err(|error| S3Error::with_source(S3ErrorCode::IncompleteBody, error))?
            {
                body.extend_from_slice(&piece);
            }
        }
        if let Some(expected) = &input.checksum_crc32
            && *expected != STANDARD.encode(crc32fast::hash(&body).to_be_bytes())
        {
            return Err(s3_error!(BadDigest));
        }
        let etag = hex::encode(Md5::digest(&body));
        let stored = Stored {
            body: body.freeze(),
            etag: etag.clone(),
            modified: clock::now().into(),
            content_type: input.content_type,
            cache_control: input.cache_control,
            metadata: input.metadata,
        };
        self.with(&input.bucket, |keys| {
            let there = keys.get(&input.key);
            let refused = input.if_match.is_some_and(|wanted| !is_met(&wanted, there))
                || input
                    .if_none_match
                    .is_some_and(|other| is_met(&other, there));
            if refused {
                return Err(s3_error!(PreconditionFailed));
            }
            keys.insert(input.key, stored);
            Ok(())
        })?;
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(ETag::Strong(etag)),
            ..PutObjectOutput::default()
        }))
    }

    async fn get_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let stored = self.stored(&input.bucket, &input.key)?;
        if input
            .if_match
            .is_some_and(|wanted| !is_met(&wanted, Some(&stored)))
        {
            return Err(s3_error!(PreconditionFailed));
        }
        let all = stored.body.len() as u64;
        let mut content_range = None;
        let mut body = stored.body;
        if let Some(range) = input.range {
            if all == 0 {
                return Err(s3_error!(InvalidRange)); // no range of it can be satisfied (RFC 9110, 15.5.17)
            }
            let range = range.check(all)?;
            content_range = Some(format!("bytes {}-{}/{all}", range.start, range.end - 1));
            let at = |position| usize::try_from(position).unwrap_or(usize::MAX);
            body = body.slice(at(range.start)..at(range.end));
        }
        Ok(S3Response::new(GetObjectOutput {
            content_length: length(&body),
            body: Some(StreamingBlob::from(Body::from(body))),
            content_range,
            content_type: stored.content_type,
            cache_control: stored.cache_control,
            e_tag: Some(ETag::Strong(stored.etag)),
            last_modified: Some(stored.modified),
            metadata: stored.metadata,
            ..GetObjectOutput::default()
        }))
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let stored = self.stored(&request.input.bucket, &request.input.key)?;
        Ok(S3Response::new(HeadObjectOutput {
            content_length: length(&stored.body),
            content_type: stored.content_type,
            cache_control: stored.cache_control,
            e_tag: Some(ETag::Strong(stored.etag)),
            last_modified: Some(stored.modified),
            metadata: stored.metadata,
            ..HeadObjectOutput::default()
        }))
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.with(&request.input.bucket, |keys| {
            keys.remove(&request.input.key);
            Ok(())
        })?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let most = usize::try_from(input.max_keys.unwrap_or(i32::MAX)).unwrap_or(0);
        let listing = Listing {
            prefix: input.prefix.as_deref().unwrap_or_default(),
            after: input
                .continuation_token
                .as_deref()
                .or(input.start_after.as_deref()),
            delimiter: input.delimiter.as_deref().filter(|text| !text.is_empty()),
            most: most.min(self.page_keys),
        };
        let page = self.with(&input.bucket, |keys| Ok(listing.page(keys)))?;
        let prefixes = page.prefixes.into_iter().map(|prefix| CommonPrefix {
            prefix: Some(prefix),
        });
        Ok(S3Response::new(ListObjectsV2Output {
            key_count: i32::try_from(page.objects.len() + prefixes.len()).ok(),
            common_prefixes: Some(prefixes.collect()),
            contents: Some(page.objects),
            is_truncated: Some(page.next.is_some()),
            max_keys: input.max_keys,
            name: Some(input.bucket),
            next_continuation_token: page.next,
            prefix: input.prefix,
            start_after: input.start_after,
            ..ListObjectsV2Output::default()
        }))
    }
}

struct Listing<'a> {
    prefix: &'a str,
    after: Option<&'a str>,
    delimiter: Option<&'a str>,
    most: usize,
}

#[derive(Default)]
struct Page {
    objects: Vec<Object>,
    prefixes: BTreeSet<String>,
    /// Where the next page begins.
    next: Option<String>,
}

impl Listing<'_> {
    fn page(&self, keys: &Keys) -> Page {
        let mut page = Page::default();
        let from = match self.after {
            Some(after) if after >= self.prefix => Bound::Excluded(after),
            _ => Bound::Included(self.prefix),
        };
        let mut last = String::new();
        for (key, stored) in keys.range::<str, _>((from, Bound::Unbounded)) {
            let Some(below) = key.strip_prefix(self.prefix) else {
                break;
            };
            let group = self.delimiter.and_then(|delimiter| {
                let end = below.find(delimiter)? + delimiter.len();
                Some(format!("{}{}", self.prefix, &below[..end]))
            });
            if let Some(group) = &group
                && (page.prefixes.contains(group)
                    || self
                        .after
                        .is_some_and(|after| after.starts_with(group.as_str())))
            {
                last.clone_from(key);
                continue;
            }
            if page.objects.len() + page.prefixes.len() == self.most {
                page.next = Some(last);
                break;
            }
            last.clone_from(key);
            match group {
                Some(group) => drop(page.prefixes.insert(group)),
                None => page.objects.push(listed(key, stored)),
            }
        }
        page
    }
}

fn listed(key: &str, stored: &Stored) -> Object {
    Object {
        key: Some(key.to_owned()),
        e_tag: Some(ETag::Strong(stored.etag.clone())),
        last_modified: Some(stored.modified.clone()),
        size: length(&stored.body),
        ..Object::default()
    }
}
