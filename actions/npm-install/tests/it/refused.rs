//! What is refused before npm runs.

use delivery_action::failure::FailureType;
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
async fn a_setting_that_is_not_let_through_is_refused_wherever_npm_reads_it() {
    let program = "which would let the project choose a program that npm runs";
    for (path, key, why) in [
        ("web/.npmrc", "git=./evil.sh", program),
        (".npmrc", "script-shell=./evil.sh", program),
        (
            "web/.npmrc",
            "userconfig=./u.rc",
            "which would make npm read settings from elsewhere",
        ),
        (
            ".npmrc",
            "node-options=--max-old-space-size=4096",
            "which npm passes to Node.js, where it can load any code",
        ),
        (
            ".npmrc",
            "call=x",
            "which is not a setting that this action allows",
        ),
    ] {
        let files = [("web/package.json", MANIFEST), (path, key)];
        let (_store, ended) = run(&files, "directory=web&integrity=off").await;
        let name = key.split('=').next().unwrap();
        assert_eq!(
            ended.unwrap_err().cause,
            format!("`{path}` sets `{name}`, {why}")
        );
    }
}

#[test_case("prune=on", "`UserParameters` has an unknown key `prune`; known keys are `subcommand`, `directory`, `omit`, `ignore-scripts`, `integrity`, `cache`, `tasks`, `Env.NAME`"; "unknown key")]
#[test_case("cache=yes", "`cache` in `UserParameters` is not valid: expected one of `on`, `off`"; "cache")]
#[test_case("subcommand=update", "`subcommand` in `UserParameters` is not valid: expected one of `ci`, `install`"; "subcommand")]
#[test_case("omit=dev,prod", "`omit` in `UserParameters` is not valid: expected `dev`, `optional`, `peer`, or some of them joined by commas"; "omit")]
#[test_case("ignore-scripts=1", "`ignore-scripts` in `UserParameters` is not valid: expected `true` or `false`"; "switch")]
#[test_case("directory=../x", "`../x` leaves the source"; "directory")]
#[test_case("directory=web", "`web` is not in the source"; "no directory")]
#[test_case("Env.LD_PRELOAD=x", "`Env.LD_PRELOAD` cannot be set: it is reserved for the action"; "variable")]
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
    assert_eq!(ended.unwrap_err().cause, "no `package.json` in `.`");
}

#[test_case("{", "`package-lock.json` cannot be read: EOF while parsing an object at line 1 column 1"; "not JSON")]
#[test_case("{\"lockfileVersion\": 4, \"packages\": {}}", "`package-lock.json` has format version 4; known are 1, 2 and 3"; "new")]
#[test_case("{\"lockfileVersion\": 1, \"dependencies\": {\"a\": {\"version\": \"1.0.0\"}}}", "`package-lock.json` has an entry that cannot be verified: `node_modules/a` (no integrity hash)"; "old without a hash")]
#[test_case("{\"lockfileVersion\": 3, \"dependencies\": {}}", "`package-lock.json` has format version 3, but not its list of packages"; "without packages")]
#[tokio::test]
async fn a_lock_file_that_cannot_be_checked_is_refused(lock: &str, message: &str) {
    let files = [("package.json", MANIFEST), ("package-lock.json", lock)];
    let (_store, ended) = run(&files, "").await;
    assert_eq!(ended.unwrap_err().cause, message);
}

#[test_case("bun.lock"; "text")]
#[test_case("bun.lockb"; "binary")]
#[tokio::test]
async fn buns_lock_file_is_refused_by_name(name: &str) {
    let files = [("package.json", MANIFEST), (name, "")];
    for integrity in ["on", "off"] {
        let (store, ended) = run(&files, &format!("integrity={integrity}")).await;
        let failure = ended.unwrap_err();
        assert_eq!(
            (failure.failure_type, failure.cause),
            (
                FailureType::ConfigurationError,
                format!("`{name}` is Bun's lock file; Bun is not supported")
            )
        );
        assert_eq!(store.output("SourceInstalledOutput").await, None);
    }
    let (_store, ended) = run(&files, "subcommand=install").await;
    let summary = ended.unwrap().summary;
    assert!(
        summary.contains("is Bun's lock file, which npm ignores"),
        "{summary}"
    );
}

#[tokio::test]
async fn all_that_is_wrong_is_said_before_anything_is_installed() {
    let files = [
        ("package.json", r#"{"scripts": {"build": "x"}}"#),
        ("yarn.lock", ""),
    ];
    let (_store, ended) = run(&files, "tasks=package,test-functional").await;
    assert_eq!(
        ended.unwrap_err().cause,
        "3 errors: (1) `package.json` has no script `package` (it has: `build`); (2) `package.json` has no script \
         `test-functional` (it has: `build`); (3) `yarn.lock` does not say which format version it has"
    );
}

/// A lock file may say of any entry that it comes inside of another package.
#[tokio::test]
async fn an_entry_that_only_says_that_it_is_bundled_is_refused() {
    let lock = LOCK.replace(
        "\"packages\": {",
        "\"packages\": {\n\"node_modules/ms\": {\"version\": \"2.1.3\", \"inBundle\": true},",
    );
    let files = [
        ("package.json", MANIFEST),
        ("package-lock.json", lock.as_str()),
    ];
    let (_store, ended) = run(&files, "").await;
    assert_eq!(
        ended.unwrap_err().cause,
        "`package-lock.json` has an entry that cannot be verified: `node_modules/ms` (`inBundle`, and no package \
         with a hash bundles it)"
    );
}

#[tokio::test]
async fn a_registry_over_plain_http_is_refused_where_the_lock_file_names_no_other() {
    for lock in [
        LOCK.to_owned(),
        LOCK.lines()
            .filter(|line| !line.contains("\"resolved\""))
            .collect(),
    ] {
        let files = [
            ("package.json", MANIFEST),
            ("package-lock.json", lock.as_str()),
            (".npmrc", "registry = http://127.0.0.1:9/\n"),
        ];
        let (_store, ended) = run(&files, "").await;
        assert_eq!(
            ended.unwrap_err().cause,
            "`package-lock.json` has an entry that cannot be verified: `node_modules/is-number` (plain http)"
        );
    }
}
