//! CloudWatch's alarms and metrics, as far as actions read them.
//!
//! The SDK speaks CBOR to CloudWatch (Smithy's "RPC v2 CBOR protocol"). A metric is found by exactly its dimensions.

use std::collections::BTreeMap;
use std::time::Duration;

use ciborium::Value as Cbor;
use serde_json::{Value, json};

use super::{Answer, ApiRequest};

/// How a timestamp is marked (RFC 8949, 3.4.2).
const TIMESTAMP_TAG: u64 = 1;

/// All alarms and metrics.
#[derive(Debug, Default)]
pub struct CloudWatch {
    alarms: BTreeMap<String, Value>,
    /// Sums by metric and dimensions, as `Errors ExecutedVersion=2,...`.
    sums: BTreeMap<String, f64>,
}

impl CloudWatch {
    /// Puts an alarm into a state (`OK`, `ALARM`, `INSUFFICIENT_DATA`) that it has since then, in seconds of the Unix
    /// epoch; its window is this long.
    pub fn set_alarm(&mut self, name: &str, state: &str, since: Duration, window: Duration) {
        let alarm = json!({
            "AlarmName": name,
            "StateValue": state,
            "StateReason": "Threshold Crossed: 1 datapoint [5.0] was greater than the threshold (1.0).",
            "StateUpdatedTimestamp": since.as_secs(),
            "MetricName": "Errors",
            "Dimensions": [{"Name": "FunctionName", "Value": "greeter"}],
            "Period": window.as_secs(),
            "EvaluationPeriods": 1,
        });
        self.alarms.insert(name.to_owned(), alarm);
    }

    /// Deletes an alarm.
    pub fn delete_alarm(&mut self, name: &str) {
        self.alarms.remove(name);
    }

    /// Counts requests that an alias of a function (`greeter:prod`) gave to a version, and how many of them failed.
    pub fn count_requests(&mut self, resource: &str, version: &str, served: u32, failed: u32) {
        let function = resource.split(':').next().unwrap_or_default();
        let dimensions = BTreeMap::from([
            ("ExecutedVersion", version),
            ("FunctionName", function),
            ("Resource", resource),
        ]);
        let dimensions: Vec<String> = dimensions
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let dimensions = dimensions.join(",");
        for (metric, count) in [("Invocations", served), ("Errors", failed)] {
            let sum = self.sums.entry(format!("{metric} {dimensions}"));
            *sum.or_default() += f64::from(count);
        }
    }

    pub(super) fn route(&self, request: &ApiRequest) -> Answer {
        let body = ciborium::from_reader(request.bytes.as_ref()).map_or(Value::Null, json_of);
        let answer = match request.operation.name.as_str() {
            "DescribeAlarms" => self.describe(&body),
            "GetMetricData" => self.metric_data(&body),
            other => return Answer::error(404, "UnknownOperationException", other),
        };
        let mut bytes = Vec::new();
        ciborium::into_writer(&cbor_of("", answer), &mut bytes).expect("memory takes all");
        Answer {
            status: 200,
            headers: vec![
                ("content-type", "application/cbor".to_owned()),
                ("smithy-protocol", "rpc-v2-cbor".to_owned()),
            ],
            body: bytes,
        }
    }

    fn describe(&self, body: &Value) -> Value {
        let names = body["AlarmNames"].as_array().into_iter().flatten();
        let found: Vec<_> = names
            .filter_map(|name| self.alarms.get(name.as_str()?).cloned())
            .collect();
        json!({"MetricAlarms": found, "CompositeAlarms": []})
    }

    fn metric_data(&self, body: &Value) -> Value {
        let queries = body["MetricDataQueries"].as_array().into_iter().flatten();
        let results: Vec<_> = queries
            .map(|query| {
                let values: Vec<f64> = self.sums.get(&key(&query["MetricStat"]["Metric"])).copied().into_iter().collect();
                json!({"Id": query["Id"], "Values": values, "Timestamps": [], "StatusCode": "Complete"})
            })
            .collect();
        json!({"MetricDataResults": results})
    }
}

fn key(metric: &Value) -> String {
    let dimensions = metric["Dimensions"].as_array().into_iter().flatten();
    let mut dimensions: Vec<String> = dimensions
        .map(|dimension| {
            let text = |key: &str| dimension[key].as_str().unwrap_or_default();
            format!("{}={}", text("Name"), text("Value"))
        })
        .collect();
    dimensions.sort();
    let name = metric["MetricName"].as_str().unwrap_or_default();
    format!("{name} {}", dimensions.join(","))
}

fn json_of(value: Cbor) -> Value {
    match value {
        Cbor::Bool(value) => value.into(),
        Cbor::Integer(value) => i64::try_from(value).unwrap_or_default().into(),
        Cbor::Float(value) => value.into(),
        Cbor::Text(value) => value.into(),
        Cbor::Tag(_, value) => json_of(*value),
        Cbor::Array(values) => values.into_iter().map(json_of).collect(),
        Cbor::Map(entries) => entries
            .into_iter()
            .filter_map(|(key, value)| Some((key.into_text().ok()?, json_of(value))))
            .collect(),
        _ => Value::Null,
    }
}

/// Timestamps are known by their names.
fn cbor_of(key: &str, value: Value) -> Cbor {
    match value {
        Value::Null => Cbor::Null,
        Value::Bool(value) => Cbor::Bool(value),
        Value::Number(value) => {
            let number = value.as_i64().map_or_else(
                || Cbor::Float(value.as_f64().unwrap_or_default()),
                Cbor::from,
            );
            if key.ends_with("Timestamp") {
                Cbor::Tag(TIMESTAMP_TAG, Box::new(number))
            } else {
                number
            }
        }
        Value::String(value) => Cbor::Text(value),
        Value::Array(values) => Cbor::Array(
            values
                .into_iter()
                .map(|value| cbor_of(key, value))
                .collect(),
        ),
        Value::Object(entries) => Cbor::Map(
            entries
                .into_iter()
                .map(|(key, value)| (Cbor::Text(key.clone()), cbor_of(&key, value)))
                .collect(),
        ),
    }
}
