//! What all modules need: a world with an artifact, and the action in it.

use std::time::Duration;

use delivery_action::action::Host;
use delivery_testing::archives::zip_of;
use delivery_testing::events::{JobEvent, invocation_of};
use delivery_testing::world::World;
use delivery_testing::world::codepipeline::Reported;
use deploy_stack::DeployStack;

pub(crate) const STORE: &str = "artifact-store";
pub(crate) const PACKAGES: &str = "packages";
pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/workshop-cloudformation";

/// A template whose function's code is in the artifact.
pub(crate) const TEMPLATE: &str = "\
Parameters:
  Level: { Type: String, Default: info }
Resources:
  Function:
    Type: AWS::Lambda::Function
    Properties: { Code: src, Handler: index.handler, Runtime: nodejs22.x }
";

/// A world with the two buckets.
pub(crate) async fn world() -> World {
    let world = World::start().await;
    seed(&world).await;
    world
}

pub(crate) async fn seed(world: &World) {
    world.bucket(STORE).create().await;
    world.bucket(PACKAGES).create().await;
    for release in ["r1", "r2", "r3"] {
        put(
            world,
            release,
            &[("template.yaml", TEMPLATE), ("src/index.js", release)],
        )
        .await;
    }
    world.forget_calls();
}

/// Stores an artifact under a key.
pub(crate) async fn put(world: &World, key: &str, files: &[(&str, &str)]) {
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(path, text)| (*path, text.as_bytes()))
        .collect();
    world.bucket(STORE).put(key, zip_of(&files)).await;
}

/// The job that deploys an artifact to the stack `shop`; `more` are further parameters.
pub(crate) fn event(key: &str, more: &str) -> JobEvent {
    let parameters =
        format!("stack=shop&template=template.yaml&bucket={PACKAGES}&role={ROLE}{more}");
    JobEvent::new()
        .input("BuildOutput", STORE, key)
        .user_parameters(&parameters)
}

/// Runs one job to its result.
pub(crate) async fn run(world: &World, event: JobEvent) -> Reported {
    world.run(DeployStack::new, event).await
}

/// Runs one job that has only so much time.
pub(crate) async fn run_within(world: &World, event: JobEvent, time: Duration) -> Reported {
    let event = event.build();
    world.code_pipeline().add_job(&event);
    Host::new(DeployStack::new, world.config())
        .invoke(event, invocation_of(time))
        .await
        .unwrap();
    last(world)
}

pub(crate) fn last(world: &World) -> Reported {
    let pipeline = world.code_pipeline();
    pipeline.reports().last().unwrap().result.clone()
}

/// The operations that changed something at CloudFormation, in order.
pub(crate) fn changes(world: &World) -> Vec<String> {
    let calls = world.mutating_calls();
    let calls = calls.iter();
    calls
        .filter_map(|call| call.strip_prefix("cloudformation:").map(str::to_owned))
        .collect()
}

/// How many change sets were executed.
pub(crate) fn effects(world: &World) -> usize {
    world.cloud_formation().effects().len()
}
