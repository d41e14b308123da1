//! An engine with a simulated clock and fake ports, and how tests drive it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_codepipeline::Client;
use aws_sdk_codepipeline::config::{BehaviorVersion, Credentials as SdkCredentials, Region};
use local::engine::{
    ChangeState, Changes, Clock, Credentials, Durations, Engine, EngineConfig, EngineHandle, Ports,
    SimulatedClock, StateChange, Subject,
};
use local::source::Source;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::fakes::{Bus, Functions, Job, KnownRoles, Running, Shells, Store, Topics};

/// How long a test waits for something that must happen; only a failing test waits that long.
const WAIT_LIMIT: Duration = Duration::from_mins(1);

pub(crate) const REPOSITORY: &str = "octo/greeter";

/// An engine under test and its fakes.
pub(crate) struct TestEngine {
    pub(crate) handle: EngineHandle,
    pub(crate) clock: SimulatedClock,
    pub(crate) functions: Arc<Functions>,
    pub(crate) store: Arc<Store>,
    pub(crate) bus: Arc<Bus>,
    pub(crate) topics: Arc<Topics>,
    pub(crate) roles: Arc<KnownRoles>,
    pub(crate) client: Client,
    pub(crate) repository: TempDir,
    jobs: mpsc::UnboundedReceiver<Job>,
    shells: mpsc::UnboundedReceiver<Running>,
    changes: Changes,
}

impl TestEngine {
    pub(crate) async fn start() -> Self {
        let repository = repository();
        let clock = SimulatedClock::new("2026-11-21T00:00:00Z".parse().unwrap());
        let functions = Arc::new(Functions::default());
        let (sender, jobs) = mpsc::unbounded_channel();
        *functions.jobs.lock().unwrap() = Some(sender);
        let commands = Arc::new(Shells::default());
        let (sender, shells) = mpsc::unbounded_channel();
        *commands.0.lock().unwrap() = Some(sender);
        let store = Arc::new(Store::default());
        let (bus, topics) = (Arc::new(Bus::default()), Arc::new(Topics::default()));
        let roles = Arc::new(KnownRoles::default());
        let source = Source::open(repository.path()).await.unwrap();
        let config = EngineConfig {
            region: "us-east-1".to_owned(),
            account_id: "000000000000".to_owned(),
            aws_endpoint: String::new(),
            credentials: credentials(),
            durations: Durations::aws(),
            clock: Clock::Simulated(clock.clone()),
            sources: BTreeMap::from([(REPOSITORY.to_owned(), source)]),
        };
        let ports = Ports {
            functions: functions.clone(),
            commands,
            artifacts: store.clone(),
            events: bus.clone(),
            notifications: topics.clone(),
            roles: roles.clone(),
        };
        let engine = Engine::start_with(config, ports).await.unwrap();
        let changes = engine.subscribe();
        let client = client(&engine.endpoint());
        Self {
            handle: engine,
            clock,
            functions,
            store,
            bus,
            topics,
            roles,
            client,
            repository,
            jobs,
            shells,
            changes,
        }
    }

    /// The next job that a function is invoked with.
    pub(crate) async fn job(&mut self) -> Job {
        let job = tokio::time::timeout(WAIT_LIMIT, self.jobs.recv()).await;
        job.expect("a function is invoked")
            .expect("the engine runs")
    }

    /// The next job, which has to be that of this function.
    pub(crate) async fn job_of(&mut self, function: &str) -> Job {
        let job = self.job().await;
        assert_eq!(job.function, function);
        job
    }

    /// The next commands that are run.
    pub(crate) async fn shell(&mut self) -> Running {
        let running = tokio::time::timeout(WAIT_LIMIT, self.shells.recv()).await;
        running.expect("commands are run").expect("the engine runs")
    }

    /// Whether no function has been invoked that the test has not seen.
    pub(crate) fn no_job(&mut self) -> bool {
        self.jobs.try_recv().is_err()
    }

    /// Waits for a change.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&StateChange) -> bool) -> StateChange {
        let found = async {
            loop {
                let change = self.changes.next().await.expect("the engine runs");
                if wanted(&change) {
                    return change;
                }
            }
        };
        tokio::time::timeout(WAIT_LIMIT, found)
            .await
            .expect("the change happens")
    }

    /// Waits until an execution comes to a state.
    pub(crate) async fn until_pipeline(&mut self, id: &str, wanted: ChangeState) {
        self.until(|change| {
            let state =
                matches!(&change.subject, Subject::Pipeline { state, .. } if *state == wanted);
            state && change.execution_id.as_str() == id
        })
        .await;
    }

    /// Moves the clock once a task sleeps until then.
    pub(crate) async fn advance_to_wake(&mut self, by: Duration) {
        let at = self.clock.now().checked_add(by).unwrap();
        let asleep = async {
            while self.clock.next_wake().is_none_or(|wake| wake > at) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(WAIT_LIMIT, asleep)
            .await
            .expect("a task sleeps until then");
        self.clock.advance(by);
    }

    pub(crate) fn add_role(&self, name: &str, policy: Value) {
        let mut roles = self.roles.0.lock().unwrap();
        roles.as_mut().unwrap().insert(name.to_owned(), policy);
    }

    pub(crate) async fn create(&self, declaration: &Value) {
        let status = self
            .call("CreatePipeline", &json!({"pipeline": declaration}))
            .await;
        assert_eq!(status.0, 200, "{}", status.1);
    }

    /// Calls an operation as it is on the wire.
    pub(crate) async fn call(&self, operation: &str, input: &Value) -> (u16, Value) {
        let target = format!("CodePipeline_20150709.{operation}");
        self.request(&[("x-amz-target", &target)], input.to_string())
            .await
    }

    pub(crate) async fn request(&self, headers: &[(&str, &str)], body: String) -> (u16, Value) {
        let response = self.raw("/", headers, body.into_bytes()).await;
        let status = response.status().as_u16();
        let body = serde_json::from_slice(response.body());
        (status, body.unwrap_or(Value::Null))
    }

    /// An answer as it is on the wire, to a request that names the engine's key; signatures are not checked.
    pub(crate) async fn raw(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> http::Response<bytes::Bytes> {
        use http_body_util::{BodyExt, Full};
        use hyper_util::client::legacy::Client;
        use hyper_util::rt::TokioExecutor;
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<bytes::Bytes>>();
        let signed =
            "AWS4-HMAC-SHA256 Credential=AKIAPLANTED/20260101/us-east-1/codepipeline/aws4_request";
        let mut request = http::Request::post(format!("{}{path}", self.handle.endpoint()))
            .header("authorization", signed);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::from(body)).unwrap();
        let (head, body) = client.request(request).await.unwrap().into_parts();
        http::Response::from_parts(head, body.collect().await.unwrap().to_bytes())
    }

    pub(crate) async fn start_execution(&self, pipeline: &str) -> String {
        let started = self
            .client
            .start_pipeline_execution()
            .name(pipeline)
            .send()
            .await
            .unwrap();
        started.pipeline_execution_id.unwrap()
    }

    pub(crate) async fn status(&self, pipeline: &str, id: &str) -> String {
        let input = json!({"pipelineName": pipeline, "pipelineExecutionId": id});
        let (_, body) = self.call("GetPipelineExecution", &input).await;
        body["pipelineExecution"]["status"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    pub(crate) async fn executions(&self, pipeline: &str) -> Vec<Value> {
        let (_, body) = self
            .call("ListPipelineExecutions", &json!({"pipelineName": pipeline}))
            .await;
        body["pipelineExecutionSummaries"]
            .as_array()
            .unwrap()
            .clone()
    }

    pub(crate) async fn actions(&self, pipeline: &str, execution: &str) -> Vec<Value> {
        let filter = json!({"pipelineExecutionId": execution});
        let input = json!({"pipelineName": pipeline, "filter": filter});
        let (_, body) = self.call("ListActionExecutions", &input).await;
        body["actionExecutionDetails"].as_array().unwrap().clone()
    }

    pub(crate) async fn succeed(&self, job: &Job) {
        self.client
            .put_job_success_result()
            .job_id(job.id())
            .send()
            .await
            .unwrap();
    }

    pub(crate) async fn continue_with(&self, job: &Job, token: &str) {
        let report = self.client.put_job_success_result().job_id(job.id());
        report.continuation_token(token).send().await.unwrap();
    }

    pub(crate) async fn fail(&self, job: &Job, message: &str) {
        let details = json!({"type": "JobFailed", "message": message});
        let input = json!({"jobId": job.id(), "failureDetails": details});
        let (status, body) = self.call("PutJobFailureResult", &input).await;
        assert_eq!(status, 200, "{body}");
    }

    /// The error's name of a call that has to be refused.
    pub(crate) async fn refused(&self, operation: &str, input: &Value) -> String {
        let (status, body) = self.call(operation, input).await;
        assert_eq!(status, 400, "{operation} {input}: {body}");
        body["__type"].as_str().unwrap().to_owned()
    }
}

/// Waits until a condition holds.
pub(crate) async fn eventually(reached: impl Fn() -> bool) {
    let waiting = async {
        while !reached() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(WAIT_LIMIT, waiting)
        .await
        .expect("the condition holds in time");
}

pub(crate) fn credentials() -> Credentials {
    Credentials {
        access_key_id: "AKIAPLANTED".to_owned(),
        secret_access_key: "planted-secret".to_owned(),
        session_token: "planted-token".to_owned(),
    }
}

fn client(endpoint: &str) -> Client {
    let config = aws_sdk_codepipeline::Config::builder()
        .http_client(delivery_action::aws::http_client())
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(SdkCredentials::new(
            "AKIAPLANTED",
            "test",
            None,
            None,
            "test",
        ))
        .build();
    Client::from_conf(config)
}

/// A repository with one commit.
pub(crate) fn repository() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "--quiet", "--initial-branch=main"]);
    std::fs::write(folder.path().join("index.html"), "one").unwrap();
    commit(folder.path(), "First commit\n\nwith a body");
    folder
}

/// Commits everything, and returns the commit's id.
pub(crate) fn commit(folder: &Path, message: &str) -> String {
    git(folder, &["add", "--all"]);
    git(
        folder,
        &["commit", "--quiet", "--allow-empty", "--message", message],
    );
    git(folder, &["rev-parse", "HEAD"])
}

pub(crate) fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args([
            "-c",
            "user.name=A",
            "-c",
            "user.email=a@example.com",
            "-c",
            "commit.gpgsign=false",
        ])
        .args(arguments)
        .env("GIT_AUTHOR_DATE", "2026-11-20T10:00:00+02:00")
        .env("GIT_COMMITTER_DATE", "2026-11-20T10:00:00+02:00")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub(crate) fn source_action() -> Value {
    json!({
        "name": "Checkout", "namespace": "SourceVariables",
        "actionTypeId": {"category": "Source", "owner": "AWS",
            "provider": "CodeStarSourceConnection", "version": "1"},
        "configuration": {"ConnectionArn": "arn:aws:codeconnections:us-east-1:000000000000:connection/c",
            "FullRepositoryId": REPOSITORY, "BranchName": "main"},
        "outputArtifacts": [{"name": "SourceOutput"}],
    })
}

pub(crate) fn lambda_action(name: &str, run_order: u32) -> Value {
    json!({
        "name": name, "runOrder": run_order,
        "actionTypeId": {"category": "Invoke", "owner": "AWS", "provider": "Lambda", "version": "1"},
        "configuration": {"FunctionName": name},
        "inputArtifacts": [{"name": "SourceOutput"}],
    })
}

pub(crate) fn commands_action(name: &str, commands: &[&str]) -> Value {
    json!({
        "name": name, "commands": commands,
        "actionTypeId": {"category": "Compute", "owner": "AWS", "provider": "Commands", "version": "1"},
        "inputArtifacts": [{"name": "SourceOutput"}],
    })
}

pub(crate) fn approval_action(name: &str) -> Value {
    json!({
        "name": name,
        "actionTypeId": {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"},
    })
}

/// A pipeline with a source stage and these.
pub(crate) fn pipeline(name: &str, stages: &[(&str, Vec<Value>)]) -> Value {
    let mut all = vec![json!({"name": "Source", "actions": [source_action()]})];
    all.extend(
        stages
            .iter()
            .map(|(name, actions)| json!({"name": name, "actions": actions})),
    );
    json!({
        "name": name,
        "roleArn": "arn:aws:iam::000000000000:role/pipeline",
        "pipelineType": "V2",
        "artifactStore": {"type": "S3", "location": "artifact-store"},
        "stages": all,
    })
}
