//! The published schema: `docs/release.schema.json`.

use std::fs;
use std::path::PathBuf;

use delivery_action::env;
use delivery_release::manifest::{Manifest, json_schema};
use delivery_release::repository::Publisher;
use serde_json::Value;

use crate::world::World;

/// If set, the page is rewritten instead of compared.
const UPDATE: &str = "DELIVERY_UPDATE_DOCS";

#[test]
fn the_schema_is_that_of_the_types() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/release.schema.json");
    let expected = json_schema();
    if fs::read_to_string(&file).is_ok_and(|text| text == expected) {
        return;
    }
    assert!(
        env::var_os(UPDATE).is_some(),
        "docs/release.schema.json differs from the types; rewrite it with\n  {UPDATE}=1 cargo test --workspace --test repository"
    );
    // Other tests read the page at the same time: they must see the old or the new text, never half of it.
    let rewritten = file.with_extension("new");
    fs::write(&rewritten, expected).unwrap();
    fs::rename(rewritten, file).unwrap();
}

fn is_valid(manifest: &Value) -> bool {
    let schema: Value = serde_json::from_str(&json_schema()).unwrap();
    jsonschema::is_valid(&schema, manifest)
}

#[tokio::test]
async fn the_schema_takes_what_is_read_and_refuses_what_is_refused() {
    let world = World::start().await;
    let mut publisher = Publisher::new(&world.repository);
    let manifest = world.manifest("a", &mut publisher).await;
    let good: Value = serde_json::from_slice(&manifest.to_bytes()).unwrap();
    assert!(is_valid(&good));
    let wrong: [(&str, Value); 6] = [
        ("/schema", 2.into()),
        ("/extra", true.into()),
        ("/services/api/engine", "terraform".into()),
        ("/services/api/extra", true.into()),
        ("/services/api/template/sha256", "ABC".into()),
        ("/services/api/artifacts/F0/size", (-1).into()),
    ];
    for (pointer, value) in wrong {
        let mut bad = good.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        bad.pointer_mut(parent).unwrap()[name] = value;
        assert!(!is_valid(&bad), "{pointer}");
        let read = Manifest::read(bad.to_string().as_bytes());
        assert!(read.is_err(), "{pointer}");
    }
}
