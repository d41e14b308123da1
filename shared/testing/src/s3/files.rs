//! What `s3s-fs` does otherwise than S3, set right.

use async_trait::async_trait;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Extensions, HeaderMap, Method, Uri};
use axum::response::Response;
use s3s::access::S3Access;
use s3s::dto::{ETag, GetObjectInput, HeadObjectInput, Range};
use s3s::{S3, S3Request, S3Result};
use s3s_fs::FileSystem;

use super::Kept;

/// Sets right what `s3s-fs` does otherwise than S3.
pub(super) struct LikeS3(pub(super) Kept);

#[async_trait]
impl S3Access for LikeS3 {
    /// The last bytes of an object that has fewer are all of it (RFC 9110, 14.1.2); `s3s-fs` answers
    /// with an internal error.
    async fn get_object(&self, request: &mut S3Request<GetObjectInput>) -> S3Result<()> {
        let Kept::Files(directory, _) = &self.0 else {
            return Ok(());
        };
        let input = &mut request.input;
        let file = directory.path().join(&input.bucket).join(&input.key);
        if let (Some(Range::Suffix { length }), Ok(metadata)) =
            (input.range, std::fs::metadata(file))
            && (1..=length).contains(&metadata.len())
        {
            input.range = Some(Range::Int {
                first: 0,
                last: None,
            });
        }
        Ok(())
    }
}

/// The header by which a copy names the version of what it copies.
const COPY_IF_MATCH: &str = "x-amz-copy-source-if-match";

/// The header that names what is copied.
const COPY_SOURCE: &str = "x-amz-copy-source";

/// What a request copies from, and which version of it.
pub(super) fn copied(request: &Request) -> Option<(String, String, String)> {
    let header = |name| request.headers().get(name)?.to_str().ok();
    let (bucket, key) = header(COPY_SOURCE)?
        .trim_start_matches('/')
        .split_once('/')?;
    let etag = header(COPY_IF_MATCH)?.trim_matches('"');
    Some((bucket.to_owned(), key.to_owned(), etag.to_owned()))
}

/// Whether an object is of this version: `s3s-fs` 0.14 does not compare it when it copies a part.
pub(super) async fn is_version(
    files: &FileSystem,
    bucket: String,
    key: String,
    etag: &str,
) -> bool {
    let input = HeadObjectInput::builder()
        .bucket(bucket)
        .key(key)
        .build()
        .expect("a bucket and a key make a request");
    let head = S3Request {
        input,
        method: Method::HEAD,
        uri: Uri::default(),
        headers: HeaderMap::default(),
        extensions: Extensions::default(),
        credentials: None,
        region: None,
        service: None,
        trailing_headers: None,
    };
    let Ok(found) = files.head_object(head).await else {
        return true; // The copy itself says what is missing.
    };
    found.output.e_tag.map(ETag::into_value).as_deref() == Some(etag)
}

pub(super) fn precondition_failed() -> Response {
    let body = "<Error><Code>PreconditionFailed</Code>\
                <Message>At least one of the pre-conditions you specified did not hold</Message></Error>";
    Response::builder()
        .status(412)
        .header("content-type", "application/xml")
        .body(Body::from(body))
        .expect("a status and a body make a response")
}
