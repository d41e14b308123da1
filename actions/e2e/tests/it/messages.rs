//! What the pipeline's owner reads, for each way to fail.

use delivery_action::failure::Failure;
use delivery_action::process::ProcessError;
use delivery_node::task::{Runner, TaskError};
use e2e::{Attempts, EndToEndError};

fn printed(error: &EndToEndError) -> String {
    let failure = Failure::new(error);
    format!("{:?}: {}", failure.failure_type, failure.message("LOG"))
}

fn failed() -> TaskError {
    TaskError::Failed {
        task: "test-functional".to_owned(),
        runner: Runner::Gulp,
        directory: ".".to_owned(),
        advice: None,
        report: None,
        failure: Box::default(),
        ended: ProcessError::Exit {
            command: "gulp test-functional".to_owned(),
            code: 1,
            output: "1 failing\n".to_owned(),
        },
    }
}

#[test]
fn about_a_stage_that_fails_its_tests() {
    let error = EndToEndError::Failed {
        task: "test-functional".to_owned(),
        target: Some("https://test.example.com".to_owned()),
        earlier: Attempts::default(),
        source: failed(),
    };
    insta::assert_snapshot!(printed(&error), @"
    JobFailed: `test-functional` of `https://test.example.com` failed: the gulp task `test-functional` failed: `gulp test-functional` ended with exit code 1
    hint: run `npx gulp test-functional` in the project's directory
    last lines of output:
    1 failing
    log: LOG
    ");
}

#[test]
fn about_a_task_that_cannot_be_run() {
    let error = EndToEndError::Task(TaskError::NoGulp {
        directory: ".".to_owned(),
    });
    insta::assert_snapshot!(printed(&error), @"
    ConfigurationError: gulp is not installed for `.`: no `node_modules/.bin/gulp` there or above
    hint: add `gulp` to the project's dependencies and use the artifact of npm-install as this action's input; with `omit=dev` it has no development dependencies
    log: LOG
    ");
}
