//! The engine's ports as the tests play them: functions, a store in memory, a bus, topics and roles.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use local::engine::{
    ArtifactStore, BusEvent, CommandRunner, CommandsRequest, EventBus, FunctionInvoker, Notifier,
    PortError, PortFuture, Roles,
};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// A job as the function gets it.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) function: String,
    pub(crate) event: Value,
}

impl Job {
    pub(crate) fn id(&self) -> &str {
        self.event["CodePipeline.job"]["id"].as_str().unwrap()
    }

    pub(crate) fn data(&self) -> &Value {
        &self.event["CodePipeline.job"]["data"]
    }
}

/// Functions that hand their jobs to the test.
#[derive(Default)]
pub(crate) struct Functions {
    pub(crate) jobs: Mutex<Option<mpsc::UnboundedSender<Job>>>,
    /// Why the next invocation is refused; the ones after it succeed.
    pub(crate) refusal: Mutex<Option<PortError>>,
}

impl FunctionInvoker for Functions {
    fn invoke<'a>(
        &'a self,
        function: &'a str,
        event: Vec<u8>,
    ) -> PortFuture<'a, Result<(), PortError>> {
        let event = serde_json::from_slice(&event).unwrap();
        let job = Job {
            function: function.to_owned(),
            event,
        };
        self.jobs
            .lock()
            .unwrap()
            .as_ref()
            .unwrap()
            .send(job)
            .unwrap();
        let refusal = self.refusal.lock().unwrap().take();
        Box::pin(async move { refusal.map_or(Ok(()), Err) })
    }
}

/// What commands come to: their output variables, or a failure.
pub(crate) type CommandsResult = Result<BTreeMap<String, String>, PortError>;

/// Commands that run until the test says what they came to, or the engine ends them.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) request: CommandsRequest,
    pub(crate) end: CancellationToken,
    pub(crate) result: oneshot::Sender<CommandsResult>,
}

/// A shell that hands its commands to the test.
#[derive(Default)]
pub(crate) struct Shells(pub(crate) Mutex<Option<mpsc::UnboundedSender<Running>>>);

impl CommandRunner for Shells {
    fn run<'a>(
        &'a self,
        request: &'a CommandsRequest,
        end: CancellationToken,
    ) -> PortFuture<'a, CommandsResult> {
        let (result, received) = oneshot::channel();
        let running = Running {
            request: request.clone(),
            end: end.clone(),
            result,
        };
        let started = self.0.lock().unwrap().as_ref().unwrap().send(running);
        started.unwrap();
        Box::pin(async move {
            tokio::select! {
                result = received => result.unwrap(),
                () = end.cancelled() => Err(PortError {
                    code: "JobFailed".to_owned(),
                    message: "ended".to_owned(),
                }),
            }
        })
    }
}

/// Objects by bucket and key.
#[derive(Default)]
pub(crate) struct Store(pub(crate) Mutex<BTreeMap<(String, String), Vec<u8>>>);

impl ArtifactStore for Store {
    fn get<'a>(
        &'a self,
        bucket: &'a str,
        key: &'a str,
        to: &'a Path,
    ) -> PortFuture<'a, Result<(), PortError>> {
        let objects = self.0.lock().unwrap();
        std::fs::write(to, &objects[&(bucket.to_owned(), key.to_owned())]).unwrap();
        Box::pin(async { Ok(()) })
    }

    fn put<'a>(
        &'a self,
        bucket: &'a str,
        key: &'a str,
        file: &'a Path,
        _encryption_key: Option<&'a str>,
    ) -> PortFuture<'a, Result<(), PortError>> {
        let content = std::fs::read(file).unwrap();
        self.0
            .lock()
            .unwrap()
            .insert((bucket.to_owned(), key.to_owned()), content);
        Box::pin(async { Ok(()) })
    }
}

/// What was put on the bus, a list for each call.
#[derive(Default)]
pub(crate) struct Bus(pub(crate) Mutex<Vec<Vec<BusEvent>>>);

impl EventBus for Bus {
    fn put<'a>(&'a self, events: &'a [BusEvent]) -> PortFuture<'a, Result<(), PortError>> {
        self.0.lock().unwrap().push(events.to_vec());
        Box::pin(async { Ok(()) })
    }
}

/// A message as the topic got it.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) subject: String,
    pub(crate) text: String,
}

/// Topics that keep what is published, or refuse it.
#[derive(Default)]
pub(crate) struct Topics {
    pub(crate) messages: Mutex<Vec<Message>>,
    pub(crate) refusal: Mutex<Option<PortError>>,
}

impl Notifier for Topics {
    fn publish<'a>(
        &'a self,
        topic: &'a str,
        subject: &'a str,
        message: String,
    ) -> PortFuture<'a, Result<(), PortError>> {
        self.messages.lock().unwrap().push(Message {
            topic: topic.to_owned(),
            subject: subject.to_owned(),
            text: message,
        });
        let refusal = self.refusal.lock().unwrap().clone();
        Box::pin(async move { refusal.map_or(Ok(()), Err) })
    }
}

/// Roles and their trust policies; an error is what IAM answers instead.
pub(crate) struct KnownRoles(pub(crate) Mutex<Result<BTreeMap<String, Value>, PortError>>);

impl Default for KnownRoles {
    fn default() -> Self {
        let roles = [("pipeline".to_owned(), trust("codepipeline.amazonaws.com"))];
        Self(Mutex::new(Ok(BTreeMap::from(roles))))
    }
}

/// A policy that trusts a service.
pub(crate) fn trust(service: &str) -> Value {
    json!({"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": service}}]})
}

impl Roles for KnownRoles {
    fn trust_policy<'a>(
        &'a self,
        name: &'a str,
    ) -> PortFuture<'a, Result<Option<Value>, PortError>> {
        let roles = self.0.lock().unwrap().clone();
        Box::pin(async move { roles.map(|roles| roles.get(name).cloned()) })
    }
}
