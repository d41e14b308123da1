//! The published schema of manifests: `docs/release.schema.json`.

use schemars::generate::SchemaSettings;

use super::Manifest;

/// The JSON schema of manifests, as a file.
///
/// # Panics
///
/// Never: a schema is JSON.
#[must_use]
pub fn json_schema() -> String {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let schema = generator.into_root_schema_for::<Manifest>();
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is JSON");
    text.push('\n');
    text
}
