//! Faults at every mutating call, and a service that throttles.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use deploy_api::DeployApi;
use serde_json::Value;
use shared::action::Host;
use shared::testing::events::{FUNCTION_KEYS, JobEvent, invocation};
use shared::testing::matrix::{self, Scenario};
use shared::testing::proxy::{Fault, Proxy, Rule};
use shared::testing::s3;
use shared::testing::world::World;
use shared::testing::world::apigateway::RestApi;
use shared::testing::world::codepipeline::Reported;

use crate::frame::{API, DOCUMENT, Frame};

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
        JobEvent::new()
            .input("DistSwaggerOutput", "store", "p/Swagger/x")
            .user_parameters("api=a1b2c3&stage=test&Variable.alias=test")
            .build()
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
            deployments: api
                .deployments
                .values()
                .map(|made| made.description.clone())
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
        dangling.map_or(Ok(()), |stage| {
            Err(format!("a stage serves nothing: {stage:?}"))
        })
    }
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
    assert_eq!(
        summary
            .calls
            .iter()
            .filter(|call| call.starts_with("apigateway:"))
            .collect::<Vec<_>>(),
        [
            "apigateway:PutRestApi",
            "apigateway:CreateDeployment",
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
    let first = "cannot make a deployment of API `a1b2c3`: `apigateway:POST` on \
                 `arn:aws:apigateway:eu-west-1::/restapis/a1b2c3/deployments` did not succeed: \
                 TooManyRequestsException";
    assert!(message.starts_with(first), "{message}");
}
