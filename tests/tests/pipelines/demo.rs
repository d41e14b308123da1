//! What the README's first command does.

use std::process::Stdio;

use pipeline_tests::checkout;
use tokio::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_delivers_twice_and_no_visitor_notices() {
    let output = Command::new(checkout::programs().join("demo"))
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert!(
        printed.contains("requests while production moved, none failed"),
        "{printed}"
    );
}
