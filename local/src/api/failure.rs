//! Errors as JSON 1.1 has them: a status, `__type` and `message`.

use http::StatusCode;
use serde_json::{Value, json};

use crate::engine::message::Refusal;

/// Why a request is not served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("this server answers only requests to the loopback")]
    Forbidden,
    #[error("the operation `{0}` is not served by this engine")]
    UnknownOperation(String),
    #[error("the request's body cannot be read: {0}")]
    Serialization(String),
    #[error("{0}")]
    Validation(String),
    #[error("the pagination token is not one that this engine gave")]
    InvalidNextToken,
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl ApiError {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Forbidden => StatusCode::FORBIDDEN,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    pub(crate) fn body(&self) -> Value {
        json!({"__type": self.code(), "message": self.to_string()})
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Forbidden => "AccessDeniedException",
            Self::UnknownOperation(_) => "UnknownOperationException",
            Self::Serialization(_) => "SerializationException",
            Self::Validation(_) => "ValidationException",
            Self::InvalidNextToken => "InvalidNextTokenException",
            Self::Refused(refusal) => refusal.code(),
        }
    }
}
