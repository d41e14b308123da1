//! Reports that CodePipeline refuses for what they hold: something shorter follows.

use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use delivery_action::action::{Host, HostError};
use delivery_action::aws::SdkConfig;
use delivery_testing::events::{FUNCTION_KEYS, invocation};
use delivery_testing::s3;
use serde_json::Value;

use crate::{construct, event};

/// Status and body for an operation and its input.
type Answer = dyn Fn(&str, &Value) -> (u16, String) + Send + Sync;

/// Answers requests in this process.
#[derive(Clone)]
pub(crate) struct Answers(Arc<Answer>);

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Answers")
    }
}

impl Answers {
    /// A configuration whose clients get what `answer` says to an operation (empty for what is not
    /// CodePipeline's) and a body.
    pub(crate) fn config(
        answer: impl Fn(&str, &Value) -> (u16, String) + Send + Sync + 'static,
    ) -> SdkConfig {
        let connector = SharedHttpConnector::new(Self(Arc::new(answer)));
        let client = http_client_fn(move |_, _| connector.clone());
        let config = s3::config("http://in.this.process", FUNCTION_KEYS);
        config.into_builder().http_client(client).build()
    }
}

impl HttpConnector for Answers {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default();
        let body = request.body().bytes().unwrap_or_default();
        let body = serde_json::from_slice(body).unwrap_or_default();
        let (status, answer) = (self.0)(operation, &body);
        let status = StatusCode::try_from(status).unwrap();
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(answer))))
    }
}

/// Runs a job whose first reports are refused; what was sent, in order.
async fn sent(parameters: &str, refused: usize) -> (Result<(), HostError>, Vec<(String, Value)>) {
    let sent: Arc<Mutex<Vec<_>>> = Arc::default();
    let seen = Arc::clone(&sent);
    let config = Answers::config(move |operation, body| {
        let mut seen = seen.lock().unwrap();
        seen.push((operation.to_owned(), body.clone()));
        if seen.len() > refused {
            return (200, "{}".to_owned());
        }
        (
            400,
            r#"{"__type":"ValidationException","message":"not a value of mine: ü"}"#.to_owned(),
        )
    });
    let ended = Host::new(construct, config)
        .invoke(event(parameters), invocation())
        .await;
    let sent = sent.lock().unwrap().clone();
    (ended, sent)
}

fn message(sent: &(String, Value)) -> &str {
    assert_eq!(sent.0, "PutJobFailureResult");
    sent.1["failureDetails"]["message"].as_str().unwrap()
}

#[tokio::test]
async fn a_refused_failure_is_followed_by_a_short_one_and_that_by_a_plain_one() {
    let (ended, sent) = sent("end=fail", 2).await;
    ended.unwrap();
    let [full, short, plain] = &sent[..] else {
        panic!("{sent:?}")
    };
    assert!(message(full).contains("last lines of output"));
    assert_eq!(message(short), "the sample has no `thing`");
    assert_eq!(
        message(plain),
        "the action failed; CodePipeline rejected its message, which is in the function's log"
    );
    let details = |sent: &(String, Value)| sent.1["failureDetails"].clone();
    assert!(details(full)["externalExecutionId"].is_string());
    assert!(details(short)["externalExecutionId"].is_null());
    assert_eq!(details(plain)["type"], "ConfigurationError");
}

#[tokio::test]
async fn a_refused_success_becomes_a_failure_that_may_be_refused_too() {
    let (ended, sent) = sent("end=complete", 2).await;
    ended.unwrap();
    let [success, full, short] = &sent[..] else {
        panic!("{sent:?}")
    };
    assert_eq!(success.0, "PutJobSuccessResult");
    assert!(message(full).contains("ValidationException: not a value of mine: ü"));
    assert!(message(short).contains("ValidationException: not a value of mine: ?"));
}

#[tokio::test]
async fn a_job_of_which_nothing_is_accepted_fails_the_invocation() {
    let (ended, sent) = sent("end=fail", usize::MAX).await;
    ended.unwrap_err();
    assert_eq!(sent.len(), 3);
}
