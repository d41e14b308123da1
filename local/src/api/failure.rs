//! Errors of the API: a status, a code and a message, whatever the protocol.

use http::StatusCode;

use crate::access::AccessDenied;
use crate::engine::message::Refusal;

/// Why a request is not served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error(
        "this server accepts requests only from programs on this machine and from its own pages"
    )]
    Forbidden,
    #[error(transparent)]
    AccessDenied(#[from] AccessDenied),
    #[error("the local AWS does not support the operation `{0}`")]
    UnknownOperation(String),
    #[error(
        "the content type `{0}` does not belong to the protocol `rpc-v2-cbor`; send `application/cbor`"
    )]
    UnsupportedMediaType(String),
    #[error("the request's body is too large; the limit is {0} bytes")]
    TooLarge(usize),
    #[error("the request's body did not arrive in time")]
    Timeout,
    #[error("the request's body cannot be read: {0}")]
    Serialization(String),
    #[error("{0}")]
    Validation(String),
    #[error("{0}")]
    Unavailable(String),
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl ApiError {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Forbidden => "AccessDeniedException",
            Self::AccessDenied(denied) => denied.code(),
            Self::UnknownOperation(_) => "UnknownOperationException",
            Self::UnsupportedMediaType(_) => "UnsupportedMediaTypeException",
            Self::TooLarge(_) => "RequestEntityTooLargeException",
            Self::Timeout => "RequestTimeoutException",
            Self::Serialization(_) => "SerializationException",
            Self::Validation(_) => "ValidationException",
            Self::Unavailable(_) => "ServiceUnavailableException",
            Self::Refused(refusal) => refusal.code(),
        }
    }
}
