//! What the README's first command does.

use std::process::Stdio;

use pipeline_tests::checkout;
use tokio::process::Command;

/// What the demonstration prints, which has to succeed.
async fn demo(arguments: &[&str]) -> String {
    let output = Command::new(checkout::programs().join("demo"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{printed}");
    printed
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_delivers_twice_and_no_visitor_notices() {
    let printed = demo(&[]).await;
    assert!(
        printed.contains("requests while production moved, none failed"),
        "{printed}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_commit_is_found_out_with_a_tenth_of_the_requests_and_taken_back() {
    let printed = demo(&["--rollback"]).await;
    for said in [
        "fails more often than",
        "s from the first bad answer until the alias was wholly on version",
        "and none of its requests failed",
        "the next commit, has all requests",
    ] {
        assert!(printed.contains(said), "`{said}` is not in:\n{printed}");
    }
}
