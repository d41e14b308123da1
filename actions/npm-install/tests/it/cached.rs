//! The dependency cache: when it is used, and that its use changes nothing.

use delivery_action::action::Outcome;
use delivery_action::failure::Failure;
use delivery_testing::events::{FUNCTION_KEYS, Keys};
use delivery_testing::s3;
use delivery_testing::source::SourceStore;
use npm_install::NpmInstall;
use test_case::test_case;

use crate::projects::{LOCK, MANIFEST, plain, run};

const OUTPUT: &str = "SourceInstalledOutput";
const BUCKET: &str = "artifact-store";
const FILES: [(&str, &str); 3] = [
    ("package.json", MANIFEST),
    ("package-lock.json", LOCK),
    ("src/a.js", "a"),
];

/// Runs the action again on a store that is there.
pub(crate) async fn again(store: &SourceStore, user_parameters: &str) -> Result<String, Failure> {
    let action = NpmInstall::new(&store.s3().config());
    by(store, &action, user_parameters).await
}

async fn by(
    store: &SourceStore,
    action: &NpmInstall,
    user_parameters: &str,
) -> Result<String, Failure> {
    let event = store.event_with_outputs(user_parameters, &[OUTPUT]);
    match store.run(action, event).await? {
        Outcome::Complete(completion) => Ok(completion.summary),
        Outcome::Continue(_) => panic!("npm-install is done in one job"),
    }
}

/// The key of the one object in the cache.
async fn cached(store: &SourceStore) -> String {
    let objects = store.s3().bucket(BUCKET).snapshot().await;
    let mut keys = objects
        .into_keys()
        .filter(|key| key.starts_with("delivery-cache/npm-install/2/"));
    let key = keys.next().expect("something is cached");
    assert_eq!(keys.next(), None);
    key
}

#[tokio::test]
async fn a_hit_gives_the_bytes_of_a_miss_and_the_files_of_npm_alone() {
    let (alone, ended) = run(&FILES, "cache=off").await;
    assert!(
        ended
            .unwrap()
            .summary
            .ends_with("; not cached: `cache=off`")
    );
    let (store, ended) = run(&FILES, "").await;
    insta::assert_snapshot!(plain(&ended.unwrap().summary), @"npm ci: added 1 package in X (npm X, Node.js X), 1 MiB");
    let missed = store.output(OUTPUT).await.unwrap();

    let requests = store.s3().requests();
    let summary = again(&store, "").await.unwrap();
    insta::assert_snapshot!(plain(&summary), @"npm ci: dependencies from the cache (npm X, Node.js X), 1 MiB");
    assert_eq!(
        store.s3().requests() - requests,
        4,
        "the source, a look at the tree, the tree, the output"
    );
    assert_eq!(store.output(OUTPUT).await.unwrap(), missed);
    assert_eq!(
        store.output_files(OUTPUT).await,
        alone.output_files(OUTPUT).await
    );
}

/// npm makes no `node_modules` then, and nobody asks why that is not cached.
#[tokio::test]
async fn a_project_without_dependencies_has_nothing_to_install() {
    let lock = r#"{"name": "a", "version": "1.0.0", "lockfileVersion": 3, "packages": {"": {"name": "a", "version": "1.0.0"}}}"#;
    let files = [
        ("package.json", r#"{"name": "a", "version": "1.0.0"}"#),
        ("package-lock.json", lock),
    ];
    let (_, ended) = run(&files, "").await;
    insta::assert_snapshot!(plain(&ended.unwrap().summary), @"npm ci: no packages to install (npm X, Node.js X), 1 MiB");
}

#[tokio::test]
async fn what_describes_the_project_does_not_matter_and_what_npm_reads_does() {
    let key_of = async |files: &[(&str, &str)], parameters: &str| {
        let (store, ended) = run(files, parameters).await;
        ended.unwrap();
        cached(&store).await
    };
    let with = |field: &str| MANIFEST.replace("\"version\"", &format!("{field}, \"version\""));
    let first = key_of(&FILES, "").await;
    let described = with(r#""description": "x", "scripts": {"test": "x", "prepare": "x"}"#);
    let files = [
        ("package.json", described.as_str()),
        ("package-lock.json", LOCK),
    ];
    assert_eq!(key_of(&files, "").await, first);
    let unknown = with(r#""somethingNew": 1"#);
    let files = [
        ("package.json", unknown.as_str()),
        ("package-lock.json", LOCK),
    ];
    assert_ne!(key_of(&files, "").await, first);
    let lock = LOCK.replace("\"license\": \"MIT\",", "");
    let files = [
        ("package.json", MANIFEST),
        ("package-lock.json", lock.as_str()),
    ];
    assert_ne!(key_of(&files, "").await, first);
    let files = [FILES[0], FILES[1], (".npmrc", "save-exact=true")];
    assert_ne!(key_of(&files, "").await, first);
    for parameters in ["omit=dev", "ignore-scripts=false", "Env.MINE=1"] {
        assert_ne!(key_of(&FILES, parameters).await, first, "{parameters}");
    }
}

#[test_case("subcommand=install", &[], "`subcommand=install`"; "install")]
#[test_case("directory=./web/../web", &[], "`directory` is not a plain path below the source"; "directory")]
#[test_case("", &[("web/node_modules/x/index.js", "x")], "the source has `web/node_modules`"; "committed")]
#[test_case("", &[("package.json", r#"{"workspaces": ["other"]}"#)], "the project has workspaces"; "workspaces")]
#[tokio::test]
async fn the_cache_is_not_used_and_the_summary_says_why(
    parameters: &str,
    more: &[(&str, &str)],
    reason: &str,
) {
    let mut files = vec![
        ("web/package.json", MANIFEST),
        ("web/package-lock.json", LOCK),
    ];
    files.extend(more);
    let parameters = if parameters.contains("directory") {
        parameters.to_owned()
    } else {
        format!("directory=web&{parameters}")
    };
    let (store, ended) = run(&files, parameters.trim_end_matches('&')).await;
    let summary = ended.unwrap().summary;
    assert!(
        summary.ends_with(&format!("; not cached: {reason}")),
        "{summary}"
    );
    let objects = store.s3().bucket(BUCKET).snapshot().await;
    assert_eq!(objects.len(), 2, "{:?}", objects.keys());
}

#[tokio::test]
async fn scripts_and_local_dependencies_decline_it() {
    let scripted = MANIFEST.replace(
        "\"version\"",
        r#""scripts": {"prepare": "true"}, "version""#,
    );
    let files = [
        ("package.json", scripted.as_str()),
        ("package-lock.json", LOCK),
    ];
    let (_store, ended) = run(&files, "ignore-scripts=false").await;
    let summary = ended.unwrap().summary;
    assert!(
        summary.ends_with("; not cached: the project has a script `prepare`"),
        "{summary}"
    );

    let manifest =
        r#"{"name": "app", "version": "1.0.0", "dependencies": {"local": "file:local"}}"#;
    let lock = r#"{"name": "app", "version": "1.0.0", "lockfileVersion": 3, "requires": true, "packages": {
        "": {"name": "app", "version": "1.0.0", "dependencies": {"local": "file:local"}},
        "local": {"version": "1.0.0"},
        "node_modules/local": {"resolved": "local", "link": true}}}"#;
    let files = [
        ("package.json", manifest),
        ("package-lock.json", lock),
        (
            "local/package.json",
            r#"{"name": "local", "version": "1.0.0"}"#,
        ),
    ];
    let (_store, ended) = run(&files, "").await;
    let summary = ended.unwrap().summary;
    assert!(
        summary.ends_with("; not cached: `local` is a local dependency"),
        "{summary}"
    );
}

#[tokio::test]
async fn a_damaged_tree_is_made_again() {
    let (store, ended) = run(&FILES, "").await;
    ended.unwrap();
    let output = store.output(OUTPUT).await.unwrap();
    let key = cached(&store).await;
    let tree = store.s3().read(BUCKET, &key).unwrap();
    let mut flipped = tree.clone();
    let near_the_end = flipped.len() - 60;
    flipped[near_the_end] ^= 1;
    for bytes in [flipped, tree[..100].to_vec(), b"another's".to_vec()] {
        store.s3().overwrite(BUCKET, &key, &bytes);
        let summary = again(&store, "").await.unwrap();
        assert!(summary.starts_with("npm ci: added 1 package"), "{summary}");
        assert_eq!(store.output(OUTPUT).await.unwrap(), output);
        assert_eq!(store.s3().read(BUCKET, &key).unwrap(), tree);
    }
    store.s3().bucket(BUCKET).put(&key, tree.clone()).await;
    let summary = again(&store, "").await.unwrap();
    assert!(summary.starts_with("npm ci: added 1 package"), "{summary}");
    let summary = again(&store, "").await.unwrap();
    assert!(summary.contains("from the cache"), "{summary}");
}

#[tokio::test]
async fn two_jobs_fill_the_cache_at_once() {
    let store = SourceStore::of(&FILES).await;
    let (one, two) = tokio::join!(again(&store, ""), again(&store, ""));
    for summary in [one.unwrap(), two.unwrap()] {
        assert!(!summary.contains("not cached"), "{summary}");
    }
    let summary = again(&store, "").await.unwrap();
    assert!(summary.contains("from the cache"), "{summary}");
}

#[tokio::test]
async fn a_role_that_may_not_gets_its_artifact_all_the_same_and_is_told_what_it_lacks() {
    let store = SourceStore::of(&FILES).await;
    let denied = Keys {
        secret_access_key: "another",
        ..FUNCTION_KEYS
    };
    let action = NpmInstall::new(&s3::config(&store.s3().url(), denied));
    let summary = by(&store, &action, "").await.unwrap();
    let (_, reason) = summary.split_once("; not cached: ").unwrap();
    assert!(
        reason.starts_with("`s3:PutObject` on `s3://artifact-store/delivery-cache/npm-install/2/")
            && reason.contains(": allow `s3:PutObject` on "),
        "{reason}"
    );
    let without = store.output(OUTPUT).await.unwrap();
    again(&store, "").await.unwrap();
    assert_eq!(store.output(OUTPUT).await.unwrap(), without);
}

#[tokio::test]
async fn the_key_is_of_the_directory_too() {
    let files = [
        ("web/package.json", MANIFEST),
        ("web/package-lock.json", LOCK),
    ];
    let (store, ended) = run(&files, "directory=web").await;
    ended.unwrap();
    let summary = again(&store, "directory=./web/").await.unwrap();
    assert!(summary.contains("from the cache"), "{summary}");
    let output = store.output_files(OUTPUT).await;
    assert!(output.contains_key("web/node_modules/is-number/package.json"));
}
