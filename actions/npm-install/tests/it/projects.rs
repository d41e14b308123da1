//! Small real projects.

use delivery_action::action::{Completion, Outcome};
use delivery_action::failure::Failure;
use delivery_testing::source::SourceStore;
use npm_install::NpmInstall;

/// A project with one dependency and none of its own.
pub(crate) const MANIFEST: &str =
    r#"{"name": "app", "version": "1.0.0", "dependencies": {"is-number": "7.0.0"}}"#;

/// Its lock file, as npm writes it.
pub(crate) const LOCK: &str = r#"{
  "name": "app",
  "version": "1.0.0",
  "lockfileVersion": 3,
  "requires": true,
  "packages": {
    "": {
      "name": "app",
      "version": "1.0.0",
      "dependencies": {
        "is-number": "7.0.0"
      }
    },
    "node_modules/is-number": {
      "version": "7.0.0",
      "resolved": "https://registry.npmjs.org/is-number/-/is-number-7.0.0.tgz",
      "integrity": "sha512-41Cifkg6e8TylSpdtTpeLVMqvSBEVzTttHvERD741+pnZ8ANv0004MRL43QKPDlK9cGvNp6NZWZUBlbGXYxxng==",
      "license": "MIT",
      "engines": {
        "node": ">=0.12.0"
      }
    }
  }
}
"#;

/// Runs the action on a source of these files.
pub(crate) async fn run(
    files: &[(&str, &str)],
    user_parameters: &str,
) -> (SourceStore, Result<Completion, Failure>) {
    let store = SourceStore::of(files).await;
    let event = store.event_with_outputs(user_parameters, &["SourceInstalledOutput"]);
    let action = NpmInstall::new(&store.s3().config());
    let ended = store
        .run(&action, event)
        .await
        .map(|outcome| match outcome {
            Outcome::Complete(completion) => completion,
            Outcome::Continue(_) => panic!("npm-install is done in one job"),
        });
    (store, ended)
}

/// The summary without what differs from machine to machine.
pub(crate) fn plain(summary: &str) -> String {
    let mut words = Vec::new();
    let mut replaces = false;
    for word in summary.split(' ') {
        let end = word.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '.');
        words.push(if replaces {
            format!("X{end}")
        } else {
            word.to_owned()
        });
        replaces = matches!(word, "in" | "(npm" | "Node.js");
    }
    words.join(" ")
}
