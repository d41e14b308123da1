//! The commands about releases, against a repository in memory and the engine's pipelines.

mod environments;
mod listing;
mod promotion;
mod pruning;
mod rollback;
mod shop;

use serde_json::Value;

use crate::text;

/// The message of the error that a command ended with.
fn message(document: &Value) -> &str {
    text(&document["error"]["message"])
}
