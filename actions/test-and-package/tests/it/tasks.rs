//! Which task is run, and what is told of how it ended.

use std::time::Duration;

use delivery_action::failure::FailureType;
use delivery_testing::events::invocation_of;
use delivery_testing::source::untimed;
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

#[test_case(&[("package.json", "{\"scripts\": {\"lint\": \"x\", \"test\": \"y\"}}")], "task=pack", "`package.json` has no script `pack` (it has: `lint`, `test`)"; "npm")]
#[test_case(&[("package.json", "{}")], "task=pack", "`package.json` has no script `pack` (it has none)"; "npm without any")]
#[test_case(&[("gulpfile.js", ""), ("node_modules/.bin/gulp", GULP), ("tasks/lint.sh", ""), ("tasks/test.sh", "")], "task=pack", "`gulpfile.js` has no task `pack` (it has: `lint`, `test`)"; "gulp")]
#[test_case(&[("web/package.json", "{}")], "task=pack&directory=web", "`web/package.json` has no script `pack` (it has none)"; "npm further down")]
#[test_case(&[("gulpfile.js", "")], "task=package", "gulp is not installed for `.`: no `node_modules/.bin/gulp` there or above"; "no gulp")]
#[test_case(&[("package.json", "{}")], "task=package&runner=gulp", "`.` has no gulpfile"; "no gulpfile")]
#[test_case(&[("README.md", "")], "task=package", "`.` has neither a gulpfile nor a `package.json`"; "no project")]
#[test_case(&[("package.json", "{}")], "task=--version", "`--version` is not a task name"; "an option")]
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
async fn a_gulpfile_may_be_a_folder() {
    let files = [
        ("gulpfile.js/index.js", "package"),
        ("node_modules/.bin/gulp", GULP),
        ("tasks/package.sh", "true"),
    ];
    let (_store, ended) = run(&files, "task=package", &[]).await;
    assert_eq!(untimed(&ended.unwrap().summary), "package (gulp) in …");
}

/// A gulpfile for styles beside npm's scripts.
#[tokio::test]
async fn a_script_of_npms_is_run_where_gulp_has_no_such_task() {
    let manifest = manifest("true");
    let mut files = vec![("gulpfile.js", "styles"), ("package.json", &*manifest)];
    let (_store, ended) = run(&files, "task=package", &[]).await;
    assert_eq!(
        untimed(&ended.unwrap().summary),
        "package (npm) in …; ran the npm script instead: gulp is not installed for `.`: no \
         `node_modules/.bin/gulp` there or above"
    );
    files.extend([("node_modules/.bin/gulp", GULP), ("tasks/styles.sh", "")]);
    let (_store, ended) = run(&files, "task=package", &[]).await;
    assert_eq!(
        untimed(&ended.unwrap().summary),
        "package (npm) in …; ran the npm script instead: `gulpfile.js` has no task `package` (it has: `styles`)"
    );
    let (_store, ended) = run(&files, "task=package&runner=gulp", &[]).await;
    assert_eq!(
        ended.unwrap_err().cause,
        "`gulpfile.js` has no task `package` (it has: `styles`)"
    );
}

/// Scripts whose failure has a known cause: the program's own words, and what the hint says.
#[test_case("node -e 'primordials'", "gulp 4 or 5"; "gulp 3")]
#[test_case("webpack-that-is-not-there", "`devDependencies`"; "no program")]
#[test_case("node --max-old-space-size=20 -e 'const a = []; for (;;) a.push(new Array(1e5).fill(a.length))'", "raise the function's `MemorySize`"; "heap")]
#[test_case("node -e \"const s = require('net').createServer().listen(0, () => require('net').createServer().listen(s.address().port))\"", "any free port (0)"; "port")]
#[test_case("node -e \"require('./generated.json')\"", "`postinstall` does not run in npm-install unless"; "own install script")]
#[tokio::test]
async fn a_failure_of_a_known_cause_says_what_to_do(script: &str, remedy: &str) {
    let manifest =
        serde_json::json!({"scripts": {"package": script, "postinstall": "node gen.js"}});
    let (_store, ended) = run(
        &[("package.json", &manifest.to_string())],
        "task=package",
        &[],
    )
    .await;
    let failure = ended.unwrap_err();
    let hint = failure.hint.as_deref().unwrap();
    assert!(hint.contains(remedy), "{failure:#?}");
    assert!(hint.ends_with("; to reproduce it, run `npm run package` in the project's directory"));
}

#[tokio::test]
async fn a_missing_file_may_be_a_submodules() {
    let manifest = manifest("cat styles/main.css || node -e \"require('./styles/x')\"");
    let files = [
        ("package.json", &*manifest),
        (".gitmodules", "[submodule \"styles\"]\n\tpath = styles\n"),
    ];
    let (_store, ended) = run(&files, "task=package", &[]).await;
    let hint = ended.unwrap_err().hint.unwrap();
    assert!(
        hint.starts_with("the files of the submodule `styles` are not delivered"),
        "{hint}"
    );
}

#[tokio::test]
async fn paths_in_the_output_are_the_projects() {
    let manifest = manifest("pwd; node ../source/fails.js");
    let files = [
        ("package.json", &*manifest),
        ("fails.js", "\n\nthrow new Error('it broke')"),
    ];
    let (_store, ended) = run(&files, "task=package", &[]).await;
    let output = ended.unwrap_err().output.unwrap();
    assert!(output.lines().any(|line| line == "fails.js:3"), "{output}");
    assert!(!output.contains("delivery-job"), "{output}");
}

#[tokio::test]
async fn a_failure_names_the_failed_tests_what_the_first_says_and_where() {
    let script =
        "mkdir reports; sed s,ROOT,$PWD, report.xml > reports/a.xml; echo '1 failing'; exit 2";
    let report = REPORT.replace(
        "<failure message=\"no\"/>",
        "<failure message=\"no\">Error: no &amp; no\n    at f (ROOT/test/a.js:9:1)</failure>",
    );
    let files = [
        ("package.json", &*manifest(script)),
        ("report.xml", &*report),
        ("test/a.js", ""),
    ];
    let (_store, ended) = run(&files, "task=package&report=reports/*.xml", &[]).await;
    let failure = ended.unwrap_err();
    assert_eq!(failure.failure_type, FailureType::JobFailed);
    assert_eq!(
        failure.cause,
        "the npm task `package` failed: 1 of 2 tests failed: `greetings says hello`: `npm run \
         package` ended with exit code 2\nthe test says:\n  Error: no & no\nlocation: test/a.js:9"
    );
    assert_eq!(failure.output, None);
}

#[tokio::test]
async fn the_command_that_failed_reads_as_in_the_project() {
    let files = [
        ("gulpfile.js", "package"),
        ("node_modules/.bin/gulp", GULP),
        ("tasks/package.sh", "exit 3"),
    ];
    let (_store, ended) = run(&files, "task=package", &[]).await;
    assert_eq!(
        ended.unwrap_err().cause,
        "the gulp task `package` failed: `node_modules/.bin/gulp package` ended with exit code 3"
    );
}

#[tokio::test]
async fn where_no_test_says_anything_there_is_the_output() {
    let script = "mkdir reports; cp report.xml reports/; echo 'test/a.js:9: 1 failing'; exit 2";
    let report = REPORT.replace("<failure message=\"no\"/>", "");
    let files = [
        ("package.json", &*manifest(script)),
        ("report.xml", &*report),
        ("test/a.js", ""),
    ];
    let (_store, ended) = run(&files, "task=package&report=reports/*.xml", &[]).await;
    let failure = ended.unwrap_err();
    assert_eq!(
        failure.cause,
        "the npm task `package` failed (2 tests: 2 passed): `npm run package` ended with exit code 2\nlocation: test/a.js:9"
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
        "2 tests: 2 passed; package (npm) in …; the report `r/garbled.xml` cannot be read: it is \
         not a JUnit report"
    );
    let (_store, ended) = run(&files, "task=package&report=none/*.xml", &[]).await;
    assert_eq!(
        untimed(&ended.unwrap().summary),
        "package (npm) in …; tests not counted: no JUnit file matches `none/*.xml`"
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
            .starts_with("the npm task `package` failed: `npm run package` was stopped after"),
        "{failure:?}"
    );
    assert!(failure.output.unwrap().contains("waiting\n"));
    assert!(deadline.remaining() > Duration::ZERO);
}
