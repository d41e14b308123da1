//! Which task is run, and what is told of how it ended.

use std::time::Duration;

use shared::failure::FailureType;
use shared::testing::events::invocation_of;
use shared::testing::source::untimed;
use test_and_package::TestAndPackage;
use test_case::test_case;

use crate::projects::{GULP, REPORT, manifest, run, store};

#[tokio::test]
async fn a_gulpfile_makes_gulp_the_runner() {
    let files = [
        ("gulpfile.js", ""),
        ("package.json", "{}"),
        ("node_modules/.bin/gulp", GULP),
        ("tasks/package.sh", "mkdir dist; echo one > dist/one"),
    ];
    let (store, ended) = run(&files, "task=package&Site=dist", &["Site"]).await;
    let summary = ended.unwrap().summary;
    assert!(
        untimed(&summary).starts_with("package (gulp) in …; Site from `dist` ("),
        "{summary}"
    );
    assert_eq!(store.output_files("Site").await["one"], b"one\n");
}

#[tokio::test]
async fn without_a_gulpfile_npm_is_the_runner() {
    let (_store, ended) = run(&[("package.json", &manifest("true"))], "task=package", &[]).await;
    assert_eq!(untimed(&ended.unwrap().summary), "package (npm) in …");
}

#[tokio::test]
async fn the_runner_can_be_chosen() {
    let files = [("gulpfile.mjs", ""), ("package.json", &*manifest("true"))];
    let (_store, ended) = run(&files, "task=package&runner=npm", &[]).await;
    assert_eq!(untimed(&ended.unwrap().summary), "package (npm) in …");
}

#[tokio::test]
async fn gulp_of_a_monorepo_is_found_above() {
    let files = [
        ("web/gulpfile.cjs", ""),
        ("node_modules/.bin/gulp", GULP),
        ("web/tasks/package.sh", "command -v gulp > ../where"),
    ];
    let (store, ended) = run(
        &files,
        "task=package&directory=web&Where=../where",
        &["Where"],
    )
    .await;
    ended.unwrap();
    let place = String::from_utf8(store.output("Where").await.unwrap().body).unwrap();
    assert!(
        place.ends_with("/source/node_modules/.bin/gulp\n"),
        "{place}"
    );
}

#[test_case(&[("package.json", "{\"scripts\": {\"lint\": \"x\", \"test\": \"y\"}}")], "task=pack", "there is no npm task `pack`; there are `lint`, `test`"; "npm")]
#[test_case(&[("package.json", "{}")], "task=pack", "there is no npm task `pack`; none could be found"; "npm without any")]
#[test_case(&[("gulpfile.js", ""), ("node_modules/.bin/gulp", GULP), ("tasks/lint.sh", ""), ("tasks/test.sh", "")], "task=pack", "there is no gulp task `pack`; there are `lint`, `test`"; "gulp")]
#[test_case(&[("gulpfile.js", "")], "task=package", "gulp is not installed for `.`: no `node_modules/.bin/gulp` there or above"; "no gulp")]
#[test_case(&[("package.json", "{}")], "task=package&runner=gulp", "there is no gulpfile in `.`"; "no gulpfile")]
#[test_case(&[("README.md", "")], "task=package", "there is neither a gulpfile nor a `package.json` in `.`"; "no project")]
#[test_case(&[("package.json", "{}")], "task=--version", "`--version` is no name of a task"; "an option")]
#[test_case(&[("package.json", "{}")], "task=x&directory=web", "`web` is not in the source"; "no directory")]
#[test_case(&[("package.json", "{}")], "runner=npm", "`UserParameters` lacks `task`"; "no task")]
#[test_case(&[("package.json", "{}")], "task=x&runner=make", "`runner` in `UserParameters` is not valid: expected one of `gulp`, `npm`"; "unknown runner")]
#[test_case(&[("package.json", "{}")], "task=x&report=../*.xml", "`report` in `UserParameters` is not valid: expected a pattern of files below the project, such as `reports/**/*.xml`"; "report")]
#[tokio::test]
async fn what_cannot_be_run_is_named(files: &[(&str, &str)], parameters: &str, message: &str) {
    let (_store, ended) = run(files, parameters, &[]).await;
    let failure = ended.unwrap_err();
    assert_eq!(
        (failure.failure_type, failure.cause.as_str()),
        (FailureType::ConfigurationError, message)
    );
}

#[tokio::test]
async fn a_failure_names_the_failed_tests_and_keeps_the_last_lines() {
    let script = "mkdir reports; cp report.xml reports/; echo '1 failing'; exit 2";
    let files = [("package.json", &*manifest(script)), ("report.xml", REPORT)];
    let (_store, ended) = run(&files, "task=package&report=reports/*.xml", &[]).await;
    let failure = ended.unwrap_err();
    assert_eq!(failure.failure_type, FailureType::JobFailed);
    assert_eq!(
        failure.cause,
        "the npm task `package` failed: 1 of 2 tests failed: `greetings says hello`: `npm run \
         package` ended with exit code 2"
    );
    assert!(failure.output.unwrap().contains("1 failing\n"));
}

#[tokio::test]
async fn tests_are_counted_and_what_is_wrong_with_a_report_is_told() {
    let script = "mkdir r; cp ok.xml r/ok.xml; echo garbled > r/garbled.xml";
    let passed = REPORT.replace("<failure message=\"no\"/>", "");
    let files = [("package.json", &*manifest(script)), ("ok.xml", &*passed)];
    let (_store, ended) = run(&files, "task=package&report=r/*.xml", &[]).await;
    assert_eq!(
        untimed(&ended.unwrap().summary),
        "package (npm) in …; 2 tests: 2 passed; the report `r/garbled.xml` cannot be read: it is \
         not a JUnit report"
    );
    let (_store, ended) = run(&files, "task=package&report=none/*.xml", &[]).await;
    assert_eq!(
        untimed(&ended.unwrap().summary),
        "package (npm) in …; no report matches `none/*.xml`"
    );
}

#[tokio::test]
async fn a_task_gets_the_users_variables() {
    let manifest = manifest("printf %s \"$TARGET_URL\" > url");
    let parameters =
        "task=package&Env.TARGET_URL=https%3A%2F%2Ftest.example.com%2F%3Fa%3Db&Url=url";
    let (store, ended) = run(&[("package.json", &manifest)], parameters, &["Url"]).await;
    ended.unwrap();
    assert_eq!(
        store.output("Url").await.unwrap().body,
        b"https://test.example.com/?a=b"
    );
}

#[tokio::test]
async fn a_task_that_hangs_is_ended_before_the_function_is() {
    let store = store(&[("package.json", &manifest("echo waiting; sleep 1000"))]).await;
    let action = TestAndPackage::new(&store.s3().config());
    let event = store.event_with_outputs("task=package", &[]);
    let invocation = invocation_of(Duration::from_secs(10));
    let deadline = invocation.deadline;
    let failure = store.run_in(&action, event, invocation).await.unwrap_err();
    assert!(
        failure
            .cause
            .starts_with("the npm task `package` failed: `npm run package` was ended after"),
        "{failure:?}"
    );
    assert!(failure.output.unwrap().contains("waiting\n"));
    assert!(deadline.remaining() > Duration::ZERO);
}
