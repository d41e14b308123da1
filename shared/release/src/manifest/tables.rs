//! The same content for other programs: as variables of Terraform, and as YAML.

use serde_json::{Map, Value, json};

use super::Manifest;
use crate::repository::layout;

impl Manifest {
    /// The variables of a Terraform module: `artifacts` maps `SERVICE.ARTIFACT` to its bucket, key and digest, which is
    /// written as `source_code_hash` takes it. For a file that ends in `.tfvars.json`.
    #[must_use]
    pub fn tfvars(&self, bucket: &str) -> Value {
        let mut artifacts = Map::new();
        for (service, entry) in &self.services {
            for (name, artifact) in entry.artifacts() {
                let digest = &artifact.sha256;
                artifacts.insert(
                    format!("{service}.{name}"),
                    json!({
                        "bucket": bucket,
                        "key": layout::blob(digest),
                        "sha256": digest.base64(),
                    }),
                );
            }
        }
        json!({ "artifacts": artifacts })
    }

    /// As YAML, for people and programs that prefer it; the id is that of the JSON.
    ///
    /// # Panics
    ///
    /// Never: a manifest consists of maps, lists, texts and whole numbers.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        serde_saphyr::to_string(self).expect("a manifest is YAML")
    }
}
