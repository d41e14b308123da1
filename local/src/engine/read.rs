//! What the read operations answer: the state in the API's shapes. Reading changes nothing.

mod executions;
mod jobs;
mod pages;
mod pipelines;

pub(crate) use executions::ActionFilter;
pub(crate) use jobs::event;
pub(crate) use pages::{Cut, Listed};

use jiff::Timestamp;
use serde_json::{Map, Value};

/// JSON 1.1 has time as seconds since 1970, with a fraction.
pub(crate) fn epoch_seconds(time: Timestamp) -> f64 {
    std::time::Duration::try_from(time.as_duration())
        .unwrap_or_default()
        .as_secs_f64()
}

/// An object without the members that have no value.
pub(crate) fn present(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.collect::<Map<_, _>>())
        }
        other => other,
    }
}
