//! Files generated from the code: a test fails where one does not match.
//!
//! `DELIVERY_UPDATE_DOCS=1 cargo test --workspace --bin delivery` regenerates them.

use std::path::Path;

/// Compares a file of the checkout with what it has to be.
pub(crate) fn check(path: &str, expected: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    if delivery_action::env::var("DELIVERY_UPDATE_DOCS").is_some() {
        std::fs::write(&file, expected).unwrap();
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == expected,
        "`{path}` does not match the code; regenerate it with \
         `DELIVERY_UPDATE_DOCS=1 cargo test --workspace --bin delivery`"
    );
}
