//! `delivery render`.

use std::path::Path;

use crate::program::{delivery, printed, says};

#[test]
fn without_a_file_render_writes_what_is_committed() {
    let folder = tempfile::tempdir().unwrap();
    let output = delivery(folder.path())
        .args(["render", "--out", "."])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", printed(&output));
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cloudformation");
    for entry in std::fs::read_dir(committed).unwrap() {
        let committed = entry.unwrap();
        let written = std::fs::read(folder.path().join(committed.file_name())).unwrap();
        assert!(
            written == std::fs::read(committed.path()).unwrap(),
            "{committed:?}"
        );
    }
}

#[test]
fn what_cannot_be_a_pipeline_is_refused_with_its_lines() {
    let folder = tempfile::tempdir().unwrap();
    let text = "application = \"shop\"\n[services]\nweb = { directory = \"web\", site = \".\" }\n\
        api = { directory = \"api\", site = \".\", config = { a = \"${web.Adress}\" } }\n";
    std::fs::write(folder.path().join("delivery.toml"), text).unwrap();
    for service in ["web", "api"] {
        std::fs::create_dir(folder.path().join(service)).unwrap();
    }
    for command in ["validate", "render"] {
        let message = says(folder.path(), &[command], 2);
        assert!(
            message.contains(
                "delivery.toml:4: `web` is of the kind `site`, which has no output `Adress`"
            ),
            "{message}"
        );
    }
}
