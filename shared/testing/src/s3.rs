//! An in-process S3: `s3s-fs` in a temporary directory, or objects in memory, over real HTTP.
//!
//! It checks signatures: [`FUNCTION_KEYS`], [`JOB_KEYS`] and [`TEST_KEYS`] are known to it and no others.

use std::fmt;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use s3s::S3;
use s3s::auth::{SecretKey, SimpleAuth};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tempfile::TempDir;

use super::events::{FUNCTION_KEYS, JOB_KEYS, Keys, TEST_KEYS};
use super::memory::{self, Memory};
use super::record;
use super::server::Server;
use delivery_action::aws;

pub use bucket::{Bucket, StoredObject};
use files::{LikeS3, copied, is_version, precondition_failed};

mod bucket;
mod files;

/// The region of everything that tests talk to.
pub const REGION: &str = "eu-west-1";

/// First pause before the SDK's second attempt: tests do not wait for what only spares a service.
const INITIAL_BACKOFF: Duration = Duration::from_millis(5);

/// The store behind an in-process S3, without a server of its own.
#[derive(Clone)]
pub struct Objects {
    service: S3Service,
    kept: Kept,
    latency: Duration,
    requests: Arc<AtomicUsize>,
    bytes_sent: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
    in_flight: Arc<AtomicUsize>,
    most_in_flight: Arc<AtomicUsize>,
}

/// Where the objects are stored.
#[derive(Clone)]
enum Kept {
    Files(Arc<TempDir>, Arc<FileSystem>),
    Memory(Memory),
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Objects").finish_non_exhaustive()
    }
}

impl Default for Objects {
    fn default() -> Self {
        Self::new()
    }
}

impl Objects {
    /// An empty store in a temporary directory.
    #[must_use]
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let files = || FileSystem::new(directory.path()).expect("the directory is there");
        let (files, beside) = (files(), Arc::new(files()));
        Self::of(files, Kept::Files(Arc::new(directory), beside))
    }

    /// An empty store in memory: quick, and its listings tell `ETag`s.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::in_memory_with_pages_of(memory::PAGE_KEYS)
    }

    /// The same with smaller listing pages.
    #[must_use]
    pub fn in_memory_with_pages_of(keys: usize) -> Self {
        let memory = Memory::with_pages_of(keys);
        Self::of(memory.clone(), Kept::Memory(memory))
    }

    /// Another store with the same objects, from which the two go separate ways.
    ///
    /// # Panics
    ///
    /// If they are kept as files.
    #[must_use]
    pub fn copied(&self) -> Self {
        let Kept::Memory(memory) = &self.kept else {
            panic!("only objects in memory can be copied");
        };
        let memory = memory.copied();
        Self::of(memory.clone(), Kept::Memory(memory))
    }

    /// The same store a network away: each request takes this much longer.
    #[must_use]
    pub fn with_latency(self, latency: Duration) -> Self {
        Self { latency, ..self }
    }

    fn of(store: impl S3, kept: Kept) -> Self {
        let mut auth = SimpleAuth::new();
        for keys in [FUNCTION_KEYS, JOB_KEYS, TEST_KEYS] {
            auth.register(
                keys.access_key_id.to_owned(),
                SecretKey::from(keys.secret_access_key),
            );
        }
        let mut builder = S3ServiceBuilder::new(store);
        builder.set_auth(auth);
        builder.set_access(LikeS3(kept.clone()));
        Self {
            service: builder.build(),
            kept,
            latency: Duration::ZERO,
            requests: Arc::default(),
            bytes_sent: Arc::default(),
            bytes: Arc::default(),
            in_flight: Arc::default(),
            most_in_flight: Arc::default(),
        }
    }

    /// How many requests were answered.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// How many requests were under way at the same time at most.
    #[must_use]
    pub fn most_in_flight(&self) -> usize {
        self.most_in_flight.load(Ordering::SeqCst)
    }

    /// Bytes of all answers' bodies whose length their headers tell.
    #[must_use]
    pub fn bytes_sent(&self) -> u64 {
        self.bytes_sent.load(Ordering::SeqCst)
    }

    /// How many bytes of contents came in and went out, as far as requests and answers say their length.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::SeqCst)
    }

    /// The bytes of an object, read beside HTTP; `None` if there is none.
    #[must_use]
    pub fn read(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        match &self.kept {
            Kept::Files(directory, _) => {
                std::fs::read(directory.path().join(bucket).join(key)).ok()
            }
            Kept::Memory(memory) => memory.read(bucket, key),
        }
    }

    /// Makes an object as old as this, so that no test waits for one to become old.
    pub fn set_modified(&self, bucket: &str, key: &str, modified: SystemTime) {
        match &self.kept {
            Kept::Files(directory, _) => {
                let path = directory.path().join(bucket).join(key);
                let file = File::options().write(true).open(path);
                let file = file.expect("the object is there");
                file.set_modified(modified).expect("its time can be set");
            }
            Kept::Memory(memory) => {
                let set = memory.set_modified(bucket, key, modified);
                set.expect("the object is there");
            }
        }
    }

    /// Has a bucket keep what is deleted as an earlier version, behind a delete marker.
    ///
    /// # Panics
    ///
    /// If objects are kept as files.
    pub fn keep_versions(&self, bucket: &str) {
        let Kept::Memory(memory) = &self.kept else {
            panic!("only a bucket in memory keeps what is deleted");
        };
        memory.keep_versions(bucket);
    }

    /// Answers one request.
    pub async fn answer(&self, request: Request) -> Response {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let in_flight = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_in_flight.fetch_max(in_flight, Ordering::SeqCst);
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
        let length = content_length(request.headers());
        self.bytes.fetch_add(length, Ordering::SeqCst);
        let is_head = request.method() == Method::HEAD;
        if let (Kept::Files(_, files), Some((bucket, key, etag))) = (&self.kept, copied(&request))
            && !is_version(files, bucket, key, &etag).await
        {
            self.in_flight.fetch_sub(1, Ordering::SeqCst);
            return precondition_failed();
        }
        let answered = self
            .service
            .call(request.map(s3s::Body::http_body_unsync))
            .await;
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        match answered {
            Ok(response) => {
                let length = content_length(response.headers());
                self.bytes_sent.fetch_add(length, Ordering::SeqCst);
                if !is_head {
                    self.bytes.fetch_add(length, Ordering::SeqCst);
                }
                response.map(Body::new)
            }
            Err(error) => Response::builder()
                .status(500)
                .body(Body::from(format!("{error:?}")))
                .expect("a status and a body make a response"),
        }
    }
}

/// How long a body is, as far as its headers tell.
fn content_length(headers: &HeaderMap) -> u64 {
    headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok())
        .unwrap_or_default()
}

/// An in-process S3 with a port of its own.
#[derive(Debug)]
pub struct LocalS3 {
    objects: Objects,
    server: Server,
}

impl LocalS3 {
    /// Starts an empty S3.
    pub async fn start() -> Self {
        Self::start_with(Objects::new()).await
    }

    /// Starts an S3 of these objects.
    pub async fn start_with(objects: Objects) -> Self {
        let answering = objects.clone();
        let server = Server::start(move |request| {
            let objects = answering.clone();
            async move {
                let (parts, body) = request.into_parts();
                record::request(&parts);
                objects.answer(Request::from_parts(parts, body)).await
            }
        })
        .await;
        Self { objects, server }
    }

    /// Its address: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// How many requests were answered.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.objects.requests()
    }

    /// What it keeps.
    #[must_use]
    pub fn objects(&self) -> &Objects {
        &self.objects
    }

    /// How many bytes of contents came in and went out.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.objects.bytes()
    }

    /// The bytes of an object, read beside HTTP; `None` if there is none.
    #[must_use]
    pub fn read(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        self.objects.read(bucket, key)
    }

    /// Writes other bytes into an object that is there, beside HTTP: its metadata and `ETag` stay.
    ///
    /// # Panics
    ///
    /// If there is no such bucket, or objects are kept in memory.
    pub fn overwrite(&self, bucket: &str, key: &str, bytes: &[u8]) {
        let Kept::Files(directory, _) = &self.objects.kept else {
            panic!("only files can be overwritten");
        };
        let path = directory.path().join(bucket).join(key);
        std::fs::write(path, bytes).expect("an object can be written");
    }

    /// A configuration whose clients talk to it with the function's credentials.
    #[must_use]
    pub fn config(&self) -> SdkConfig {
        config(&self.url(), FUNCTION_KEYS)
    }

    /// What a test puts in and looks at.
    #[must_use]
    pub fn bucket(&self, name: &str) -> Bucket {
        Bucket::new(&config(&self.url(), TEST_KEYS), name)
    }
}

/// A configuration whose clients all talk to `url`.
#[must_use]
pub fn config(url: &str, keys: Keys) -> SdkConfig {
    let credentials = Credentials::new(
        keys.access_key_id,
        keys.secret_access_key,
        keys.session_token.map(str::to_owned),
        None,
        "testing",
    );
    let retries = RetryConfig::standard()
        .with_max_attempts(aws::MAX_ATTEMPTS)
        .with_initial_backoff(INITIAL_BACKOFF);
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws::http_client())
        .region(Region::from_static(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(retries)
        .endpoint_url(url)
        .build()
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::Client;
    use aws_sdk_s3::primitives::ByteStream;
    use test_case::test_case;

    use super::*;

    #[test_case(Objects::new(); "files")]
    #[test_case(Objects::in_memory(); "memory")]
    #[tokio::test]
    async fn an_object_comes_back_as_it_was_put(objects: Objects) {
        let s3 = LocalS3::start_with(objects).await;
        let bucket = s3.bucket("store");
        bucket.create().await.put("a/b.txt", "hello").await;
        assert_eq!(bucket.get("a/b.txt").await.unwrap().body, b"hello");
        assert_eq!(bucket.get("a/c.txt").await, None);
        assert_eq!(
            bucket.snapshot().await.keys().collect::<Vec<_>>(),
            ["a/b.txt"]
        );
        assert_eq!(s3.requests(), 6);
    }

    #[tokio::test]
    async fn memory_lists_tags_in_pages_and_keeps_to_conditions() {
        let s3 = LocalS3::start_with(Objects::in_memory()).await;
        let bucket = s3.bucket("store");
        bucket.create().await;
        for key in ["a/1", "a/2", "b", "c/1"] {
            bucket.put(key, key).await;
        }
        let client = Client::new(&s3.config());
        let list = || client.list_objects_v2().bucket("store").max_keys(2);
        let first = list().delimiter("/").send().await.unwrap();
        let prefixes: Vec<_> = first
            .common_prefixes()
            .iter()
            .map(|p| p.prefix().unwrap())
            .collect();
        assert_eq!((prefixes, first.contents().len()), (vec!["a/"], 1));
        let token = first.next_continuation_token().unwrap();
        let rest = list()
            .delimiter("/")
            .continuation_token(token)
            .send()
            .await
            .unwrap();
        assert_eq!(rest.common_prefixes()[0].prefix(), Some("c/"));
        assert_eq!(rest.is_truncated(), Some(false));

        let after = list().start_after("a/1").send().await.unwrap();
        let keys: Vec<_> = after.contents().iter().map(|o| o.key().unwrap()).collect();
        assert_eq!(keys, ["a/2", "b"]);
        assert_eq!(after.is_truncated(), Some(true));

        let put = || {
            client
                .put_object()
                .bucket("store")
                .key("b")
                .body(ByteStream::from_static(b"other"))
        };
        assert!(put().if_none_match("*").send().await.is_err());
        assert!(put().if_match("\"0\"").send().await.is_err());
        assert!(put().checksum_crc32("AAAAAA==").send().await.is_err());
        let other = "2Z4QkXqPUTQSGIpoBjIxfXvgkKZcOdUSkmkhaMWLpUs=";
        assert!(put().checksum_sha256(other).send().await.is_err());
        let etag = after.contents()[1].e_tag().unwrap();
        let copied = s3.objects().copied();
        put().if_match(etag).send().await.unwrap();
        assert_eq!(s3.objects().read("store", "b").unwrap(), b"other");
        assert_eq!(copied.read("store", "b").unwrap(), b"b");
    }

    #[tokio::test]
    async fn a_wrong_key_is_refused() {
        let s3 = LocalS3::start().await;
        let keys = Keys {
            secret_access_key: "wrong",
            ..JOB_KEYS
        };
        let refused = Client::new(&config(&s3.url(), keys))
            .list_buckets()
            .send()
            .await;
        let status = refused
            .unwrap_err()
            .raw_response()
            .unwrap()
            .status()
            .as_u16();
        assert_eq!(status, 403);
    }
}
