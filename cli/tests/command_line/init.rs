//! `delivery init`.

use std::path::Path;

use serde_json::Value;

use crate::program::{delivery, printed, says};

/// An example's folder.
fn example(name: &str) -> std::path::PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    root.join("examples").join(name)
}

#[test]
fn the_file_that_init_writes_is_rendered() {
    let folder = tempfile::tempdir().unwrap();
    for service in ["backend-database", "backend-restapi", "backend-tasks"] {
        let template = example("workshop").join(service).join("template.yaml");
        std::fs::create_dir(folder.path().join(service)).unwrap();
        std::fs::copy(template, folder.path().join(service).join("template.yaml")).unwrap();
    }
    let output = delivery(folder.path())
        .args(["init", "--json"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", printed(&output));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["services"][1]["name"], "backend-restapi");
    assert_eq!(answer["services"][1]["kind"], "stack");

    // What is there stays as it is.
    let again = says(folder.path(), &["init"], 2);
    assert!(
        again.contains("`./delivery.toml` already exists"),
        "{again}"
    );

    // It cannot know where a parameter's value comes from.
    let lacks = says(folder.path(), &["render", "--out", "made"], 2);
    assert!(
        lacks.contains(
            "delivery.toml:5: `backend-restapi/template.yaml` needs the parameter `TableName`"
        ),
        "{lacks}"
    );
    let file = folder.path().join("delivery.toml");
    let mut text = std::fs::read_to_string(&file).unwrap();
    for service in ["backend-restapi", "backend-tasks"] {
        let parameters = "{ TableName = \"${backend-database.TableName}\" }";
        let with = format!("= {{ directory = \"{service}\", parameters = {parameters} }}");
        text = text.replace(&format!("= \"{service}\""), &with);
    }
    std::fs::write(&file, text).unwrap();

    let output = delivery(folder.path())
        .args(["render", "--out", "made", "--json"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", printed(&output));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let files = [
        "made/delivery.yaml",
        "made/actions.yaml",
        "made/pipeline-apply-prod.yaml",
        "made/pipeline-apply-test.yaml",
        "made/pipeline.yaml",
    ];
    assert_eq!(answer["files"], serde_json::json!(files));
    assert_eq!(answer["environments"][0]["stage"], "test");
    assert_eq!(answer["environments"][1]["stage"], "prod");
    let pipeline = std::fs::read_to_string(folder.path().join("made/pipeline.yaml")).unwrap();
    assert!(
        pipeline.contains("- Name: deploy-stack-backend-tasks"),
        "{pipeline}"
    );
}

#[test]
fn nothing_that_can_be_deployed_is_said_with_what_could_be() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("infra")).unwrap();
    std::fs::write(folder.path().join("infra/main.tf"), "").unwrap();
    let message = says(folder.path(), &["init"], 5);
    assert!(
        message.contains("infra: services of the kind `terraform` are not deployed yet"),
        "{message}"
    );
    assert!(!folder.path().join("delivery.toml").exists());
}
