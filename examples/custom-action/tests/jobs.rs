//! Whole jobs: the event that CodePipeline sends, a webhook on this machine, the result that is reported.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::routing::post;
use delivery_action::aws::SdkConfig;
use delivery_testing::events::{JOB_ID, JobEvent};
use delivery_testing::world::World;
use delivery_testing::world::codepipeline::Reported;
use notify_webhook::NotifyWebhook;
use tokio::net::TcpListener;

/// A webhook that answers with one status, and the ids of the jobs that posted to it.
struct Receiver {
    url: String,
    ids: Arc<Mutex<Vec<String>>>,
}

async fn receiver(status: StatusCode) -> Receiver {
    let ids = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&ids);
    let answer = move |request: Request| async move {
        let id = request.headers()["idempotency-key"]
            .to_str()
            .unwrap()
            .to_owned();
        seen.lock().unwrap().push(id);
        (status, "no such channel\nand more")
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        axum::serve(listener, Router::new().route("/", post(answer)))
            .await
            .unwrap();
    });
    Receiver { url, ids }
}

/// The result of one job that posts to this address.
async fn result(url: &str, parameters: &str) -> Reported {
    let world = World::start().await;
    let url = url.to_owned();
    let construct = move |_: &SdkConfig| NotifyWebhook::to(&url);
    world
        .run(construct, JobEvent::new().user_parameters(parameters))
        .await
}

fn failure(result: Reported) -> (String, String) {
    match result {
        Reported::Failure {
            failure_type,
            message,
        } => (failure_type, message),
        other => panic!("not a failure: {other:?}"),
    }
}

#[tokio::test]
async fn a_message_is_posted_under_the_job_s_id() {
    let receiver = receiver(StatusCode::OK).await;
    match result(&receiver.url, "message=released").await {
        Reported::Success { variables, .. } => assert_eq!(variables["Status"], "200"),
        other => panic!("not a success: {other:?}"),
    }
    assert_eq!(*receiver.ids.lock().unwrap(), [JOB_ID]);
}

#[tokio::test]
async fn a_refusal_fails_the_job_with_the_answer_and_a_hint() {
    let receiver = receiver(StatusCode::NOT_FOUND).await;
    let (failure_type, message) = failure(result(&receiver.url, "message=released").await);
    assert_eq!(failure_type, "JobFailed");
    let expected =
        "the webhook answered with 404 Not Found: no such channel\nhint: check `message`";
    assert!(message.starts_with(expected), "{message}");
}

#[tokio::test]
async fn a_webhook_out_of_reach_is_a_failure_that_may_pass() {
    // Port 9 is not listened on, and is not handed out.
    let (failure_type, message) =
        failure(result("http://127.0.0.1:9/token", "message=released").await);
    assert_eq!(failure_type, "SystemUnavailable");
    assert!(
        message.contains("\nhint: check `WebhookUrl`"),
        "{message}"
    );
    assert!(
        !message.contains("token"),
        "the address is a secret: {message}"
    );
}

#[tokio::test]
async fn a_function_without_an_address_says_which_parameter_to_set() {
    let (failure_type, message) = failure(result("not an address", "message=released").await);
    assert_eq!(failure_type, "ConfigurationError");
    assert!(
        message.contains("hint: set the parameter `WebhookUrl`"),
        "{message}"
    );
}

#[tokio::test]
async fn a_mistyped_parameter_is_named() {
    let (_, message) = failure(result("http://127.0.0.1:9/", "mesage=released").await);
    assert!(
        message.starts_with("`UserParameters` has an unknown key `mesage`"),
        "{message}"
    );
}
