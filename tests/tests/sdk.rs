//! Another team's action: written by `delivery new-action`, built on the crates as they would be published.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::post;
use pipeline_tests::application::Application;
use pipeline_tests::delivery::Delivery;
use pipeline_tests::home::home;
use pipeline_tests::{checkout, sdk};
use tokio::net::TcpListener;

/// A folder that stays, below `target`, so that cargo finds what it compiled there before.
fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sdk");
    let _nothing_there = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("installed/sdk")).unwrap();
    folder
}

fn new_action(program: &Path, into: &Path, name: &str) -> Output {
    Command::new(program)
        .args(["new-action", name, "--json", "--into"])
        .arg(into)
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_action_builds_on_the_packaged_crates_and_runs_in_a_pipeline() {
    let folder = folder();
    // An installation: the program, outside of where cargo builds it, and the crates beside it.
    sdk::package(&folder.join("installed/sdk")).unwrap();
    let installed = folder.join("installed/delivery");
    fs::hard_link(checkout::programs().join("delivery"), &installed).unwrap();
    let output = new_action(&installed, &folder, "post-to-chat");
    assert!(output.status.success(), "{output:?}");
    // The workspace's own patch counts here.
    fs::remove_dir_all(folder.join("post-to-chat/.cargo")).unwrap();
    sdk::workspace(&folder, "post-to-chat").unwrap();
    let printed = sdk::test(&folder).unwrap();
    assert!(
        printed.contains("a_message_is_posted_under_the_job_s_id ... ok"),
        "{printed}"
    );
    for dependency in ["Compiling aws-sdk", "Compiling ring"] {
        assert!(
            !printed.contains(dependency),
            "the features are not those of this workspace:\n{printed}"
        );
    }
    it_is_the_last_action_of_two_stages(&folder).await;
}

/// Delivers the example with the action that was built, once after each test of the deployed application.
async fn it_is_the_last_action_of_two_stages(folder: &Path) {
    let (webhook, messages) = webhook().await;
    let greeter = Application::example("greeter").unwrap();
    let settings = format!(
        r#"[functions.post-to-chat]
path = "{program}"
template = "{folder}/post-to-chat/template.yaml"
parameters = {{ WebhookUrl = "{webhook}" }}

[parameters]
AcceptanceAction = "post-to-chat"
AcceptanceActionParameters = "message=accepted"
ProductionAction = "post-to-chat"
ProductionActionParameters = "message=released+#{{SourceVariables.CommitId}}"
ProductionActionInput = "DistSiteOutput"
"#,
        program = checkout::programs().join("post-to-chat").display(),
        folder = folder.display(),
    );
    fs::write(greeter.path().join("delivery.toml"), settings).unwrap();
    let commit = greeter.commit("Tell the chat").unwrap();
    let home = home();
    let delivery = Delivery::silently(greeter.path(), home.path());
    let run = delivery.run(&[]).await.unwrap();
    assert_eq!(run.exit_code, 0, "{}", run.printed);
    let messages = messages.lock().unwrap();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(messages[0].contains("accepted"), "{messages:?}");
    assert!(
        messages[1].contains(&format!("released {commit}")),
        "{messages:?}"
    );
}

/// The address of a webhook, and the bodies that were posted to it.
async fn webhook() -> (String, Arc<Mutex<Vec<String>>>) {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&bodies);
    let answer = move |body: String| async move { seen.lock().unwrap().push(body) };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        axum::serve(listener, Router::new().route("/", post(answer)))
            .await
            .unwrap();
    });
    (url, bodies)
}

#[test]
fn the_example_is_what_the_command_writes() {
    let folder = tempfile::tempdir().unwrap();
    let program = checkout::programs().join("delivery");
    let output = new_action(&program, folder.path(), "notify-webhook");
    let written: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let files = written["files"].as_array().unwrap();
    assert_eq!(files.len(), 11);
    for file in files.iter().filter_map(|file| file.as_str()) {
        let text = |root: &Path| fs::read_to_string(root.join(file)).unwrap();
        let example = text(&checkout::root().join("examples/custom-action"));
        let written = text(&folder.path().join("notify-webhook"));
        if file == ".cargo/config.toml" {
            let shared = checkout::root().join("shared").display().to_string();
            assert_eq!(written.replace(&shared, "../../shared"), example);
        } else {
            assert_eq!(written, example, "{file}");
        }
    }
    let again = new_action(&program, folder.path(), "notify-webhook");
    assert_eq!(again.status.code(), Some(2), "{again:?}");
}
