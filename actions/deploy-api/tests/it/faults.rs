//! Faults at every mutating call, and a service that throttles.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use delivery_action::action::Host;
use delivery_testing::events::{FUNCTION_KEYS, JobEvent, invocation};
use delivery_testing::matrix::{self, Scenario};
use delivery_testing::proxy::{Fault, Hook, Proxy, Rule};
use delivery_testing::s3;
use delivery_testing::world::World;
use delivery_testing::world::apigateway::{RestApi, RestDeployment};
use delivery_testing::world::codepipeline::Reported;
use deploy_api::DeployApi;
use serde_json::{Value, json};

use crate::frame::{API, DOCUMENT, Frame, changed_document};

/// A first deployment of a document, with a stage variable.
struct Release;

/// What the stages serve and what deployments there are, without ids. A repeated deployment that no
/// stage serves counts as one with the first: the next delivery of the job removes it.
#[derive(Debug, PartialEq)]
struct State {
    served: BTreeMap<String, Option<Value>>,
    variables: BTreeMap<String, BTreeMap<String, String>>,
    deployments: BTreeSet<String>,
}

impl Scenario for Release {
    type State = State;

    fn binary(&self) -> &Path {
        Path::new(env!("CARGO_BIN_EXE_deploy-api"))
    }

    fn event(&self) -> Value {
        release(JobEvent::new(), "p/Swagger/x", "test", "0a1b2c3d-1111")
    }

    fn other_release(&self) -> Option<Value> {
        let event = JobEvent::new().id("22222222-abcd-1111-abcd-111111abcdef");
        Some(release(event, "p/Swagger/other", "other", "0a1b2c3d-2222"))
    }

    /// API Gateway moves a stage without a condition: a request that is on its way while the execution ends and
    /// another release goes live comes after it (docs/decisions/0150-late-jobs-change-nothing.md).
    fn unconditional(&self) -> &[&str] {
        &["apigateway:UpdateStage"]
    }

    async fn check_other(&self, world: &World) -> Result<(), String> {
        let apis = world.api_gateway();
        let served = apis.served(API, "test");
        let ok = served.and_then(|served| served.pointer("/paths/~1greeting/get/responses/200"));
        if ok.is_none_or(|ok| ok["description"] != "still ok") {
            return Err(format!("the stage serves {served:?}"));
        }
        let api = apis.api(API);
        if api.stages["test"].variables["alias"] != "other" {
            return Err(format!("the stage has {:?}", api.stages["test"].variables));
        }
        labels(api)
    }

    async fn seed(&self, world: &World) {
        world
            .api_gateway()
            .create(API, "greeter", &["test", "prod"]);
        world
            .bucket("store")
            .create()
            .await
            .put("p/Swagger/x", DOCUMENT)
            .await
            .put("p/Swagger/other", changed_document())
            .await;
    }

    async fn snapshot(&self, world: &World) -> State {
        let apis = world.api_gateway();
        let api: &RestApi = apis.api(API);
        let stages = || api.stages.iter();
        State {
            served: stages()
                .map(|(name, _)| (name.clone(), apis.served(API, name).cloned()))
                .collect(),
            variables: stages()
                .map(|(name, stage)| (name.clone(), stage.variables.clone()))
                .collect(),
            // One that was never said to be of a document is of no use to anyone, and goes with the next job.
            deployments: api
                .deployments
                .values()
                .map(|made| made.description.clone())
                .filter(|description| description != "serverless-delivery unchecked")
                .collect(),
        }
    }

    fn mends_what_passes(&self) -> bool {
        true
    }

    fn check(&self, world: &World) -> Result<(), String> {
        let apis = world.api_gateway();
        let api = apis.api(API);
        let dangling = api
            .stages
            .values()
            .find(|stage| !api.deployments.contains_key(&stage.deployment));
        dangling.map_or_else(
            || labels(api),
            |stage| Err(format!("a stage serves nothing: {stage:?}")),
        )
    }
}

fn release(event: JobEvent, key: &str, alias: &str, execution: &str) -> Value {
    event
        .input("DistSwaggerOutput", "store", key)
        .user_parameters(&format!(
            "api=a1b2c3&stage=test&Variable.alias={alias}&pipeline=greeter&execution={execution}"
        ))
        .build()
}

/// A deployment that is said to be of a document holds it: it has the line that its import had.
fn labels(api: &RestApi) -> Result<(), String> {
    let labelled = |made: &&RestDeployment| made.description.contains("sha256:");
    let untrue = api.deployments.values().filter(labelled).find(|made| {
        let marker = made
            .description
            .split(" revision ")
            .next()
            .unwrap_or_default();
        let held = made.definition.as_ref();
        let held = held.and_then(|held| held["info"]["description"].as_str());
        held.is_none_or(|held| !held.ends_with(marker))
    });
    untrue.map_or(Ok(()), |made| Err(format!("a label is not true: {made:?}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_at_every_call_ends_in_the_deployment_or_before_it() {
    let summary = matrix::run(&Release).await;
    println!(
        "deploy-api: {} cells, {} mutating calls: {:?}",
        summary.cells,
        summary.calls.len(),
        summary.calls
    );
    assert_eq!(summary.broken, Vec::<String>::new());
    // Without one call that has no condition, held while another release goes live.
    assert_eq!(summary.cells, 5 * 7 * 5 - 7);
    assert_eq!(
        summary
            .calls
            .iter()
            .filter(|call| call.starts_with("apigateway:"))
            .collect::<Vec<_>>(),
        [
            "apigateway:PutRestApi",
            "apigateway:CreateDeployment",
            "apigateway:UpdateDeployment",
            "apigateway:UpdateStage"
        ]
    );
}

async fn run_with(frame: &Frame, rules: Vec<Rule>) -> Reported {
    let proxy = Proxy::start(&frame.world.url(), rules).await;
    let event = Release.event();
    frame.world.code_pipeline().add_job(&event);
    let config = s3::config(&proxy.url(), FUNCTION_KEYS);
    Host::<DeployApi, _>::new(DeployApi::new, config)
        .invoke(event, invocation())
        .await
        .unwrap();
    let reports = frame.world.code_pipeline().reports().to_vec();
    reports
        .last()
        .expect("a result was reported")
        .result
        .clone()
}

/// Someone else's import right before a call of the job, so often.
async fn with_foreign_imports(times: usize) -> (Frame, Reported) {
    let frame = Frame::start().await;
    let world = frame.world.clone();
    let foreign: Hook = Arc::new(move || {
        let mut apis = world.api_gateway();
        let api = apis.api_mut(API);
        api.definition = Some(json!({"info": {"description": "theirs"}, "paths": {}}));
        "theirs".clone_into(&mut api.description);
        Box::pin(std::future::ready(()))
    });
    let rule = Rule {
        times,
        ..Rule::once("apigateway:CreateDeployment", Fault::Before(foreign))
    };
    let reported = run_with(&frame, vec![rule]).await;
    (frame, reported)
}

#[tokio::test]
async fn a_deployment_of_another_import_is_taken_back() {
    let (frame, reported) = with_foreign_imports(1).await;
    assert!(matches!(reported, Reported::Success { .. }), "{reported:?}");
    let apis = frame.world.api_gateway();
    let api = apis.api(API);
    labels(api).unwrap();
    // The placeholder and the job's own.
    assert_eq!(api.deployments.len(), 2, "{:?}", api.deployments);
    let served = apis.served(API, "test").unwrap();
    assert!(served["paths"]["/greeting"].is_object(), "{served}");
}

#[tokio::test]
async fn a_deployment_that_another_job_removed_is_made_again() {
    let frame = Frame::start().await;
    let world = frame.world.clone();
    let removal: Hook = Arc::new(move || {
        let mut apis = world.api_gateway();
        let api = apis.api_mut(API);
        let served: Vec<_> = api
            .stages
            .values()
            .map(|one| one.deployment.clone())
            .collect();
        api.deployments.retain(|id, _| served.contains(id));
        Box::pin(std::future::ready(()))
    });
    let rule = Rule::once("apigateway:UpdateStage", Fault::Before(removal));
    let reported = run_with(&frame, vec![rule]).await;
    assert!(matches!(reported, Reported::Success { .. }), "{reported:?}");
    let calls = frame.world.calls();
    let look = calls
        .iter()
        .any(|call| call.operation.action() == "apigateway:GetDeployment");
    assert!(look, "the refusal alone does not tell that it is gone");
    let apis = frame.world.api_gateway();
    let served = apis.served(API, "test").unwrap();
    assert!(served["paths"]["/greeting"].is_object(), "{served}");
}

#[tokio::test]
async fn others_who_import_again_and_again_end_the_job() {
    let (frame, reported) = with_foreign_imports(usize::MAX).await;
    let Reported::Failure {
        failure_type,
        message,
    } = reported
    else {
        panic!("{reported:?}")
    };
    assert_eq!(failure_type, "RevisionOutOfSync");
    assert!(
        message.starts_with(
            "another document was imported into API `a1b2c3` before a deployment of this one was created"
        ),
        "{message}"
    );
    let apis = frame.world.api_gateway();
    assert_eq!(apis.api(API).deployments.len(), 1);
}

#[tokio::test]
async fn a_late_job_changes_nothing() {
    let frame = Frame::start().await;
    let event = Release.event();
    frame.world.code_pipeline().add_job(&event);
    frame
        .world
        .code_pipeline()
        .set_execution("0a1b2c3d-1111", "Stopped");
    Host::<DeployApi, _>::new(DeployApi::new, frame.world.config())
        .invoke(event, invocation())
        .await
        .unwrap();
    assert_eq!(frame.changes(), Vec::<String>::new());
    let pipeline = frame.world.code_pipeline();
    let [report] = pipeline.reports() else {
        panic!("{:?}", pipeline.reports())
    };
    assert!(
        matches!(&report.result, Reported::Failure { message, .. } if message.starts_with(
            "pipeline execution `0a1b2c3d-1111` of `greeter` has ended (status: Stopped)"
        )),
        "{report:?}"
    );
}

#[tokio::test]
async fn a_service_that_throttles_is_asked_again() {
    let frame = Frame::start().await;
    let throttled = |operation: &str| Rule {
        times: 4,
        ..Rule::once(operation, Fault::Status(429))
    };
    let rules = [
        "apigateway:PutRestApi",
        "apigateway:CreateDeployment",
        "apigateway:UpdateStage",
    ]
    .map(throttled);
    let reported = run_with(&frame, rules.into()).await;
    assert!(matches!(reported, Reported::Success { .. }), "{reported:?}");
}

#[tokio::test]
async fn a_change_of_someone_elses_is_waited_for() {
    let frame = Frame::start().await;
    let rule = Rule::once("apigateway:PutRestApi", Fault::Status(409));
    let reported = run_with(&frame, vec![rule]).await;
    assert!(matches!(reported, Reported::Success { .. }), "{reported:?}");
}

#[tokio::test]
async fn a_service_that_throttles_for_good_is_reported_as_such() {
    let frame = Frame::start().await;
    let rule = Rule::always("apigateway:CreateDeployment", Fault::Status(429));
    let Reported::Failure {
        failure_type,
        message,
    } = run_with(&frame, vec![rule]).await
    else {
        panic!("the job did not fail");
    };
    assert_eq!(failure_type, "SystemUnavailable");
    let first = "cannot create a deployment of API `a1b2c3`: `apigateway:POST` on \
                 `arn:aws:apigateway:eu-west-1::/restapis/a1b2c3/deployments` failed: \
                 TooManyRequestsException";
    assert!(message.starts_with(first), "{message}");
}
