//! What all modules need: a world with one function, and the action in it.

use std::collections::BTreeMap;

use delivery_action::action::Host;
use delivery_action::aws::SdkConfig;
use delivery_action::job::Invocation;
use delivery_testing::events::{JobEvent, invocation};
use delivery_testing::world::World;
use delivery_testing::world::codepipeline::Reported;
use deploy_app::DeployApp;
use serde_json::Value;

pub(crate) const STORE: &str = "artifact-store";
pub(crate) const KEY: &str = "greeter/DistLambda/aB3xY9z";
pub(crate) const FUNCTION: &str = "greeter";

/// The code that the function has before, and the code of the artifact. Lambda looks at the first
/// bytes of a zip, and so does the action; the rest is for the hash alone.
pub(crate) const OLD_CODE: &[u8] = b"PK\x03\x04 old code";
pub(crate) const NEW_CODE: &[u8] = b"PK\x03\x04 new code";

/// A world in which `greeter` has one version and the aliases `test` and `prod` on it.
pub(crate) async fn world() -> World {
    let world = World::start().await;
    seed(&world).await;
    world
}

pub(crate) async fn seed(world: &World) {
    world.bucket(STORE).create().await.put(KEY, NEW_CODE).await;
    world
        .lambda()
        .add_function(FUNCTION, OLD_CODE, &["test", "prod"]);
    world.forget_calls();
}

pub(crate) fn event() -> JobEvent {
    JobEvent::new()
        .input("DistLambdaOutput", STORE, KEY)
        .user_parameters("function=greeter&alias=prod&revision=1a2b3c4")
}

/// Runs one job in this process; what it reports is in the world.
pub(crate) async fn run(world: &World, event: JobEvent) {
    run_with(world, event, world.config()).await;
}

pub(crate) async fn run_with(world: &World, event: JobEvent, config: SdkConfig) {
    run_in(world, event, config, invocation()).await;
}

/// The same in an invocation of one's own.
pub(crate) async fn run_in(
    world: &World,
    event: JobEvent,
    config: SdkConfig,
    invocation: Invocation,
) {
    let event: Value = event.build();
    world.code_pipeline().add_job(&event);
    Host::new(DeployApp::new, config)
        .invoke(event, invocation)
        .await
        .expect("the result is reported");
}

/// The output variables of the last job, which succeeded.
pub(crate) fn variables(world: &World) -> BTreeMap<String, String> {
    last(world).variables()
}

/// Failure type and message of the last job, which failed.
pub(crate) fn failure(world: &World) -> (String, String) {
    match last(world) {
        Reported::Failure {
            failure_type,
            message,
        } => (failure_type, message),
        other => panic!("no failure: {other:?}"),
    }
}

pub(crate) fn last(world: &World) -> Reported {
    let pipeline = world.code_pipeline();
    (*pipeline.accepted().last().expect("a result was reported")).clone()
}

/// `FunctionVersion` and `PreviousVersion` of the last job.
pub(crate) fn versions(world: &World) -> (String, String) {
    let variables = variables(world);
    (
        variables["FunctionVersion"].clone(),
        variables["PreviousVersion"].clone(),
    )
}

/// The version that an alias is wholly on.
pub(crate) fn alias(world: &World, name: &str) -> String {
    let mut lambda = world.lambda();
    let alias = &lambda.function(FUNCTION).aliases[name];
    assert!(alias.weights().is_empty(), "{alias:?}");
    alias.version().to_owned()
}

/// Which operations changed something at Lambda, in order.
pub(crate) fn changes(world: &World) -> Vec<String> {
    let calls = world.mutating_calls();
    calls
        .into_iter()
        .filter(|call| call.starts_with("lambda:"))
        .collect()
}

/// The alias was there and each version it chose could be invoked, at every moment.
pub(crate) fn assert_always_served(world: &World) {
    let lambda = world.lambda();
    let unserved: Vec<_> = lambda
        .alias_events()
        .iter()
        .filter(|event| !event.served)
        .collect();
    assert!(unserved.is_empty(), "{unserved:?}");
}
