//! What went over the wire: requests by operation, and the bytes of their bodies both ways.

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use serde_json::{Value, json};

/// Requests and bytes since the last count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Requests by the name of their operation.
    pub requests: BTreeMap<String, u64>,
    /// Bytes of bodies that clients sent.
    pub bytes_in: u64,
    /// Bytes of bodies that clients got.
    pub bytes_out: u64,
}

impl Counted {
    /// How many requests there were.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.requests.values().sum()
    }

    /// The requests as a table shows them: `GetObject 2, PutObject 100`.
    #[must_use]
    pub fn shown(&self) -> String {
        let each = self
            .requests
            .iter()
            .map(|(name, count)| format!("{name} {count}"));
        each.collect::<Vec<_>>().join(", ")
    }

    pub(super) fn add(&mut self, operation: String, bytes_in: u64, bytes_out: u64) {
        *self.requests.entry(operation).or_default() += 1;
        self.bytes_in += bytes_in;
        self.bytes_out += bytes_out;
    }

    pub(super) fn to_json(&self) -> Value {
        json!({"requests": self.requests, "in": self.bytes_in, "out": self.bytes_out})
    }

    pub(super) fn from_json(value: &Value) -> Self {
        let number = |value: &Value| value.as_u64().unwrap_or_default();
        let requests = value["requests"].as_object().cloned().unwrap_or_default();
        Self {
            requests: requests
                .iter()
                .map(|(name, count)| (name.clone(), number(count)))
                .collect(),
            bytes_in: number(&value["in"]),
            bytes_out: number(&value["out"]),
        }
    }
}

/// The length that a message's headers announce.
pub(super) fn length(headers: &HeaderMap) -> u64 {
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok());
    length
        .and_then(|length| length.parse().ok())
        .unwrap_or_default()
}
