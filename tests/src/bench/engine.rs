//! How long a page of a long history takes, and how much it slows other calls down in the meantime.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use local::engine::{
    Clock, Credentials, Durations, Engine, EngineConfig, EngineHandle, FunctionInvoker, PortError,
    PortFuture, Ports,
};
use local::source::Source;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::Bench;
use super::figures::Figures;
use super::report::{Section, Target};

/// Executions of the pipeline, and actions of each of them: 4,000 actions.
const EXECUTIONS: usize = 200;
const ACTIONS: usize = 20;

/// Executions that are started before any of them is waited for; a pipeline has at most 50.
const BATCH: usize = 40;

/// Items of a page, as many as the API allows.
const PAGE: usize = 100;

/// Clients that list while another asks for something small.
const LISTING: usize = 4;

/// What a page may take.
const MOST_SECONDS: f64 = 0.020;

/// The key of this comparison's engine.
const KEY: &str = "bench";

const REPOSITORY: &str = "octo/bench";
/// The pipeline's name.
pub(super) const PIPELINE: &str = "bench";

/// Builds a history of 4,000 actions through the API, then reads it.
///
/// # Errors
///
/// Where the engine cannot be started or refuses a call.
pub async fn compare(bench: &Bench) -> io::Result<Vec<Section>> {
    let folder = bench.fresh("engine")?;
    std::fs::write(folder.join("file"), "content")?;
    let (sender, jobs) = mpsc::unbounded_channel();
    let engine = start(&folder, KEY, sender).await?;
    let api = Api::new(engine.endpoint(), KEY);
    let reporter = tokio::spawn(report(api.clone(), jobs));
    fill(&api).await?;

    let actions = api
        .pages("ListActionExecutions", "actionExecutionDetails")
        .await?;
    let executions = api
        .pages("ListPipelineExecutions", "pipelineExecutionSummaries")
        .await?;
    let alone = api.small().await?;
    let listing: Vec<_> = (0..LISTING)
        .map(|_| tokio::spawn(list(api.clone())))
        .collect();
    let meanwhile = api.small().await?;
    listing.iter().for_each(tokio::task::JoinHandle::abort);
    reporter.abort();
    engine.shutdown().await;

    Ok(vec![section(&actions, &executions, &alone, &meanwhile)])
}

fn section(
    actions: &Figures,
    executions: &Figures,
    alone: &Figures,
    meanwhile: &Figures,
) -> Section {
    let rows = [
        ("a page of `ListActionExecutions`", actions),
        ("a page of `ListPipelineExecutions`", executions),
        ("`GetPipeline`, alone", alone),
        ("`GetPipeline`, while 4 clients list actions", meanwhile),
    ];
    let mut table = String::from("| call | median, ms | all, ms |\n|---|---|---|\n");
    for (call, figures) in rows {
        let (median, min, max) = (figures.median(), figures.min(), figures.max());
        let _infallible = writeln!(
            table,
            "| {call} | {:.1} | {:.1} to {:.1} |",
            median * 1e3,
            min * 1e3,
            max * 1e3
        );
    }
    let target = |work: &str, figures: &Figures| Target {
        work: format!("engine, {work} of {PAGE} at 4,000 actions"),
        aim: "below 20 ms".to_owned(),
        reached: format!("{:.1} ms", figures.median() * 1e3),
        met: figures.median() < MOST_SECONDS,
    };
    Section {
        title: "Pages of the local engine".to_owned(),
        text: format!(
            "One pipeline with {EXECUTIONS} executions of {ACTIONS} actions, read over HTTP in pages of \
             {PAGE}: every page once, from the newest to the oldest."
        ),
        targets: vec![
            target("a page of `ListActionExecutions`", actions),
            target("a page of `ListPipelineExecutions`", executions),
        ],
        table,
        ..Section::default()
    }
}

/// Starts an engine without an AWS around it: its source is a folder, and its jobs' ids go to a channel.
pub(super) async fn start(
    folder: &Path,
    key: &str,
    jobs: mpsc::UnboundedSender<String>,
) -> io::Result<EngineHandle> {
    let source = Source::open(folder).await.map_err(io::Error::other)?;
    let config = EngineConfig {
        region: "us-east-1".to_owned(),
        account_id: "000000000000".to_owned(),
        aws_endpoint: String::new(),
        credentials: Credentials {
            access_key_id: key.to_owned(),
            secret_access_key: key.to_owned(),
            session_token: key.to_owned(),
        },
        durations: Durations::local(),
        clock: Clock::System,
        sources: BTreeMap::from([(REPOSITORY.to_owned(), source)]),
    };
    let ports = Ports::discarding(Functions(jobs));
    Engine::start_with(config, ports)
        .await
        .map_err(io::Error::other)
}

/// Reports every job as done.
async fn report(api: Api, mut jobs: mpsc::UnboundedReceiver<String>) -> io::Result<()> {
    while let Some(job) = jobs.recv().await {
        api.call("PutJobSuccessResult", &json!({"jobId": job}))
            .await?;
    }
    Ok(())
}

/// A pipeline of [`ACTIONS`] actions.
pub(super) fn pipeline() -> Value {
    let kind = |category: &str, provider: &str| json!({"category": category, "owner": "AWS", "provider": provider, "version": "1"});
    let source = json!({"name": "Source", "actionTypeId": kind("Source", "CodeStarSourceConnection"),
        "configuration": {"ConnectionArn": "c", "FullRepositoryId": REPOSITORY, "BranchName": "main"},
        "outputArtifacts": [{"name": "Source"}]});
    let action = |number| {
        json!({"name": format!("a{number}"), "actionTypeId": kind("Invoke", "Lambda"),
            "configuration": {"FunctionName": "f", "UserParameters": "key=value&other=value"},
            "inputArtifacts": [{"name": "Source"}]})
    };
    let actions: Vec<_> = (1..ACTIONS).map(action).collect();
    json!({"pipeline": {"name": PIPELINE, "roleArn": "arn:aws:iam::000000000000:role/bench",
        "pipelineType": "V2", "executionMode": "QUEUED",
        "artifactStore": {"type": "S3", "location": "store"},
        "stages": [{"name": "Source", "actions": [source]}, {"name": "Work", "actions": actions}]}})
}

async fn fill(api: &Api) -> io::Result<()> {
    api.call("CreatePipeline", &pipeline()).await?;
    let mut left = EXECUTIONS - 1; // the creation starts the first
    while left > 0 {
        let batch = left.min(BATCH);
        let mut last = Value::Null;
        for _ in 0..batch {
            let started = api
                .call("StartPipelineExecution", &json!({"name": PIPELINE}))
                .await?;
            last = started["pipelineExecutionId"].clone();
        }
        let asked = json!({"pipelineName": PIPELINE, "pipelineExecutionId": last});
        loop {
            let execution = api.call("GetPipelineExecution", &asked).await?;
            match execution["pipelineExecution"]["status"].as_str() {
                Some("Succeeded") => break,
                Some("InProgress") => tokio::time::sleep(Duration::from_millis(50)).await,
                other => return Err(io::Error::other(format!("an execution is {other:?}"))),
            }
        }
        left -= batch;
    }
    Ok(())
}

/// Lists actions until it is ended.
async fn list(api: Api) -> io::Result<()> {
    loop {
        api.pages("ListActionExecutions", "actionExecutionDetails")
            .await?;
    }
}

/// The engine's API.
#[derive(Clone)]
pub(super) struct Api {
    client: Client<HttpConnector, Full<Bytes>>,
    endpoint: String,
    authorization: String,
}

impl Api {
    pub(super) fn new(endpoint: String, key: &str) -> Self {
        // The engine looks at the key and does not check the signature.
        let scope = format!("{key}/20260101/us-east-1/codepipeline/aws4_request");
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            endpoint,
            authorization: format!("AWS4-HMAC-SHA256 Credential={scope}"),
        }
    }

    pub(super) async fn call(&self, operation: &str, input: &Value) -> io::Result<Value> {
        let request = Request::post(&self.endpoint)
            .header("x-amz-target", format!("CodePipeline_20150709.{operation}"))
            .header("authorization", &self.authorization)
            .body(Full::from(input.to_string()))
            .map_err(io::Error::other)?;
        let response = self
            .client
            .request(request)
            .await
            .map_err(io::Error::other)?;
        let status = response.status();
        let body = response
            .into_body()
            .collect()
            .await
            .map_err(io::Error::other)?
            .to_bytes();
        if !status.is_success() {
            let body = String::from_utf8_lossy(&body).into_owned();
            return Err(io::Error::other(format!("{operation}: {status}: {body}")));
        }
        Ok(serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    /// Reads all pages of a list: what each took.
    async fn pages(&self, operation: &str, items: &str) -> io::Result<Figures> {
        let mut figures = Figures::default();
        let mut input = json!({"pipelineName": PIPELINE, "maxResults": PAGE});
        loop {
            let begin = Instant::now();
            let page = self.call(operation, &input).await?;
            figures.push(begin.elapsed().as_secs_f64());
            if page[items].as_array().is_none_or(Vec::is_empty) {
                return Err(io::Error::other(format!("{operation}: an empty page")));
            }
            match page.get("nextToken") {
                Some(next) => input["nextToken"] = next.clone(),
                None => return Ok(figures),
            }
        }
    }

    /// Asks for something small, again and again: what each call took.
    async fn small(&self) -> io::Result<Figures> {
        let mut figures = Figures::default();
        for _ in 0..PAGE {
            let begin = Instant::now();
            self.call("GetPipeline", &json!({"name": PIPELINE})).await?;
            figures.push(begin.elapsed().as_secs_f64());
        }
        Ok(figures)
    }
}

/// Functions that hand their jobs' ids on.
struct Functions(mpsc::UnboundedSender<String>);

impl FunctionInvoker for Functions {
    fn invoke<'a>(
        &'a self,
        _function: &'a str,
        event: Vec<u8>,
    ) -> PortFuture<'a, Result<(), PortError>> {
        let event: Value = serde_json::from_slice(&event).unwrap_or_default();
        let job = event["CodePipeline.job"]["id"].as_str().unwrap_or_default();
        let _the_run_may_be_over = self.0.send(job.to_owned());
        Box::pin(async { Ok(()) })
    }
}
