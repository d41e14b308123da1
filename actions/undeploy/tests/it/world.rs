//! An environment in the in-memory AWS: one stack with a bucket, and the function's process.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use delivery_action::clock;
use delivery_definition::names::EnvironmentName;
use delivery_release::environment::{Action, Begun, Environment, Request, State};
use delivery_release::manifest::Manifest;
use delivery_release::repository::{Provenance, Publisher, Repository};
use delivery_testing::runtime::{Ended, Function, KillSwitch};
use delivery_testing::s3::Objects;
use delivery_testing::world::World;
use serde_json::{Value, json};

pub(crate) const BUCKET: &str = "releases";
pub(crate) const STACK: &str = "application-dev-anna-database";
pub(crate) const DATA: &str = "application-dev-anna-data";

/// A world with an environment: a stack whose bucket has objects and an upload, and something that is kept.
pub(crate) async fn world() -> World {
    let world = World::start_with(Objects::in_memory()).await;
    world.bucket(BUCKET).create().await;
    world.bucket(DATA).create().await;
    for key in ["a", "b"] {
        world.bucket(DATA).put(key, b"x".to_vec()).await;
    }
    let s3 = aws_sdk_s3::Client::new(&world.test_config());
    let upload = s3.create_multipart_upload().bucket(DATA).key("unfinished");
    upload.send().await.unwrap();
    add_stack(&world);
    world.forget_calls();
    world
}

pub(crate) async fn invoke(world: &World, event: &Value, variables: &[(&str, OsString)]) -> Ended {
    invoke_at(&world.url(), &KillSwitch::default(), event, variables).await
}

/// One invocation of a process that finds AWS at this address, and may be killed.
pub(crate) async fn invoke_at(
    url: &str,
    kill: &KillSwitch,
    event: &Value,
    variables: &[(&str, OsString)],
) -> Ended {
    let binary = Path::new(env!("CARGO_BIN_EXE_undeploy"));
    let timeout = Duration::from_mins(1);
    let mut function = Function::start_with(binary, url, kill, timeout, variables).await;
    function.invoke(event).await
}

pub(crate) fn variables() -> [(&'static str, OsString); 2] {
    [
        ("RELEASES_BUCKET", OsString::from(BUCKET)),
        ("APPLICATION", OsString::from("application")),
    ]
}

pub(crate) async fn state(world: &World) -> State {
    environment(world).state().await.unwrap()
}

pub(crate) fn status(world: &World) -> String {
    world.cloud_formation().snapshot()[STACK].status.clone()
}

/// The environment's stack: a bucket, and a table that its template keeps.
pub(crate) fn add_stack(world: &World) {
    let mut stacks = world.cloud_formation();
    stacks.take_polls(1);
    stacks.add_stack(
        STACK,
        "{\"Resources\": {\"Data\": {\"Type\": \"AWS::S3::Bucket\"}}}",
    );
    for (key, value) in [
        ("delivery:application", "application"),
        ("delivery:environment", "dev-anna"),
        ("delivery:service", "database"),
        ("delivery:removable", "true"),
    ] {
        stacks.tag(STACK, key, value);
    }
    stacks.add_resource(STACK, "Data", "AWS::S3::Bucket", DATA, false);
    stacks.add_resource(STACK, "Table", "AWS::DynamoDB::Table", "orders", true);
}

pub(crate) fn environment(world: &World) -> Environment {
    let s3 = aws_sdk_s3::Client::new(&world.test_config());
    let name = EnvironmentName::parse("dev-anna").unwrap();
    Environment::new(&Repository::new(s3, BUCKET), name)
}

/// Begins to deploy a release to the environment.
pub(crate) async fn begin(world: &World) -> delivery_release::environment::DeploymentId {
    let repository = Repository::new(aws_sdk_s3::Client::new(&world.test_config()), BUCKET);
    let mut publisher = Publisher::new(&repository);
    let file = publisher
        .put_bytes(b"application = \"application\"")
        .await
        .unwrap();
    let manifest: Manifest = serde_json::from_value(json!({
        "schema": 1,
        "application": "application",
        "source": {"revision": "9f3c"},
        "services": {},
        "configuration": {"sha256": file.sha256, "size": file.size, "path": "delivery.toml"},
    }))
    .unwrap();
    let provenance = Provenance {
        pipeline: None,
        execution: "publish".to_owned(),
        by: None,
    };
    let now = clock::timestamp();
    let release = publisher.publish(&manifest, &provenance, now).await;
    let request = Request {
        owner: "shop/another".to_owned(),
        by: "anna".to_owned(),
        reason: None,
        action: Action::Deploy {
            release: release.unwrap().release,
        },
        until: None,
    };
    let begun = environment(world)
        .begin_again(&request, clock::timestamp())
        .await;
    match begun.unwrap() {
        Begun::UnderWay(lease) => lease.deployment.id,
        Begun::Ended(record) => panic!("it has ended: {record:?}"),
    }
}

/// Begins to remove the environment, as the schedule does.
pub(crate) async fn begin_removal(world: &World) -> delivery_release::environment::DeploymentId {
    let request = Request {
        owner: "undeploy".to_owned(),
        by: "the schedule".to_owned(),
        reason: None,
        action: Action::Remove,
        until: None,
    };
    let environment = environment(world);
    let begun = environment.begin_again(&request, clock::timestamp()).await;
    match begun.unwrap() {
        Begun::UnderWay(lease) => lease.deployment.id,
        Begun::Ended(record) => panic!("it has ended: {record:?}"),
    }
}

/// Makes the environment anew.
pub(crate) async fn deploy(world: &World) {
    let deployment = begin(world).await;
    let environment = environment(world);
    let (all, now) = ([].into(), clock::timestamp());
    environment.finish(&deployment, &all, now).await.unwrap();
    add_stack(world);
}
