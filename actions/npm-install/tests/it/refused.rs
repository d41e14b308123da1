//! What is refused before npm runs.

use shared::failure::FailureType;
use test_case::test_case;

use crate::projects::{LOCK, MANIFEST, run};

#[tokio::test]
async fn entries_that_cannot_be_verified_are_refused_by_name_and_nothing_is_stored() {
    let lock = LOCK.replace("https://registry", "http://registry").replace(
        "\"packages\": {",
        "\"packages\": {\n\"node_modules/left-pad\": {\"version\": \"1.3.0\"},",
    );
    let files = [
        ("package.json", MANIFEST),
        ("package-lock.json", lock.as_str()),
    ];
    let (store, ended) = run(&files, "").await;
    let failure = ended.unwrap_err();
    assert_eq!(failure.failure_type, FailureType::JobFailed);
    assert_eq!(
        failure.cause,
        "`package-lock.json` has 2 entries that cannot be verified: `node_modules/is-number` (plain \
         http), `node_modules/left-pad` (no integrity hash)"
    );
    assert_eq!(store.output("SourceInstalledOutput").await, None);
}

#[tokio::test]
async fn the_check_can_be_turned_off() {
    let lock = LOCK
        .lines()
        .filter(|line| !line.contains("\"integrity\""))
        .collect::<String>();
    let files = [
        ("package.json", MANIFEST),
        ("package-lock.json", lock.as_str()),
    ];
    let (_store, ended) = run(&files, "").await;
    assert!(
        ended
            .unwrap_err()
            .cause
            .contains("`node_modules/is-number` (no integrity hash)")
    );
    let (_store, ended) = run(&files, "integrity=off").await;
    ended.unwrap();
}

#[tokio::test]
async fn a_setting_that_makes_npm_run_a_program_is_refused_wherever_npm_reads_it() {
    for (path, key) in [
        ("web/.npmrc", "git=./evil.sh"),
        (".npmrc", "script-shell=./evil.sh"),
    ] {
        let files = [("web/package.json", MANIFEST), (path, key)];
        let (_store, ended) = run(&files, "directory=web&integrity=off").await;
        let name = key.split('=').next().unwrap();
        assert_eq!(
            ended.unwrap_err().cause,
            format!(
                "`{path}` sets `{name}`, which makes npm run a program of the project's choice"
            )
        );
    }
}

#[test_case("prune=on", "`UserParameters` has an unknown key `prune`; known keys are `subcommand`, `directory`, `omit`, `ignore-scripts`, `integrity`, `cache`, `Env.NAME`"; "unknown key")]
#[test_case("cache=yes", "`cache` in `UserParameters` is not valid: expected one of `on`, `off`"; "cache")]
#[test_case("subcommand=update", "`subcommand` in `UserParameters` is not valid: expected one of `ci`, `install`"; "subcommand")]
#[test_case("omit=dev,prod", "`omit` in `UserParameters` is not valid: expected `dev`, `optional`, `peer`, or some of them joined by commas"; "omit")]
#[test_case("ignore-scripts=1", "`ignore-scripts` in `UserParameters` is not valid: expected `true` or `false`"; "switch")]
#[test_case("directory=../x", "`../x` leaves the source"; "directory")]
#[test_case("directory=web", "`web` is not in the source"; "no directory")]
#[test_case("Env.LD_PRELOAD=x", "`Env.LD_PRELOAD` cannot be set: the action sets it, or keeps it from its children"; "variable")]
#[tokio::test]
async fn a_parameter_that_cannot_be_used_is_named(parameters: &str, message: &str) {
    let (_store, ended) = run(&[("package.json", MANIFEST)], parameters).await;
    let failure = ended.unwrap_err();
    assert_eq!(
        (failure.failure_type, failure.cause.as_str()),
        (FailureType::ConfigurationError, message)
    );
}

#[tokio::test]
async fn a_source_without_a_project_is_refused() {
    let (_store, ended) = run(&[("README.md", "x")], "").await;
    assert_eq!(
        ended.unwrap_err().cause,
        "there is no `package.json` in `.`"
    );
}

#[test_case("{", "`package-lock.json` cannot be read: EOF while parsing an object at line 1 column 1"; "not JSON")]
#[test_case("{\"lockfileVersion\": 1, \"dependencies\": {}}", "`package-lock.json` has format version 1, 2 or 3 with `packages` is needed"; "old")]
#[test_case("{\"lockfileVersion\": 3, \"dependencies\": {}}", "`package-lock.json` has format version 3, 2 or 3 with `packages` is needed"; "without packages")]
#[tokio::test]
async fn a_lock_file_that_cannot_be_checked_is_refused(lock: &str, message: &str) {
    let files = [("package.json", MANIFEST), ("package-lock.json", lock)];
    let (_store, ended) = run(&files, "").await;
    assert_eq!(ended.unwrap_err().cause, message);
}
