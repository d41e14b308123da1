//! One object: its content in the pieces in which it came, so that a copy inside S3 moves no byte.

use std::ops::Range;

use axum::http::StatusCode;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use md5::{Digest as _, Md5};
use s3s::dto::{ETag, Metadata, StreamingBlob, Timestamp};
use s3s::{S3Error, S3ErrorCode, S3Result, StdError, s3_error};
use sha2::Sha256;

use delivery_action::clock;

/// An object, or a part of one.
#[derive(Clone, Debug)]
pub(super) struct Object {
    /// The content.
    pub(super) content: Content,
    /// MD5 of what was put; of an upload in parts what S3 makes of theirs.
    pub(super) etag: ETag,
    /// Its SHA-256 in base64, if whoever put it sent one: S3 keeps what it has compared.
    pub(super) sha256: Option<String>,
    /// When it was stored.
    pub(super) modified: Timestamp,
    /// What is told of it.
    pub(super) about: About,
}

/// The headers that an object keeps.
#[derive(Clone, Debug, Default)]
pub(super) struct About {
    /// `Content-Type`.
    pub(super) content_type: Option<String>,
    /// `Cache-Control`.
    pub(super) cache_control: Option<String>,
    /// `x-amz-meta-*`.
    pub(super) metadata: Option<Metadata>,
}

impl Object {
    /// An object stored now.
    pub(super) fn new(content: Content, etag: String, about: About) -> Self {
        Self {
            content,
            etag: ETag::Strong(etag),
            sha256: None,
            modified: Timestamp::from(clock::now()),
            about,
        }
    }
}

/// What S3 says of a body that does not come as it was announced. `s3s` compares digests, and ends the body with
/// an error that has no type of its own.
fn refused(error: &StdError) -> S3Error {
    let error = error.to_string();
    if !error.contains("Sha256Mismatch") {
        return s3_error!(IncompleteBody, "the body broke off: {error}");
    }
    let code = S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into());
    let mut refused = S3Error::with_message(code, "the body is not what its digest says");
    refused.set_status_code(StatusCode::BAD_REQUEST);
    refused
}

/// Bytes in pieces.
#[derive(Clone, Debug, Default)]
pub(super) struct Content(Vec<Bytes>);

impl Content {
    /// Reads a request's body; gives it with its MD5.
    pub(super) async fn read(body: Option<StreamingBlob>) -> S3Result<(Self, [u8; 16])> {
        let mut hash = Md5::new();
        let mut pieces = Vec::new();
        if let Some(mut body) = body {
            while let Some(piece) = body.try_next().await.map_err(|error| refused(&error))? {
                hash.update(&piece);
                pieces.push(piece);
            }
        }
        Ok((Self(pieces), hash.finalize().into()))
    }

    /// How many bytes it has.
    pub(super) fn len(&self) -> u64 {
        self.0.iter().map(|piece| piece.len() as u64).sum()
    }

    /// Its CRC-32.
    pub(super) fn crc32(&self) -> u32 {
        let mut hash = crc32fast::Hasher::new();
        self.0.iter().for_each(|piece| hash.update(piece));
        hash.finalize()
    }

    /// Its SHA-256.
    pub(super) fn sha256(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        self.0.iter().for_each(|piece| hash.update(piece));
        hash.finalize().into()
    }

    /// A copy in one piece.
    pub(super) fn to_vec(&self) -> Vec<u8> {
        self.0.concat()
    }

    /// A part of it, without a copy.
    pub(super) fn part(&self, range: Range<u64>) -> Self {
        let mut at = 0_u64;
        let mut pieces = Vec::new();
        for piece in &self.0 {
            let end = at + piece.len() as u64;
            let (from, to) = (range.start.max(at), range.end.min(end));
            if let (Ok(from), Ok(to)) = (
                usize::try_from(from - at),
                usize::try_from(to.saturating_sub(at)),
            ) && from < to
            {
                pieces.push(piece.slice(from..to));
            }
            at = end;
            if at >= range.end {
                break;
            }
        }
        Self(pieces)
    }

    /// All parts, one after another.
    pub(super) fn join(parts: impl IntoIterator<Item = Self>) -> Self {
        Self(parts.into_iter().flat_map(|part| part.0).collect())
    }

    /// An answer's body.
    pub(super) fn into_body(self) -> StreamingBlob {
        let pieces = self.0.into_iter().map(Ok::<_, std::io::Error>);
        StreamingBlob::wrap(futures_util::stream::iter(pieces))
    }
}
