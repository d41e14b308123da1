//! YAML of package managers: their lock files and settings.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// Most nodes of a file: the lock file of 10,000 packages has some 300,000.
const MAX_NODES: usize = 4_000_000;

/// Most events of the parser: each node has one or two.
const MAX_EVENTS: usize = 2 * MAX_NODES;

/// Parses a file; the reason of a failure is one line.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_nodes: MAX_NODES, max_events: MAX_EVENTS },
    };
    // By way of one type: the parser's code is made for each type that it fills, and is some 100 KB each time.
    let value: Value = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let error = error.without_snippet().to_string();
        error.lines().next().unwrap_or_default().to_owned()
    })?;
    serde_json::from_value(value).map_err(|error| error.to_string())
}
