//! What the pipeline's owner reads, for each way to fail.

use delivery_action::failure::{ActionError, Failure};
use delivery_action::process::ProcessError;
use delivery_node::junit::Report;
use delivery_node::project::ProjectError;
use delivery_node::task::{Runner, TaskError};
use test_and_package::TestAndPackageError;

fn printed(error: &dyn ActionError) -> String {
    let failure = Failure::new(error);
    format!("{:?}: {}", failure.failure_type, failure.message("LOG"))
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn ended() -> ProcessError {
    ProcessError::Exit {
        command: text("gulp package"),
        code: 1,
        output: text("1 failing\n"),
    }
}

#[test]
fn about_outputs() {
    let without = TestAndPackageError::OutputWithoutKey {
        artifact: text("Site"),
    };
    insta::assert_snapshot!(printed(&without), @"
    ConfigurationError: output artifact `Site` has no path: `UserParameters` has no key `Site`
    hint: add `Site=PATH` to the action's `UserParameters`: the file or folder to store as the artifact, relative to `directory`
    log: LOG
    ");
    let named = TestAndPackageError::OutputNamedAsKey {
        artifact: text("task"),
    };
    insta::assert_snapshot!(printed(&named), @"
    ConfigurationError: output artifact `task` has the same name as a parameter of this action
    hint: rename the output artifact `task`
    log: LOG
    ");
    let output = |source| TestAndPackageError::Output {
        artifact: text("Site"),
        source,
    };
    insta::assert_snapshot!(printed(&output(ProjectError::Missing { path: text("dist") })), @"
    ConfigurationError: cannot create output artifact `Site`: `dist` is not in the source
    hint: let the task write `dist`, or correct `Site` in `UserParameters` (a path relative to `directory`)
    log: LOG
    ");
    let tree = TestAndPackageError::Tree(std::io::ErrorKind::PermissionDenied.into());
    insta::assert_snapshot!(printed(&tree), @"
    JobFailed: the project's folder cannot be prepared as an output artifact: permission denied
    hint: let the task make no files or folders in the project that it cannot remove again
    log: LOG
    ");
    insta::assert_snapshot!(printed(&output(ProjectError::Leaves { path: text("..") })), @"
    ConfigurationError: cannot create output artifact `Site`: `..` leaves the source
    hint: give a relative path that stays inside the source
    log: LOG
    ");
}

#[test]
fn about_a_task_that_is_not_there() {
    let unknown = |runner, tasks| {
        TestAndPackageError::Task(TaskError::Unknown {
            task: text("pack"),
            runner,
            file: text(match runner {
                Runner::Npm => "package.json",
                Runner::Gulp => "gulpfile.js",
            }),
            tasks,
        })
    };
    insta::assert_snapshot!(printed(&unknown(Runner::Npm, vec![text("package")])), @"
    ConfigurationError: `package.json` has no script `pack` (it has: `package`)
    hint: correct the name, or add a script of that name to `package.json`
    log: LOG
    ");
    insta::assert_snapshot!(printed(&unknown(Runner::Gulp, vec![])), @"
    ConfigurationError: `gulpfile.js` has no task `pack` (it has none)
    hint: correct the name, or export a task of that name from the gulpfile
    log: LOG
    ");
    let many = (0..45).map(|index| format!("t{index}")).collect();
    assert!(printed(&unknown(Runner::Npm, many)).contains("`t39` and 5 more)\n"));
    insta::assert_snapshot!(printed(&TaskError::Name { task: text("-x") }), @"
    ConfigurationError: `-x` is not a task name
    hint: set `task` to the name of a gulp task or an npm script
    log: LOG
    ");
}

#[test]
fn about_a_project_without_what_it_needs() {
    insta::assert_snapshot!(printed(&TaskError::NoGulpfile { directory: text("web") }), @"
    ConfigurationError: `web` has no gulpfile
    hint: correct `directory`, or set `runner=npm`
    log: LOG
    ");
    insta::assert_snapshot!(printed(&TaskError::NoGulp { directory: text("web") }), @"
    ConfigurationError: gulp is not installed for `web`: no `node_modules/.bin/gulp` there or above
    hint: add `gulp` to the project's dependencies and use the artifact of npm-install as this action's input; with `omit=dev` it has no development dependencies
    log: LOG
    ");
    insta::assert_snapshot!(printed(&TaskError::NoManifest { directory: text("web") }), @"
    ConfigurationError: `web` has neither a gulpfile nor a `package.json`
    hint: correct `directory`
    log: LOG
    ");
    let manifest = TaskError::Manifest {
        path: text("package.json"),
        reason: text("line 1"),
    };
    insta::assert_snapshot!(printed(&manifest), @"
    JobFailed: `package.json` cannot be read: line 1
    hint: correct `package.json` in the source
    log: LOG
    ");
}

#[test]
fn about_a_task_that_failed() {
    let failed_so = |report: Option<Report>, ended| TaskError::Failed {
        task: text("package"),
        runner: Runner::Gulp,
        directory: ".".to_owned(),
        report: report.map(Box::new),
        advice: None,
        failure: Box::default(),
        ended,
    };
    let failed = |report| failed_so(report, ended());
    insta::assert_snapshot!(printed(&failed(None)), @"
    JobFailed: the gulp task `package` failed: `gulp package` ended with exit code 1
    hint: run `npx gulp package` in the project's directory
    last lines of output:
    1 failing
    log: LOG
    ");
    let not_waited_for = ProcessError::Wait {
        command: text("gulp package"),
        source: std::io::Error::other("no child processes"),
    };
    let not_waited_for = failed_so(None, not_waited_for);
    assert!(
        printed(&not_waited_for).contains("cannot wait for `gulp package`: no child processes\n"),
        "{}",
        printed(&not_waited_for)
    );
    let names = (0..12).map(|index| format!("test {index}")).collect();
    let report = Report {
        files: 1,
        tests: 40,
        failed: 12,
        skipped: 1,
        failed_names: names,
        first_failed: None,
    };
    insta::assert_snapshot!(printed(&failed(Some(report))), @"
    JobFailed: the gulp task `package` failed: 12 of 40 tests failed: `test 0`, `test 1`, `test 2`, `test 3`, `test 4`, `test 5`, `test 6`, `test 7`, `test 8`, `test 9` and 2 more: `gulp package` ended with exit code 1
    hint: run `npx gulp package` in the project's directory
    last lines of output:
    1 failing
    log: LOG
    ");
    let passed = Report {
        files: 1,
        tests: 40,
        ..Report::default()
    };
    insta::assert_snapshot!(printed(&failed(Some(passed))), @"
    JobFailed: the gulp task `package` failed (40 tests: 40 passed): `gulp package` ended with exit code 1
    hint: run `npx gulp package` in the project's directory
    last lines of output:
    1 failing
    log: LOG
    ");
}
