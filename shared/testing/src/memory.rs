//! Objects in memory behind `s3s`: the operations of S3 that an action, or a program that it is compared
//! with, uses. Quick; its listings tell `ETag`s as S3's do (those of `s3s-fs` do not, and walk the whole
//! bucket for each page).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, Bucket, ChecksumMode,
    CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput,
    CopyObjectResult, CopyPartResult, CopySource, CreateBucketInput, CreateBucketOutput,
    CreateMultipartUploadInput, CreateMultipartUploadOutput, DeleteObjectInput, DeleteObjectOutput,
    DeleteObjectsInput, DeleteObjectsOutput, ETag, ETagCondition, GetBucketLocationInput,
    GetBucketLocationOutput, GetObjectInput, GetObjectOutput, HeadBucketInput, HeadBucketOutput,
    HeadObjectInput, HeadObjectOutput, ListBucketsInput, ListBucketsOutput,
    ListMultipartUploadsInput, ListMultipartUploadsOutput, ListObjectVersionsInput,
    ListObjectVersionsOutput, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input,
    ListObjectsV2Output, PutObjectInput, PutObjectOutput, Range, Timestamp, UploadPartCopyInput,
    UploadPartCopyOutput, UploadPartInput, UploadPartOutput,
};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

use object::{About, Content, Object};
use state::{Inner, Upload, check};

use delivery_action::clock;

mod listing;
mod object;
mod state;

/// Most keys of a page (S3 API Reference, `ListObjectsV2`).
pub(crate) const PAGE_KEYS: usize = 1000;

/// Smallest part but the last (S3 User Guide, "Multipart upload limits").
const SMALLEST_PART: u64 = 5 * 1024 * 1024;

/// All buckets; a clone is the same ones.
#[derive(Clone, Debug)]
pub struct Memory {
    page_keys: usize,
    inner: Arc<Mutex<Inner>>,
}

impl Default for Memory {
    fn default() -> Self {
        Self::with_pages_of(PAGE_KEYS)
    }
}

impl Memory {
    /// Without buckets; a listing has pages of so many keys.
    pub(crate) fn with_pages_of(page_keys: usize) -> Self {
        Self {
            page_keys,
            inner: Arc::default(),
        }
    }

    /// Other buckets with the same objects; uploads that are under way are not in them.
    pub(crate) fn copied(&self) -> Self {
        let inner = Inner {
            buckets: self.lock().buckets.clone(),
            ..Inner::default()
        };
        Self {
            page_keys: self.page_keys,
            inner: Arc::new(Mutex::new(inner)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes of an object.
    pub(crate) fn read(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        let object = self.object(bucket, key).ok()?;
        Some(object.content.to_vec())
    }

    /// Makes an object as old as this.
    pub(crate) fn set_modified(
        &self,
        bucket: &str,
        key: &str,
        modified: SystemTime,
    ) -> S3Result<()> {
        let mut inner = self.lock();
        let objects = inner.bucket(bucket)?;
        let object = objects.get_mut(key).ok_or_else(|| s3_error!(NoSuchKey))?;
        object.modified = Timestamp::from(modified);
        Ok(())
    }

    /// Has a bucket keep what is deleted.
    pub(crate) fn keep_versions(&self, bucket: &str) {
        self.lock().versioned.insert(bucket.to_owned());
    }

    /// Makes a bucket, or forgets the objects of one that is there.
    pub fn empty(&self, bucket: &str) {
        self.lock()
            .buckets
            .insert(bucket.to_owned(), BTreeMap::new());
    }

    fn object(&self, bucket: &str, key: &str) -> S3Result<Object> {
        self.lock().object(bucket, key).cloned()
    }

    /// A part of an object, for a copy inside S3.
    fn source(
        &self,
        source: &CopySource,
        only: Option<&ETagCondition>,
        range: Option<&str>,
    ) -> S3Result<Object> {
        let CopySource::Bucket { bucket, key, .. } = source else {
            return Err(s3_error!(NotImplemented));
        };
        let mut object = self.object(bucket, key)?;
        check(Some(&object), only, None)?;
        if let Some(range) = range {
            let range = Range::parse(range).map_err(|_| s3_error!(InvalidArgument))?;
            object.content = object.content.part(range.check(object.content.len())?);
        }
        Ok(object)
    }
}

#[async_trait::async_trait]
impl S3 for Memory {
    async fn create_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        self.lock().buckets.entry(request.input.bucket).or_default();
        Ok(S3Response::new(CreateBucketOutput::default()))
    }

    async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        self.lock().bucket(&request.input.bucket)?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn list_buckets(
        &self,
        _request: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        let bucket = |name: &String| Bucket {
            name: Some(name.clone()),
            ..Bucket::default()
        };
        let buckets = self.lock().buckets.keys().map(bucket).collect();
        Ok(S3Response::new(ListBucketsOutput {
            buckets: Some(buckets),
            ..ListBucketsOutput::default()
        }))
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.lock().bucket(&request.input.bucket)?;
        Ok(S3Response::new(GetBucketLocationOutput::default()))
    }

    async fn put_object(
        &self,
        request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let input = request.input;
        let (content, md5) = Content::read(input.body).await?;
        if let Some(expected) = &input.checksum_crc32
            && *expected != STANDARD.encode(content.crc32().to_be_bytes())
        {
            return Err(s3_error!(BadDigest));
        }
        if let Some(expected) = &input.checksum_sha256
            && *expected != STANDARD.encode(content.sha256())
        {
            return Err(s3_error!(BadDigest));
        }
        let about = About {
            content_type: input.content_type,
            cache_control: input.cache_control,
            metadata: input.metadata,
        };
        let mut object = Object::new(content, hex::encode(md5), about);
        object.sha256 = input.checksum_sha256;
        let etag = object.etag.clone();
        let mut inner = self.lock();
        let bucket = inner.bucket(&input.bucket)?;
        check(
            bucket.get(&input.key),
            input.if_match.as_ref(),
            input.if_none_match.as_ref(),
        )?;
        bucket.insert(input.key, object);
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(etag),
            ..Default::default()
        }))
    }

    async fn get_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let object = self.object(&input.bucket, &input.key)?;
        check(Some(&object), input.if_match.as_ref(), None)?;
        let whole = object.content.len();
        let (content, range) = match input.range {
            None => (object.content, None),
            // No range of an empty object can be satisfied (RFC 9110, 15.5.17).
            Some(_) if whole == 0 => return Err(s3_error!(InvalidRange)),
            Some(range) => {
                let range = range.check(whole)?;
                let shown = format!("bytes {}-{}/{whole}", range.start, range.end - 1);
                (object.content.part(range), Some(shown))
            }
        };
        Ok(S3Response::new(GetObjectOutput {
            content_length: i64::try_from(content.len()).ok(),
            content_range: range,
            body: Some(content.into_body()),
            accept_ranges: Some("bytes".to_owned()),
            e_tag: Some(object.etag),
            last_modified: Some(object.modified),
            content_type: object.about.content_type,
            cache_control: object.about.cache_control,
            metadata: object.about.metadata,
            ..Default::default()
        }))
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        let object = self.object(&input.bucket, &input.key)?;
        let mode = input.checksum_mode.as_ref();
        let with_checksum = mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED);
        Ok(S3Response::new(HeadObjectOutput {
            checksum_sha256: object.sha256.filter(|_| with_checksum),
            content_length: i64::try_from(object.content.len()).ok(),
            accept_ranges: Some("bytes".to_owned()),
            e_tag: Some(object.etag),
            last_modified: Some(object.modified),
            content_type: object.about.content_type,
            cache_control: object.about.cache_control,
            metadata: object.about.metadata,
            ..Default::default()
        }))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let mut inner = self.lock();
        let objects = inner.bucket(&request.input.bucket)?;
        Ok(S3Response::new(listing::page(
            objects,
            request.input,
            self.page_keys,
        )))
    }

    async fn list_objects(
        &self,
        request: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        let listed = self.list_objects_v2(request.map_input(Into::into)).await?;
        Ok(listed.map_output(|page| ListObjectsOutput {
            contents: page.contents,
            common_prefixes: page.common_prefixes,
            delimiter: page.delimiter,
            name: page.name,
            prefix: page.prefix,
            max_keys: page.max_keys,
            is_truncated: page.is_truncated,
            next_marker: page.next_continuation_token,
            ..Default::default()
        }))
    }

    async fn list_object_versions(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<S3Response<ListObjectVersionsOutput>> {
        let ListObjectVersionsInput { bucket, prefix, .. } = request.input;
        let page = listing::versions(
            &mut self.lock(),
            &bucket,
            prefix.as_deref().unwrap_or_default(),
            self.page_keys,
        )?;
        Ok(S3Response::new(page))
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let mut inner = self.lock();
        inner.bucket(&request.input.bucket)?;
        let uploads = listing::uploads(&inner.uploads, &request.input.bucket);
        Ok(S3Response::new(uploads))
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let DeleteObjectInput {
            bucket,
            key,
            version_id,
            ..
        } = request.input;
        self.lock().delete(&bucket, &key, version_id.as_deref())?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let mut inner = self.lock();
        let DeleteObjectsInput { bucket, delete, .. } = request.input;
        let deleted = delete
            .objects
            .into_iter()
            .map(|object| inner.delete(&bucket, &object.key, object.version_id.as_deref()))
            .collect::<S3Result<_>>()?;
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: Some(deleted),
            ..Default::default()
        }))
    }

    async fn copy_object(
        &self,
        request: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        let input = request.input;
        let mut object = self.source(
            &input.copy_source,
            input.copy_source_if_match.as_ref(),
            None,
        )?;
        if input
            .metadata_directive
            .is_some_and(|directive| directive.as_str() == "REPLACE")
        {
            object.about = About {
                content_type: input.content_type,
                cache_control: input.cache_control,
                metadata: input.metadata,
            };
        }
        object.modified = Timestamp::from(clock::now());
        let result = CopyObjectResult {
            e_tag: Some(object.etag.clone()),
            last_modified: Some(object.modified.clone()),
            ..Default::default()
        };
        self.lock().bucket(&input.bucket)?.insert(input.key, object);
        Ok(S3Response::new(CopyObjectOutput {
            copy_object_result: Some(result),
            ..Default::default()
        }))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = request.input;
        let about = About {
            content_type: input.content_type,
            cache_control: input.cache_control,
            metadata: input.metadata,
        };
        let mut inner = self.lock();
        inner.bucket(&input.bucket)?;
        inner.begun += 1;
        let id = format!("upload-{}", inner.begun);
        inner.uploads.insert(
            id.clone(),
            Upload {
                bucket: input.bucket.clone(),
                key: input.key.clone(),
                about,
                parts: BTreeMap::new(),
            },
        );
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            ..Default::default()
        }))
    }

    async fn upload_part(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let input = request.input;
        let (content, md5) = Content::read(input.body).await?;
        let etag = ETag::Strong(hex::encode(md5));
        self.lock()
            .upload(&input.upload_id)?
            .parts
            .insert(input.part_number, (content, md5));
        Ok(S3Response::new(UploadPartOutput {
            e_tag: Some(etag),
            ..Default::default()
        }))
    }

    async fn upload_part_copy(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        let input = request.input;
        let part = self.source(
            &input.copy_source,
            input.copy_source_if_match.as_ref(),
            input.copy_source_range.as_deref(),
        )?;
        // Of what it is told by, not of its bytes: S3 hashes them, but not on this machine.
        let range = input.copy_source_range.unwrap_or_default();
        let md5: [u8; 16] = Md5::digest(format!("{:?}{range}", part.etag)).into();
        self.lock()
            .upload(&input.upload_id)?
            .parts
            .insert(input.part_number, (part.content, md5));
        let result = CopyPartResult {
            e_tag: Some(ETag::Strong(hex::encode(md5))),
            ..Default::default()
        };
        Ok(S3Response::new(UploadPartCopyOutput {
            copy_part_result: Some(result),
            ..Default::default()
        }))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = request.input;
        let mut inner = self.lock();
        // A completion whose reply was lost is repeated, and S3 answers it as it did before.
        if let Some(etag) = inner.completed.get(&input.upload_id).cloned() {
            return Ok(completed(input.bucket, input.key, etag));
        }
        let there = inner.bucket(&input.bucket)?.get(&input.key).cloned();
        check(
            there.as_ref(),
            input.if_match.as_ref(),
            input.if_none_match.as_ref(),
        )?;
        let mut upload = inner
            .uploads
            .remove(&input.upload_id)
            .ok_or_else(|| s3_error!(NoSuchUpload))?;
        let named = input
            .multipart_upload
            .and_then(|parts| parts.parts)
            .unwrap_or_default();
        let mut parts = Vec::with_capacity(named.len());
        let mut hash = Md5::new();
        for part in &named {
            let part = part
                .part_number
                .and_then(|number| upload.parts.remove(&number));
            let (content, md5) = part.ok_or_else(|| s3_error!(InvalidPart))?;
            hash.update(md5);
            parts.push(content);
        }
        let all_but_last = parts.split_last().map_or(&[] as &[_], |(_, others)| others);
        if all_but_last
            .iter()
            .any(|part: &Content| part.len() < SMALLEST_PART)
        {
            return Err(s3_error!(EntityTooSmall));
        }
        let etag = format!("{}-{}", hex::encode(hash.finalize()), parts.len());
        let object = Object::new(Content::join(parts), etag, upload.about);
        let etag = object.etag.clone();
        inner
            .bucket(&input.bucket)?
            .insert(input.key.clone(), object);
        inner.completed.insert(input.upload_id, etag.clone());
        Ok(completed(input.bucket, input.key, etag))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.lock().uploads.remove(&request.input.upload_id);
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}

fn completed(bucket: String, key: String, etag: ETag) -> S3Response<CompleteMultipartUploadOutput> {
    S3Response::new(CompleteMultipartUploadOutput {
        bucket: Some(bucket),
        key: Some(key),
        e_tag: Some(etag),
        ..Default::default()
    })
}
