//! The keys that `run --watch` takes.

use pipeline_tests::application::Application;
use pipeline_tests::delivery::Delivery;
use pipeline_tests::home::home;

const KEYS: &str = "keys: o open, l log, r run again, q quit";

#[tokio::test(flavor = "multi_thread")]
async fn a_person_at_the_terminal_sees_the_log_runs_again_and_quits() {
    let hello = Application::example("sam-hello").unwrap();
    let home = home();
    let delivery = Delivery::silently(hello.path(), home.path());
    let mut terminal = delivery.in_terminal(&["--watch"], 120, 200);
    let delivered = |times: usize| {
        move |screen: &str| {
            screen.matches("✓ Succeeded   execution").count() == times
                && screen.matches(KEYS).count() == times
        }
    };
    let screen = terminal.until(delivered(1)).await;
    let addresses = screen.find("addresses:");
    assert!(
        addresses < screen.find("• InProgress  execution"),
        "{screen}"
    );

    terminal.press("l");
    terminal
        .until(|screen| screen.contains("Production / deploy-"))
        .await;
    // What is no key does nothing.
    terminal.press("xr");
    terminal.until(delivered(2)).await;
    terminal.press("q");
    let (code, left) = terminal.ended().await;
    assert_eq!(code, 130, "{left}");
    assert!(left.contains("• stopped watching"), "{left}");
}
