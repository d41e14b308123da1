//! The bucket that a site is served from.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_runtime::auth::PayloadSigningOverride;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
};
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use delivery_action::aws::SdkConfig;
use delivery_action::aws::{CallError, CallErrorKind, READ_TIMEOUT};

use crate::error::DeploySiteError;
use crate::headers;
use crate::listing::Range;
use crate::manifest::{FORMAT, MANIFEST, Manifest};
use crate::site::Item;

/// How often a manifest is read whose body is truncated: the SDK retries a request, but not the reading of
/// its body.
const MAX_READS: u32 = 3;

/// The objects of one bucket below one prefix.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    client: Client,
    throttle_count: ThrottleCount,
    name: String,
    prefix: String,
}

/// Statuses that ask for fewer requests: S3's (S3 API Reference, "Error responses": `SlowDown`), and that of
/// other stores.
const THROTTLED: [u16; 2] = [429, 503];

fn is_throttled(response: &HttpResponse) -> bool {
    THROTTLED.contains(&response.status().as_u16())
}

/// What an upload expects at its key (`If-None-Match`, `If-Match`): S3 refuses it if anything else is there.
///
/// So an upload that is delayed, or of an overtaken release, cannot replace what somebody else wrote since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Nothing,
    /// The object with this `ETag`.
    Object(String),
    /// Anything: the bucket does not say what is there.
    Anything,
}

impl Expected {
    /// What a listing, or the object itself, says.
    pub(crate) fn found(object: Option<&Option<String>>) -> Self {
        match object {
            None => Self::Nothing,
            Some(Some(etag)) => Self::Object(etag.clone()),
            Some(None) => Self::Anything,
        }
    }

    /// Whether an error means that something else is there. S3 answers "not found" if the object to
    /// replace is gone.
    fn is_not_met(&self, kind: CallErrorKind) -> bool {
        match self {
            Self::Nothing => kind == CallErrorKind::Conflict,
            Self::Object(_) => matches!(kind, CallErrorKind::Conflict | CallErrorKind::NotFound),
            Self::Anything => false,
        }
    }
}

/// An object that was not uploaded.
#[derive(Debug)]
pub(crate) struct PutError {
    pub(crate) error: DeploySiteError,
    pub(crate) cause: Cause,
}

/// Whether uploading an object again may help, and after what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The bucket throttled the request.
    Throttled,
    /// The object is not what was expected at the key.
    Changed,
    Other,
}

impl From<DeploySiteError> for PutError {
    fn from(error: DeploySiteError) -> Self {
        Self {
            error,
            cause: Cause::Other,
        }
    }
}

/// How long S3 may take to receive a whole file and begin its answer. The read timeout of a request counts
/// from its first byte, so a large file needs more time than an answer does: 5 MB a second is a tenth of
/// a function's bandwidth.
fn upload_timeout(size_bytes: u64) -> Duration {
    const SLOWEST_BYTES_A_SECOND: u64 = 5_000_000;
    READ_TIMEOUT + Duration::from_secs(size_bytes / SLOWEST_BYTES_A_SECOND)
}

/// A manifest as it was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct StoredManifest {
    /// What it says; an empty one where there is none.
    pub(crate) manifest: Manifest,
    /// Its `ETag`; `None` where there is none.
    pub(crate) etag: Option<String>,
}

impl Bucket {
    pub(crate) fn new(config: &SdkConfig, name: &str, prefix: &str) -> Self {
        let throttle_count = ThrottleCount::default();
        let config = aws_sdk_s3::config::Builder::from(config).interceptor(throttle_count.clone());
        Self {
            client: Client::from_conf(config.build()),
            throttle_count,
            name: name.to_owned(),
            prefix: prefix.to_owned(),
        }
    }

    /// The `ETag` of the manifest as it is now; `None` where there is none.
    pub(crate) async fn manifest_etag(&self) -> Result<Option<String>, DeploySiteError> {
        self.etag(&self.manifest_key()).await
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The keys of a range, with their `ETag`s if the listing has them.
    pub(crate) async fn list(
        &self,
        range: &Range,
    ) -> Result<Vec<(String, Option<String>)>, DeploySiteError> {
        let request = self
            .client
            .list_objects_v2()
            .bucket(&self.name)
            .prefix(&self.prefix)
            .set_start_after(range.after.clone());
        let mut pages = request.into_paginator().send();
        let mut objects = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.failed("s3:ListBucket", None, &error))?;
            for object in page.contents.unwrap_or_default() {
                let key = object.key.unwrap_or_default();
                if range.ends_before(&key) {
                    return Ok(objects);
                }
                objects.push((key, object.e_tag));
            }
            if let Some((last, _)) = objects.last()
                && range.ends_with(last)
            {
                break;
            }
        }
        Ok(objects)
    }

    /// What is at a key now, for an upload that replaces it.
    pub(crate) async fn expected(&self, key: &str) -> Result<Expected, DeploySiteError> {
        let etag = self.etag(key).await?;
        Ok(etag.map_or(Expected::Nothing, Expected::Object))
    }

    /// The `ETag` of one object; `None` where there is none.
    pub(crate) async fn etag(&self, key: &str) -> Result<Option<String>, DeploySiteError> {
        let request = self.client.head_object().bucket(&self.name).key(key);
        match request.send().await {
            Ok(object) => Ok(object.e_tag),
            Err(error) => match self.failed("s3:GetObject", Some(key), &error) {
                DeploySiteError::Call { source } if source.kind == CallErrorKind::NotFound => {
                    Ok(None)
                }
                failed => Err(failed),
            },
        }
    }

    /// Uploads an object over what is expected at its key, and returns its `ETag`. The bucket compares the
    /// body with both digests.
    pub(crate) async fn put(
        &self,
        key: &str,
        item: &Item,
        expected: &Expected,
        body: ByteStream,
    ) -> Result<String, PutError> {
        let request = self
            .request(key, &item.content_type, item.cache_control)
            .content_length(i64::try_from(item.size_bytes).unwrap_or(i64::MAX))
            .checksum_crc32(STANDARD.encode(item.crc32.to_be_bytes()))
            .body(body);
        let request = match expected {
            Expected::Nothing => request.if_none_match("*"),
            Expected::Object(etag) => request.if_match(etag),
            Expected::Anything => request,
        };
        let timeouts = TimeoutConfig::builder().read_timeout(upload_timeout(item.size_bytes));
        let put = request
            .customize()
            .interceptor(PrecomputedSha256(item.sha256.clone()))
            .config_override(aws_sdk_s3::config::Builder::new().timeout_config(timeouts.build()))
            .send()
            .await
            .map_err(|error| {
                let throttled = error.raw_response().is_some_and(is_throttled);
                let error = self.failed("s3:PutObject", Some(key), &error);
                let cause = match &error {
                    _ if throttled => Cause::Throttled,
                    DeploySiteError::Call { source } if expected.is_not_met(source.kind) => {
                        Cause::Changed
                    }
                    _ => Cause::Other,
                };
                PutError { error, cause }
            })?;
        Ok(put.e_tag.unwrap_or_default())
    }

    /// How many requests the bucket has throttled so far, with the SDK's own retries.
    pub(crate) fn throttled_requests(&self) -> usize {
        self.throttle_count.0.load(Ordering::Relaxed)
    }

    /// Removes an object; one that is not there counts as removed.
    pub(crate) async fn delete(&self, key: &str) -> Result<(), DeploySiteError> {
        let request = self.client.delete_object().bucket(&self.name).key(key);
        request
            .send()
            .await
            .map_err(|error| self.failed("s3:DeleteObject", Some(key), &error))?;
        Ok(())
    }

    /// Reads the manifest, again if it was truncated.
    pub(crate) async fn manifest(&self) -> Result<StoredManifest, DeploySiteError> {
        let mut read = self.read_manifest().await;
        for _ in 1..MAX_READS {
            let Err(DeploySiteError::ManifestCutShort { .. }) = read else {
                break;
            };
            read = self.read_manifest().await;
        }
        read
    }

    async fn read_manifest(&self) -> Result<StoredManifest, DeploySiteError> {
        let key = self.manifest_key();
        let object = match self
            .client
            .get_object()
            .bucket(&self.name)
            .key(&key)
            .send()
            .await
        {
            Ok(object) => object,
            Err(error) => {
                return match self.failed("s3:GetObject", Some(&key), &error) {
                    DeploySiteError::Call { source } if source.kind == CallErrorKind::NotFound => {
                        Ok(StoredManifest::default())
                    }
                    failed => Err(failed),
                };
            }
        };
        let etag = object.e_tag.clone();
        let bytes =
            object
                .body
                .collect()
                .await
                .map_err(|source| DeploySiteError::ManifestCutShort {
                    bucket: self.name.clone(),
                    key: key.clone(),
                    source: Box::new(source),
                })?;
        let manifest: Manifest = serde_json::from_slice(&bytes.into_bytes()).map_err(|source| {
            DeploySiteError::Manifest {
                bucket: self.name.clone(),
                key: key.clone(),
                source,
            }
        })?;
        if manifest.format != FORMAT {
            return Err(DeploySiteError::ManifestFormat {
                bucket: self.name.clone(),
                key,
                format: manifest.format,
            });
        }
        Ok(StoredManifest { manifest, etag })
    }

    /// Replaces the manifest if it still is the one that was read; `None` if somebody else has written it
    /// since. This condition is what makes the manifest usable as a lock.
    pub(crate) async fn put_manifest(
        &self,
        read: &StoredManifest,
        manifest: Manifest,
    ) -> Result<Option<StoredManifest>, DeploySiteError> {
        let key = self.manifest_key();
        let body = serde_json::to_vec(&manifest).expect("a manifest can be written as JSON");
        let request = self
            .request(
                &key,
                &headers::content_type(key.as_ref(), true),
                headers::REVALIDATED,
            )
            .body(ByteStream::from(body));
        let request = match &read.etag {
            Some(etag) => request.if_match(etag),
            None => request.if_none_match("*"),
        };
        match request.send().await {
            Ok(put) => Ok(Some(StoredManifest {
                manifest,
                etag: put.e_tag,
            })),
            Err(error) => match self.failed("s3:PutObject", Some(&key), &error) {
                DeploySiteError::Call { source } if source.kind == CallErrorKind::Conflict => {
                    Ok(None)
                }
                failed => Err(failed),
            },
        }
    }

    fn request(
        &self,
        key: &str,
        content_type: &str,
        cache_control: &str,
    ) -> PutObjectFluentBuilder {
        let request = self.client.put_object().bucket(&self.name).key(key);
        request
            .content_type(content_type)
            .cache_control(cache_control)
    }

    pub(crate) fn manifest_key(&self) -> String {
        format!("{}{MANIFEST}", self.prefix)
    }

    fn failed<E>(
        &self,
        action: &'static str,
        key: Option<&str>,
        error: &SdkError<E, HttpResponse>,
    ) -> DeploySiteError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let resource = match key {
            Some(key) => format!("s3://{}/{key}", self.name),
            None => format!("s3://{}", self.name),
        };
        let source = CallError::new(action, resource, error);
        if source.is_code("NoSuchBucket")
            || (key.is_none() && source.kind == CallErrorKind::NotFound)
        {
            DeploySiteError::NoBucket {
                bucket: self.name.clone(),
                source,
            }
        } else {
            DeploySiteError::Call { source }
        }
    }
}

/// Signs a body by its SHA-256, which is known, so that the body is not hashed again.
#[derive(Debug)]
struct PrecomputedSha256(String);

impl Intercept for PrecomputedSha256 {
    fn name(&self) -> &'static str {
        "PrecomputedSha256"
    }

    fn modify_before_signing(
        &self,
        _context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let digest = PayloadSigningOverride::Precomputed(self.0.clone());
        config.interceptor_state().store_put(digest);
        Ok(())
    }
}

/// Counts throttled requests. An interceptor, because the SDK's result hides the attempts that it retried.
#[derive(Clone, Debug, Default)]
struct ThrottleCount(Arc<AtomicUsize>);

impl Intercept for ThrottleCount {
    fn name(&self) -> &'static str {
        "ThrottleCount"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if is_throttled(context.response()) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}
