//! CloudWatch Logs, as far as actions read it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Answer, ApiRequest};

/// All log groups.
#[derive(Debug, Default)]
pub struct Logs {
    groups: BTreeMap<String, Vec<Value>>,
}

impl Logs {
    /// Adds an event to a group; the time is in milliseconds since the epoch.
    pub fn write(&mut self, group: &str, stream: &str, at_ms: i64, message: &str) {
        let events = self.groups.entry(group.to_owned()).or_default();
        events.push(json!({
            "eventId": events.len().to_string(),
            "logStreamName": stream,
            "timestamp": at_ms,
            "message": message,
        }));
    }

    pub(super) fn route(&self, request: &ApiRequest) -> Answer {
        match request.operation.name.as_str() {
            "FilterLogEvents" => self.filter(request),
            "DescribeLogGroups" => self.describe(request),
            other => Answer::error(400, "UnknownOperationException", other),
        }
    }

    fn filter(&self, request: &ApiRequest) -> Answer {
        let Some(events) = self.groups.get(request.text("logGroupName")) else {
            let message = "The specified log group does not exist.";
            return Answer::error(400, "ResourceNotFoundException", message);
        };
        let time = |key: &str, default| request.body[key].as_i64().unwrap_or(default);
        let span = time("startTime", 0)..=time("endTime", i64::MAX);
        let found = events.iter().filter(|event| {
            let at = event["timestamp"].as_i64();
            at.is_some_and(|at| span.contains(&at))
        });
        Answer::json(&json!({"events": found.collect::<Vec<_>>()}))
    }

    fn describe(&self, request: &ApiRequest) -> Answer {
        let prefix = request.text("logGroupNamePrefix");
        let names = self.groups.keys().filter(|name| name.starts_with(prefix));
        let found: Vec<_> = names.map(|name| json!({"logGroupName": name})).collect();
        Answer::json(&json!({"logGroups": found}))
    }
}
