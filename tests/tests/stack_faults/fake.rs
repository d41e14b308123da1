//! A CloudFormation (and S3) that answers what a test wants, and remembers what it was asked.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

use pipeline_tests::checkout;

/// The template that the fake S3 has.
const TEMPLATE: &str = "Parameters:\n  Colour:\n    Type: String\n    AllowedPattern: '^[a-z]+$'\n    ConstraintDescription: must be a word in lower case\nResources:\n  Site:\n    Type: AWS::S3::Bucket\n";

/// Where it is.
pub(crate) const TEMPLATE_URL: &str =
    "https://code.s3.eu-west-1.amazonaws.com/templates/1/delivery.yaml";

/// The id of the stack that it may have.
pub(crate) const STACK_ID: &str = "arn:aws:cloudformation:eu-west-1:111122223333:stack/shop/1";

/// An answer: HTTP status and body.
pub(crate) type Answer = (u16, String);

/// A running fake.
pub(crate) struct Fake {
    url: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

/// A call: the operation, and the access key that signed it.
struct Call {
    name: String,
    key: String,
}

impl Fake {
    /// Starts one. `answer` is asked for every CloudFormation call by its name, and for the number of the calls
    /// of that name so far.
    pub(crate) async fn start<F>(answer: F) -> Self
    where
        F: Fn(&str, usize) -> Answer + Send + Sync + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (answer, seen) = (Arc::new(answer), Arc::clone(&calls));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
                tokio::spawn(async move {
                    serve(stream, &seen, |call, times| answer(call, times)).await;
                });
            }
        });
        Self { url, calls }
    }

    /// The names of all calls so far.
    pub(crate) fn calls(&self) -> Vec<String> {
        let calls = self.calls.lock().unwrap();
        calls.iter().map(|call| call.name.clone()).collect()
    }

    /// The access keys that calls were signed with.
    pub(crate) fn keys(&self) -> BTreeSet<String> {
        let calls = self.calls.lock().unwrap();
        calls.iter().map(|call| call.key.clone()).collect()
    }

    /// Whether there was a call of this name.
    pub(crate) fn was_asked(&self, name: &str) -> bool {
        self.calls().iter().any(|call| call == name)
    }

    /// `delivery` with this AWS, and nothing else of the caller's.
    pub(crate) fn delivery(&self, arguments: &[&str]) -> Command {
        delivery(&self.url, arguments)
    }
}

/// `delivery` with an endpoint.
pub(crate) fn delivery(endpoint: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(checkout::programs().join("delivery"));
    command
        .args(["--stack-name", "shop", "--config", "/dev/null"])
        .args(arguments)
        .env_clear()
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true);
    command
}

/// What the program ended with, and what it told people.
pub(crate) async fn ended(mut command: Command) -> (i32, String) {
    let output = command.spawn().unwrap().wait_with_output().await.unwrap();
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap_or(-1), printed)
}

/// The same of one that is interrupted as soon as a call was made so many times.
pub(crate) async fn interrupted(
    fake: &Fake,
    arguments: &[&str],
    call: &str,
    times: usize,
) -> (i32, String) {
    let child = fake.delivery(arguments).spawn().unwrap();
    let id = i32::try_from(child.id().unwrap()).unwrap();
    let count = || fake.calls().iter().filter(|name| *name == call).count();
    while count() < times {
        tokio::task::yield_now().await;
    }
    kill_process(Pid::from_raw(id).unwrap(), Signal::INT).unwrap();
    let output = child.wait_with_output().await.unwrap();
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap_or(-1), printed)
}

async fn serve(
    mut stream: TcpStream,
    calls: &Mutex<Vec<Call>>,
    answer: impl Fn(&str, usize) -> Answer,
) {
    let Some((head, body)) = request(&mut stream).await else {
        return;
    };
    let call = name(&head, &body);
    let times = {
        let mut calls = calls.lock().unwrap();
        calls.push(Call {
            name: call.clone(),
            key: key(&head),
        });
        calls.iter().filter(|one| one.name == call).count()
    };
    let (status, body) = if call == "GetObject" {
        (200, TEMPLATE.to_owned())
    } else {
        answer(&call, times)
    };
    let response = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: text/xml\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let _client_may_have_gone = stream.write_all(response.as_bytes()).await;
}

/// The request's head and body.
async fn request(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                let is_length = name.eq_ignore_ascii_case("content-length");
                is_length.then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                return Some((head.to_owned(), body.to_owned()));
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// The access key of a signature of version 4 (`Credential=KEY/DATE/...`).
fn key(head: &str) -> String {
    let credential = head.split_once("Credential=").map_or("", |(_, rest)| rest);
    credential.split('/').next().unwrap_or_default().to_owned()
}

/// The operation that is asked for, in the three ways in which the services are asked.
fn name(head: &str, body: &str) -> String {
    let form = body
        .split('&')
        .find_map(|pair| pair.strip_prefix("Action="));
    let target = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_target = name.eq_ignore_ascii_case("x-amz-target");
        is_target.then(|| value.rsplit('.').next())?
    });
    let line = head.lines().next().unwrap_or_default();
    let object = line
        .starts_with("GET /code/templates")
        .then_some("GetObject");
    form.or(target).or(object).unwrap_or(line).to_owned()
}

/// An error as CloudFormation writes it.
pub(crate) fn refused(status: u16, code: &str, message: &str) -> Answer {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
         <RequestId>r-1</RequestId></ErrorResponse>"
    );
    (status, body)
}

/// A result.
pub(crate) fn result(call: &str, inner: &str) -> Answer {
    (
        200,
        format!("<{call}Response><{call}Result>{inner}</{call}Result></{call}Response>"),
    )
}

/// There is no such stack.
pub(crate) fn no_stack() -> Answer {
    refused(400, "ValidationError", "Stack with id shop does not exist")
}

/// A stack of this project in some state.
pub(crate) fn stack(status: &str) -> Answer {
    stack_of("Serverless Delivery: a pipeline", status)
}

/// A stack whose template describes itself so, in some state.
pub(crate) fn stack_of(description: &str, status: &str) -> Answer {
    let inner = format!(
        "<Stacks><member><StackName>shop</StackName><StackId>{STACK_ID}</StackId>\
         <Description>{description}</Description>\
         <StackStatus>{status}</StackStatus><CreationTime>2026-01-01T00:00:00Z</CreationTime></member></Stacks>"
    );
    result("DescribeStacks", &inner)
}

/// One event of the stack itself.
pub(crate) fn beginning(status: &str) -> Answer {
    let inner = format!(
        "<StackEvents><member><StackId>{STACK_ID}</StackId><EventId>e-1</EventId><StackName>shop</StackName>\
         <LogicalResourceId>shop</LogicalResourceId><PhysicalResourceId>{STACK_ID}</PhysicalResourceId>\
         <ResourceType>AWS::CloudFormation::Stack</ResourceType><Timestamp>2026-01-01T00:00:00Z</Timestamp>\
         <ResourceStatus>{status}</ResourceStatus><ResourceStatusReason>User Initiated</ResourceStatusReason>\
         </member></StackEvents>"
    );
    result("DescribeStackEvents", &inner)
}

/// A change set in some state.
pub(crate) fn change_set(status: &str, reason: &str, changes: &str) -> Answer {
    let inner = format!(
        "<StackId>{STACK_ID}</StackId><Status>{status}</Status><StatusReason>{reason}</StatusReason>\
         <Changes>{changes}</Changes>"
    );
    result("DescribeChangeSet", &inner)
}

/// The change of the one resource, in a change set: `action` is what happens to it, `more` are further elements.
pub(crate) fn resource_change(action: &str, more: &str) -> String {
    format!(
        "<member><Type>Resource</Type><ResourceChange><Action>{action}</Action><LogicalResourceId>Site</LogicalResourceId>\
         <ResourceType>AWS::S3::Bucket</ResourceType>{more}</ResourceChange></member>"
    )
}

/// What launches the stack.
pub(crate) const UP: [&str; 5] = ["up", "--template-url", TEMPLATE_URL, "-p", "Colour=red"];

/// The calls that change something.
const CHANGES: [&str; 4] = [
    "CreateChangeSet",
    "ExecuteChangeSet",
    "DeleteStack",
    "ContinueUpdateRollback",
];

/// The calls that changed something, in order.
pub(crate) fn changed(fake: &Fake) -> Vec<String> {
    let calls = fake.calls().into_iter();
    calls
        .filter(|call| CHANGES.contains(&call.as_str()))
        .collect()
}
