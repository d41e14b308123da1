//! Small real projects.

use delivery_action::action::{Completion, Outcome};
use delivery_action::failure::{Failure, FailureType};
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

/// How often a job is run at most: each lock file is installed from the real registry, to which a connection can fail.
const ATTEMPTS: usize = 3;

/// Addresses of a test's own registry: there, a failure is what the test is about.
const OWN_REGISTRY: &str = "127.0.0.1";

/// Runs the action on a source of these files; again, as its hint says, when the real registry was unreachable.
pub(crate) async fn run(
    files: &[(&str, &str)],
    user_parameters: &str,
) -> (SourceStore, Result<Completion, Failure>) {
    let has_own_registry = user_parameters.contains(OWN_REGISTRY)
        || files.iter().any(|(_, text)| text.contains(OWN_REGISTRY));
    let mut attempt = 1;
    loop {
        let (store, ended) = run_once(files, user_parameters).await;
        match &ended {
            Err(failure)
                if failure.failure_type == FailureType::SystemUnavailable
                    && !has_own_registry
                    && attempt < ATTEMPTS =>
            {
                println!("attempt {attempt}: {failure:?}");
                attempt += 1;
            }
            _ => return (store, ended),
        }
    }
}

async fn run_once(
    files: &[(&str, &str)],
    user_parameters: &str,
) -> (SourceStore, Result<Completion, Failure>) {
    run_with(files, user_parameters, |action| action).await
}

/// Runs an action that is set up by the caller.
pub(crate) async fn run_with(
    files: &[(&str, &str)],
    user_parameters: &str,
    set_up: impl Fn(NpmInstall) -> NpmInstall,
) -> (SourceStore, Result<Completion, Failure>) {
    let store = SourceStore::of(files).await;
    let event = store.event_with_outputs(user_parameters, &["SourceInstalledOutput"]);
    let action = set_up(NpmInstall::new(&store.s3().config()));
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
