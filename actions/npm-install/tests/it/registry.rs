//! Registries that misbehave, and what npm says of them.

use std::time::Duration;

use delivery_action::failure::FailureType;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::projects::{LOCK, MANIFEST, run, run_with};

/// A registry that answers every request with this status line, or never where it is empty.
async fn registry(status: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = vec![0; 16 * 1024];
                let _read = connection.read(&mut request).await;
                if status.is_empty() {
                    std::future::pending::<()>().await;
                }
                let answer = format!(
                    "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\
                     connection: close\r\n\r\n{{}}"
                );
                let _written = connection.write_all(answer.as_bytes()).await;
            });
        }
    });
    url
}

fn parameters(url: &str) -> String {
    let url: String = url.replace(':', "%3A").replace('/', "%2F");
    format!(
        "Env.npm_config_registry={url}&Env.npm_config_fetch_retries=1\
         &Env.npm_config_fetch_retry_mintimeout=10&Env.npm_config_fetch_timeout=1000"
    )
}

#[tokio::test]
async fn a_registry_that_fails_is_not_the_projects_fault() {
    let url = registry("503 Service Unavailable").await;
    let (_store, ended) = run(&[("package.json", MANIFEST)], &parameters(&url)).await;
    let failure = ended.unwrap_err();
    assert_eq!(failure.failure_type, FailureType::SystemUnavailable);
    assert!(
        failure
            .cause
            .starts_with("registry unreachable: npm got E503: `npm install "),
        "{failure:?}"
    );
    assert!(failure.output.unwrap().contains("503 Service Unavailable"));
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_unreachable() {
    // A port that was free a moment ago.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let (_store, ended) = run(&[("package.json", MANIFEST)], &parameters(&url)).await;
    let failure = ended.unwrap_err();
    assert_eq!(failure.failure_type, FailureType::SystemUnavailable);
    assert!(
        failure
            .cause
            .starts_with("registry unreachable: npm got ECONNREFUSED"),
        "{failure:?}"
    );
}

#[tokio::test]
async fn a_registry_that_never_answers_is_unreachable() {
    let url = registry("").await;
    let begun = std::time::Instant::now();
    let (_store, ended) = run(&[("package.json", MANIFEST)], &parameters(&url)).await;
    let failure = ended.unwrap_err();
    assert_eq!(
        failure.failure_type,
        FailureType::SystemUnavailable,
        "{failure:?}"
    );
    assert!(begun.elapsed() < Duration::from_mins(1));
}

#[tokio::test]
async fn a_registry_that_wants_a_token_says_what_to_set() {
    let url = registry("401 Unauthorized").await;
    let (_store, ended) = run(&[("package.json", MANIFEST)], &parameters(&url)).await;
    let failure = ended.unwrap_err();
    assert_eq!(
        failure.failure_type,
        FailureType::PermissionError,
        "{failure:?}"
    );
    assert!(
        failure
            .cause
            .starts_with("the registry denied access to a package: npm got E401"),
        "{failure:?}"
    );
}

#[tokio::test]
async fn a_package_with_other_bytes_than_those_locked_is_named() {
    let lock = LOCK.replace("sha512-41Cif", "sha512-AAAAA");
    let files = [
        ("package.json", MANIFEST),
        ("package-lock.json", lock.as_str()),
    ];
    let (store, ended) = run(&files, "").await;
    let failure = ended.unwrap_err();
    assert_eq!(failure.failure_type, FailureType::JobFailed);
    assert!(
        failure
            .cause
            .starts_with("package `is-number` does not have the hash in the lock file"),
        "{failure:?}"
    );
    assert!(failure.output.unwrap().contains("EINTEGRITY"));
    assert_eq!(store.output("SourceInstalledOutput").await, None);
}

#[tokio::test]
async fn a_lock_file_that_does_not_match_fails_with_npms_own_words() {
    let manifest = MANIFEST.replace("7.0.0", "6.0.0");
    let files = [
        ("package.json", manifest.as_str()),
        ("package-lock.json", LOCK),
    ];
    let (_store, ended) = run(&files, "").await;
    let failure = ended.unwrap_err();
    assert_eq!(failure.failure_type, FailureType::JobFailed);
    assert!(
        failure
            .cause
            .starts_with("the lock file does not match `package.json`"),
        "{failure:?}"
    );
    let output = failure.output.unwrap();
    assert!(
        output.contains("Invalid: lock file's is-number@7.0.0 does not satisfy is-number@6.0.0"),
        "{output}"
    );
    assert!(!output.contains("Usage:"), "{output}");
}

#[tokio::test]
async fn ci_without_a_lock_file_says_what_to_commit() {
    let (_store, ended) = run(&[("package.json", MANIFEST)], "subcommand=ci").await;
    assert_eq!(
        ended.unwrap_err().cause,
        "`subcommand=ci` needs a lock file, but `.` has none"
    );
}

#[tokio::test]
async fn a_node_that_the_project_does_not_accept_is_named_by_npm() {
    let manifest = r#"{"name": "app", "version": "1.0.0", "engines": {"node": ">=999"}}"#;
    let files = [("package.json", manifest), (".npmrc", "engine-strict=true")];
    let (_store, ended) = run(&files, "").await;
    let failure = ended.unwrap_err();
    assert!(
        failure.cause.starts_with(
            "the project, or a package, does not support this version of Node.js or of the package manager"
        ),
        "{failure:?}"
    );
    assert!(failure.output.unwrap().contains("EBADENGINE"));
}

#[tokio::test]
async fn what_npm_has_downloaded_before_is_taken_from_a_kept_cache_unless_scripts_run() {
    let kept = tempfile::tempdir().unwrap();
    let files = [("package.json", MANIFEST), ("package-lock.json", LOCK)];
    let with_cache = async |parameters: &str| {
        let (_, ended) = run_with(&files, parameters, |action| {
            action.with_npm_cache(kept.path())
        })
        .await;
        ended.map(|completion| completion.summary)
    };
    with_cache("").await.unwrap();
    let unreachable = parameters("https://127.0.0.1:1/");
    let summary = with_cache(&unreachable).await.unwrap();
    assert!(summary.contains("added 1 package"), "{summary}");
    let failure = with_cache(&format!("{unreachable}&ignore-scripts=false"))
        .await
        .unwrap_err();
    assert_eq!(failure.failure_type, FailureType::SystemUnavailable);
}
