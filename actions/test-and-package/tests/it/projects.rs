//! Small real projects.

use delivery_action::action::{Completion, Outcome};
use delivery_action::failure::Failure;
use delivery_testing::archives::{EXECUTABLE, FILE};
use delivery_testing::source::SourceStore;
use test_and_package::TestAndPackage;

/// A report as mocha's reporter writes it, with one test that failed.
pub(crate) const REPORT: &str = r#"<testsuites><testsuite name="greetings">
    <testcase name="greetings greets by name" classname="greets by name"/>
    <testcase name="greetings says hello" classname="says hello"><failure message="no"/></testcase>
    </testsuite></testsuites>"#;

/// Stands for gulp, with the words of gulp 5.0.1 where a task is not there. A task's body is the file
/// `tasks/NAME.sh`.
pub(crate) const GULP: &str = r#"#!/bin/sh
if [ "$1" = --tasks-simple ]; then
  for file in tasks/*.sh; do basename "$file" .sh; done
  exit 0
fi
echo "[04:00:00] Using gulpfile $PWD/gulpfile.js"
if [ ! -e "tasks/$1.sh" ]; then
  echo "[04:00:00] Task never defined: $1" >&2
  echo "[04:00:00] To list available tasks, try running: gulp --tasks" >&2
  exit 1
fi
echo "[04:00:00] Starting '$1'..."
. "tasks/$1.sh"
"#;

/// Files with their modes; `node_modules/.bin` can be run.
pub(crate) async fn store(files: &[(&str, &str)]) -> SourceStore {
    let entries: Vec<_> = files
        .iter()
        .map(|(name, text)| {
            (
                *name,
                text.as_bytes(),
                if name.contains(".bin/") {
                    EXECUTABLE
                } else {
                    FILE
                },
            )
        })
        .collect();
    SourceStore::of_entries(&entries).await
}

/// Runs the action on a source of these files.
pub(crate) async fn run(
    files: &[(&str, &str)],
    user_parameters: &str,
    outputs: &[&str],
) -> (SourceStore, Result<Completion, Failure>) {
    let store = store(files).await;
    let event = store.event_with_outputs(user_parameters, outputs);
    let action = TestAndPackage::new(&store.s3().config());
    let ended = store
        .run(&action, event)
        .await
        .map(|outcome| match outcome {
            Outcome::Complete(completion) => completion,
            Outcome::Continue(_) => panic!("test-and-package is done in one job"),
        });
    (store, ended)
}

/// A `package.json` with one script, `package`.
pub(crate) fn manifest(script: &str) -> String {
    serde_json::json!({"name": "app", "scripts": {"package": script, "lint": "true"}}).to_string()
}
