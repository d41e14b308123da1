//! The pages that are made from the declarations of the keys.

use std::fs;
use std::path::PathBuf;

use delivery_definition::{json_schema, parse, reference};

/// If set, the pages are rewritten instead of compared.
const UPDATE: &str = "DELIVERY_UPDATE_DOCS";

fn check(path: &str, expected: &str) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(path);
    if fs::read_to_string(&file).is_ok_and(|text| text == expected) {
        return;
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "this crate does not depend on delivery_action"
    )]
    let update = std::env::var_os(UPDATE).is_some();
    assert!(
        update,
        "docs/{path} differs from the keys; rewrite it with\n  {UPDATE}=1 cargo test --workspace --test definition"
    );
    // Other tests read the page at the same time: they must see the old or the new text, never half of it.
    let rewritten = file.with_extension("new");
    fs::write(&rewritten, expected).unwrap();
    fs::rename(rewritten, file).unwrap();
}

#[test]
fn the_schema_is_that_of_the_keys() {
    check("delivery.schema.json", &json_schema());
}

#[test]
fn the_reference_is_that_of_the_keys() {
    check("delivery-toml.md", &reference());
}

fn accepts(text: &str) -> bool {
    let schema: serde_json::Value = serde_json::from_str(&json_schema()).unwrap();
    let file: toml::Table = toml::from_str(text).unwrap();
    jsonschema::is_valid(&schema, &serde_json::to_value(file).unwrap())
}

/// Whoever copies it wants it to work.
#[test]
fn the_example_of_the_reference_has_only_keys_that_are_applied() {
    let example = parse(include_str!("../../src/example.toml"), "delivery.toml").unwrap();
    assert_eq!(example.not_yet_supported(), []);
}

#[test]
fn the_schema_accepts_what_the_parser_accepts() {
    for example in [
        include_str!("workshop.toml"),
        include_str!("../../src/example.toml"),
    ] {
        assert!(parse(example, "delivery.toml").is_ok());
        assert!(accepts(example));
    }
    let settings = "stack-name = \"x\"\n[parameters]\nDays = 3\n[functions]\nchat = \"chat\"\n";
    assert!(parse(settings, "delivery.toml").is_ok());
    assert!(accepts(settings));
}

#[test]
fn the_schema_refuses_what_the_parser_refuses() {
    let wrong = [
        "regoin = \"x\"\n",
        "stack-name = 5\n",
        "[services.api]\nkind = \"app\"\n",
        "[services.api]\ndirectory = \"a\"\nkind = \"lambda\"\n",
        "[environments.prd]\nttl = \"8 pm\"\n",
        "[previews]\nbase = [\"main\"]\nlimit = 1000\n",
    ];
    for text in wrong {
        assert!(parse(text, "delivery.toml").is_err(), "{text}");
        assert!(!accepts(text), "{text}");
    }
}
