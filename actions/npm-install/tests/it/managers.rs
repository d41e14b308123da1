//! Each package manager, by its lock file: the real ones, from the registry.

use std::path::Path;
use std::process::Command;

use delivery_action::failure::FailureType;
use delivery_archive::{Archive, Limits};
use delivery_testing::source::SourceStore;
use test_case::test_case;

use crate::projects::{MANIFEST, plain, run};

const OUTPUT: &str = "SourceInstalledOutput";
const NPM_1: &str = include_str!("data/npm-1.json");
const NPM_2: &str = include_str!("data/npm-2.json");
const PNPM_7: &str = include_str!("data/pnpm-5.4.yaml");
const PNPM_8: &str = include_str!("data/pnpm-6.0.yaml");
const PNPM_10: &str = include_str!("data/pnpm-9.0.yaml");
const YARN_1: &str = include_str!("data/yarn-1.lock");
const YARN_2: &str = include_str!("data/yarn-4.lock");
const YARN_3: &str = include_str!("data/yarn-6.lock");
const YARN_4: &str = include_str!("data/yarn-8.lock");
const LATER_YARN_4: &str = include_str!("data/yarn-10.lock");

/// Extracts an output.
async fn extracted(store: &SourceStore) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let zip = folder.path().join("output.zip");
    std::fs::write(&zip, store.output(OUTPUT).await.unwrap().body).unwrap();
    let archive = Archive::open(&zip, Limits::default()).unwrap();
    let source = folder.path().join("source");
    std::fs::create_dir(&source).unwrap();
    archive.extract(&source).unwrap();
    folder
}

/// What a script of an extracted source prints, as another action runs it.
fn printed(folder: &Path, script: &str) -> String {
    let ended = Command::new("npm")
        .args(["run", script])
        .current_dir(folder.join("source"))
        .env("HOME", folder)
        .output()
        .unwrap();
    assert!(ended.status.success(), "{ended:?}");
    String::from_utf8_lossy(&ended.stdout).into_owned()
}

#[test_case("package-lock.json", NPM_1, "npm ci: added 1 package in X (npm X, Node.js X), 1 MiB"; "npm 1")]
#[test_case("package-lock.json", NPM_2, "npm ci: added 1 package in X (npm X, Node.js X), 1 MiB"; "npm 2")]
#[test_case("npm-shrinkwrap.json", NPM_1, "npm ci: added 1 package in X (npm X, Node.js X), 1 MiB"; "a shrinkwrap of npm 1")]
#[test_case("pnpm-lock.yaml", PNPM_7, "pnpm install: dependencies installed (pnpm 7.33.7, Node.js X),"; "pnpm 7")]
#[test_case("pnpm-lock.yaml", PNPM_8, "pnpm install: dependencies installed (pnpm 8.15.9, Node.js X),"; "pnpm 8")]
#[test_case("pnpm-lock.yaml", PNPM_10, "pnpm install: dependencies installed (pnpm 10.34.8, Node.js X),"; "pnpm 9 and 10")]
#[test_case("yarn.lock", YARN_1, "yarn install: dependencies installed (Yarn 1.22.22, Node.js X),"; "yarn 1")]
#[test_case("yarn.lock", YARN_2, "yarn install: dependencies installed (Yarn 2.4.2, Node.js X),"; "yarn 2")]
#[test_case("yarn.lock", YARN_3, "yarn install: dependencies installed (Yarn 3.8.7, Node.js X),"; "yarn 3")]
#[test_case("yarn.lock", YARN_4, "yarn install: dependencies installed (Yarn 4.13.0, Node.js X),"; "yarn 4")]
#[test_case("yarn.lock", LATER_YARN_4, "yarn install: dependencies installed (Yarn 4.18.1, Node.js X),"; "later yarn 4")]
#[tokio::test]
async fn each_lock_file_is_installed_by_the_package_manager_that_wrote_it(
    name: &str,
    lock: &str,
    summary: &str,
) {
    let files = [("package.json", MANIFEST), (name, lock)];
    let (store, ended) = run(&files, "").await;
    let ended = plain(&ended.unwrap().summary);
    assert!(ended.starts_with(summary), "{ended}");
    let output = store.output_files(OUTPUT).await;
    assert_eq!(output[name], lock.as_bytes(), "it stays as it was");
    let folder = extracted(&store).await;
    let package = folder
        .path()
        .join("source/node_modules/is-number/package.json");
    assert!(
        std::fs::read_to_string(package)
            .unwrap()
            .contains("\"7.0.0\"")
    );
}

/// Scripts of a project call its package manager, and another action than this one runs them.
#[test_case("pnpm-lock.yaml", PNPM_10, &[], "pnpm"; "pnpm")]
#[test_case("yarn.lock", YARN_1, &[], "yarn"; "yarn 1")]
#[test_case("yarn.lock", YARN_4, &[(".yarnrc.yml", "nodeLinker: pnp\n")], "yarn"; "yarn 4 with plug and play")]
#[tokio::test]
async fn scripts_find_the_package_manager(
    name: &str,
    lock: &str,
    more: &[(&str, &str)],
    program: &str,
) {
    let check = r#""check": "node -p \"require('is-number')(7)\"""#;
    let scripts = format!(r#""scripts": {{"package": "{program} run check", {check}}}, "version""#);
    let manifest = MANIFEST.replace("\"version\"", &scripts);
    let mut files = vec![("package.json", manifest.as_str()), (name, lock)];
    files.extend(more);
    let (store, ended) = run(&files, "").await;
    let summary = ended.unwrap().summary;
    assert_eq!(
        summary.contains("packages are in `node_modules`, without Plug'n'Play"),
        !more.is_empty(),
        "{summary}"
    );
    let folder = extracted(&store).await;
    let said = printed(folder.path(), "package");
    assert!(said.lines().any(|line| line == "true"), "{said}");
}

#[test_case("pnpm-lock.yaml", PNPM_10; "pnpm")]
#[test_case("yarn.lock", YARN_1; "yarn 1")]
#[test_case("yarn.lock", YARN_4; "yarn 4")]
#[tokio::test]
async fn the_same_source_gives_the_same_bytes_from_the_registry_and_from_the_cache(
    name: &str,
    lock: &str,
) {
    let files = [("package.json", MANIFEST), (name, lock)];
    let (one, ended) = run(&files, "").await;
    ended.unwrap();
    let (two, ended) = run(&files, "").await;
    ended.unwrap();
    let missed = one.output(OUTPUT).await.unwrap().body;
    assert_eq!(two.output(OUTPUT).await.unwrap().body, missed);
    let summary = crate::cached::again(&two, "").await.unwrap();
    assert!(
        summary.contains("install: dependencies from the cache"),
        "{summary}"
    );
    assert_eq!(two.output(OUTPUT).await.unwrap().body, missed);
}

#[test_case("pnpm-lock.yaml", &PNPM_10.replace("sha512-41Cif", "sha512-AAAAA"), "is-number@7.0.0"; "pnpm")]
#[test_case("yarn.lock", &YARN_1.replace("sha512-41Cif", "sha512-AAAAA"), "is-number@7.0.0"; "yarn 1")]
#[test_case("yarn.lock", &YARN_4.replace("10c0/b4686", "10c0/00000"), "is-number@npm:7.0.0"; "yarn 4")]
#[tokio::test]
async fn a_package_with_other_bytes_than_those_locked_is_named(
    name: &str,
    lock: &str,
    package: &str,
) {
    let (store, ended) = run(&[("package.json", MANIFEST), (name, lock)], "").await;
    let failure = ended.unwrap_err();
    assert_eq!(failure.failure_type, FailureType::JobFailed);
    let expected = format!("package `{package}` does not have the hash in the lock file");
    assert!(failure.cause.starts_with(&expected), "{failure:?}");
    assert_eq!(store.output(OUTPUT).await, None);
}

#[test_case("pnpm-lock.yaml", PNPM_10, "run `pnpm install` and commit both `package.json` and `pnpm-lock.yaml`"; "pnpm")]
#[test_case("yarn.lock", YARN_1, "run `yarn install` and commit both `package.json` and `yarn.lock`"; "yarn 1")]
#[test_case("yarn.lock", YARN_4, "run `yarn install` and commit both `package.json` and `yarn.lock`"; "yarn 4")]
#[tokio::test]
async fn a_lock_file_that_does_not_match_says_what_to_run(name: &str, lock: &str, hint: &str) {
    let manifest = MANIFEST.replace("7.0.0", "6.0.0");
    let (_store, ended) = run(&[("package.json", &manifest), (name, lock)], "").await;
    let failure = ended.unwrap_err();
    assert!(
        failure
            .cause
            .starts_with("the lock file does not match `package.json`"),
        "{failure:?}"
    );
    assert_eq!(failure.hint.as_deref(), Some(hint));
}

/// As Corepack writes it: of pnpm's archive, and of Yarn's program.
#[test_case("pnpm-lock.yaml", PNPM_10, "pnpm@9.15.9+sha512.68046141893c66fad01c079231128e9afb89ef87e2691d69e4d40eee228988295fd4682181bae55b58418c3a253bde65a505ec7c5f9403ece5cc3cd37dcf2531", "pnpm 9.15.9"; "pnpm")]
#[test_case("yarn.lock", YARN_4, "yarn@4.6.0+sha512.5383cc12567a95f1d668fbe762dfe0075c595b4bfff433be478dbbe24e05251a8e8c3eb992a986667c1d53b6c3a9c85b8398c35a960587fbd9fa3a0915406728", "Yarn 4.6.0"; "yarn")]
#[tokio::test]
async fn the_release_that_the_project_names_is_held_against_its_hash(
    name: &str,
    lock: &str,
    named: &str,
    release: &str,
) {
    let manifest = |named: &str| {
        MANIFEST.replace(
            "\"version\"",
            &format!("\"packageManager\": \"{named}\", \"version\""),
        )
    };
    let (_store, ended) = run(&[("package.json", &manifest(named)), (name, lock)], "").await;
    let summary = ended.unwrap().summary;
    assert!(summary.contains(&format!("({release}, ")), "{summary}");

    let (start, _) = named.split_at(named.len() - 4);
    let other = manifest(&format!("{start}0000"));
    let (_store, ended) = run(&[("package.json", &other), (name, lock)], "").await;
    assert_eq!(
        ended.unwrap_err().cause,
        format!("{release} from the registry does not have the expected hash")
    );
}

#[tokio::test]
async fn a_release_that_the_registry_does_not_have_is_named() {
    let manifest = MANIFEST.replace(
        "\"version\"",
        r#""packageManager": "pnpm@9.999.0", "version""#,
    );
    let files = [
        ("package.json", manifest.as_str()),
        ("pnpm-lock.yaml", PNPM_10),
    ];
    let (_store, ended) = run(&files, "").await;
    let failure = ended.unwrap_err();
    assert!(
        failure
            .cause
            .starts_with("pnpm 9.999.0 cannot be fetched from the registry"),
        "{failure:?}"
    );
}

/// The registry of the project's settings: a port that is closed stands for one that is asked.
#[test_case("pnpm-lock.yaml", PNPM_10, ".npmrc", "registry=https://127.0.0.1:9/\n"; "pnpm")]
#[test_case("yarn.lock", YARN_1, ".yarnrc", "registry \"https://127.0.0.1:9/\"\n"; "yarn 1")]
#[test_case("yarn.lock", YARN_4, ".yarnrc.yml", "npmRegistryServer: https://127.0.0.1:9/\n"; "yarn 4")]
#[tokio::test]
async fn the_package_manager_comes_from_the_registry_of_the_project(
    name: &str,
    lock: &str,
    settings: &str,
    text: &str,
) {
    let files = [("package.json", MANIFEST), (name, lock), (settings, text)];
    let parameters = "Env.npm_config_fetch_retries=0";
    let (_store, ended) = run(&files, parameters).await;
    let failure = ended.unwrap_err();
    assert_eq!(failure.failure_type, FailureType::SystemUnavailable);
    assert!(
        failure
            .cause
            .starts_with("registry unreachable: npm got ECONNREFUSED"),
        "{failure:?}"
    );
    let plain = text.replace("https:", "http:");
    let files = [("package.json", MANIFEST), (name, lock), (settings, &plain)];
    let (_store, ended) = run(&files, parameters).await;
    let cause = ended.unwrap_err().cause;
    assert_eq!(
        cause.contains("(plain http)"),
        name != "yarn.lock" || lock == YARN_4,
        "{cause}"
    );
}

const PLUGIN: &str = "module.exports = {name: 'evil', factory: () => (require('fs').writeFileSync('ran', 'x'), {})};";

#[tokio::test]
async fn code_of_the_project_does_not_run_unless_install_scripts_do() {
    let settings = "nodeLinker: node-modules\nyarnPath: .yarn/releases/yarn-4.6.0.cjs\nplugins:\n  - path: evil.cjs\n    spec: evil\n";
    let files = [
        ("package.json", MANIFEST),
        ("yarn.lock", YARN_4),
        (".yarnrc.yml", settings),
        (".yarn/releases/yarn-4.6.0.cjs", PLUGIN),
        ("evil.cjs", PLUGIN),
    ];
    let (store, ended) = run(&files, "").await;
    let summary = ended.unwrap().summary;
    assert!(summary.contains("(Yarn 4.6.0, "), "{summary}");
    let output = store.output_files(OUTPUT).await;
    assert!(!output.contains_key("ran"));
    assert_eq!(output[".yarnrc.yml"], settings.as_bytes());
    let (store, ended) = run(&files, "ignore-scripts=false").await;
    ended.unwrap();
    assert!(store.output_files(OUTPUT).await.contains_key("ran"));
}

#[test_case("pnpm-lock.yaml", PNPM_10, ".pnpmfile.cjs", "", "`.pnpmfile.cjs` is code that pnpm runs when it installs"; "hooks of pnpm")]
#[test_case("pnpm-lock.yaml", PNPM_10, "pnpm-workspace.yaml", "configDependencies:\n  evil: 1.0.0\n", "`configDependencies` in `pnpm-workspace.yaml` is code that pnpm runs when it installs"; "plugins of pnpm")]
#[test_case("yarn.lock", &YARN_4.replace("is-number@npm:7.0.0\"\n  ch", "is-number@exec:./make.js\"\n  ch"), "make.js", "", "`is-number@exec:./make.js` in `yarn.lock` is code that Yarn runs when it installs"; "a package that a program makes")]
#[test_case("pnpm-lock.yaml", PNPM_10, ".npmrc", "global-pnpmfile=./x.cjs", "`.npmrc` sets `global-pnpmfile`, which is not a setting that this action allows"; "hooks by a setting")]
#[tokio::test]
async fn code_that_the_lock_file_depends_on_is_refused(
    name: &str,
    lock: &str,
    path: &str,
    text: &str,
    message: &str,
) {
    let files = [("package.json", MANIFEST), (name, lock), (path, text)];
    let (_store, ended) = run(&files, "").await;
    assert_eq!(ended.unwrap_err().cause, message);
}

#[test_case("package-lock.json", NPM_1, "yarn.lock", YARN_4; "npm and yarn")]
#[test_case("pnpm-lock.yaml", PNPM_10, "yarn.lock", YARN_1; "pnpm and yarn")]
#[tokio::test]
async fn two_lock_files_are_refused_with_both_names(
    one: &str,
    first: &str,
    two: &str,
    second: &str,
) {
    let files = [("package.json", MANIFEST), (one, first), (two, second)];
    for parameters in ["", "subcommand=install"] {
        let (_store, ended) = run(&files, parameters).await;
        let failure = ended.unwrap_err();
        assert_eq!(failure.failure_type, FailureType::ConfigurationError);
        assert_eq!(
            failure.cause,
            format!("`{one}` and `{two}` are lock files of different package managers")
        );
    }
}

#[test_case("pnpm-lock.yaml", &PNPM_10.replace("dependencies:", "devDependencies:"); "pnpm")]
#[test_case("yarn.lock", YARN_1; "yarn 1")]
#[tokio::test]
async fn development_dependencies_are_left_out_where_asked(name: &str, lock: &str) {
    let manifest = MANIFEST.replace("dependencies", "devDependencies");
    let files = [("package.json", manifest.as_str()), (name, lock)];
    let (store, ended) = run(&files, "omit=dev").await;
    ended.unwrap();
    let output = store.output_files(OUTPUT).await;
    let is_there = |name: &&String| name.contains("/is-number/");
    assert_eq!(output.keys().find(is_there), None);
    let (store, ended) = run(&files, "").await;
    ended.unwrap();
    assert!(
        store
            .output_files(OUTPUT)
            .await
            .keys()
            .any(|name| is_there(&name))
    );
}

#[tokio::test]
async fn yarn_2_cannot_leave_out_dependencies() {
    let files = [("package.json", MANIFEST), ("yarn.lock", YARN_4)];
    let (_store, ended) = run(&files, "omit=dev").await;
    assert_eq!(
        ended.unwrap_err().cause,
        "Yarn cannot leave out `dev` dependencies"
    );
}

#[tokio::test]
async fn a_package_of_a_workspace_is_installed_from_the_lock_file_above() {
    let lock = PNPM_10.replace("  .:\n", "  .: {}\n\n  web:\n");
    let files = [
        ("package.json", r#"{"name": "root", "private": true}"#),
        ("pnpm-lock.yaml", lock.as_str()),
        ("pnpm-workspace.yaml", "packages:\n  - web\n"),
        ("web/package.json", MANIFEST),
    ];
    let (store, ended) = run(&files, "directory=web").await;
    let summary = ended.unwrap().summary;
    assert!(
        summary.contains("not cached: `web` is a local dependency"),
        "{summary}"
    );
    let folder = extracted(&store).await;
    assert!(
        folder
            .path()
            .join("source/web/node_modules/is-number/package.json")
            .is_file()
    );
    assert!(
        folder
            .path()
            .join("source/node_modules/.bin/pnpm")
            .is_file()
    );
}

#[test_case("web/pnpm-lock.yaml", PNPM_10; "pnpm")]
#[test_case("web/yarn.lock", YARN_4; "yarn")]
#[test_case("web/package-lock.json", NPM_1; "npm")]
#[tokio::test]
async fn a_task_that_is_not_there_is_named_before_anything_is_fetched(name: &str, lock: &str) {
    let scripts = r#""scripts": {"package": "x"}, "version""#;
    let manifest = MANIFEST.replace("\"version\"", scripts);
    // A registry that is asked would be said to be unreachable.
    let files = [
        ("web/package.json", manifest.as_str()),
        (name, lock),
        ("web/.npmrc", "registry=https://127.0.0.1:9/\n"),
        (
            "web/.yarnrc.yml",
            "npmRegistryServer: https://127.0.0.1:9/\n",
        ),
    ];
    let (_store, ended) = run(&files, "directory=web&tasks=package,test-functional").await;
    let failure = ended.unwrap_err();
    assert_eq!(failure.failure_type, FailureType::ConfigurationError);
    assert_eq!(
        failure.cause,
        "`web/package.json` has no script `test-functional` (it has: `package`)"
    );
    assert_eq!(
        failure.hint.as_deref(),
        Some("correct the name, or add a script of that name to `package.json`")
    );
}
