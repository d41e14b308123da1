//! What the function's process does with each kind of event. What a removal deletes and what it leaves is tested against the
//! local AWS, in `tests/tests/undeploy`.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use delivery_definition::names::EnvironmentName;
use delivery_release::environment::{Environment, State};
use delivery_release::repository::Repository;
use delivery_testing::events::JobEvent;
use delivery_testing::runtime::{Ended, Function, KillSwitch};
use delivery_testing::s3::Objects;
use delivery_testing::world::World;
use delivery_testing::world::codepipeline::Reported;
use serde_json::{Value, json};

const BUCKET: &str = "releases";
const STACK: &str = "application-dev-anna-database";
const DATA: &str = "application-data";

/// A world with an environment: a stack whose bucket has objects and an upload, and something that is kept.
async fn world() -> World {
    let world = World::start_with(Objects::in_memory()).await;
    world.bucket(BUCKET).create().await;
    world.bucket(DATA).create().await;
    for key in ["a", "b"] {
        world.bucket(DATA).put(key, b"x".to_vec()).await;
    }
    let s3 = aws_sdk_s3::Client::new(&world.test_config());
    let upload = s3.create_multipart_upload().bucket(DATA).key("unfinished");
    upload.send().await.unwrap();
    {
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
    world.forget_calls();
    world
}

async fn invoke(world: &World, event: &Value, variables: &[(&str, OsString)]) -> Ended {
    let binary = Path::new(env!("CARGO_BIN_EXE_undeploy"));
    let timeout = Duration::from_mins(1);
    let kill = KillSwitch::default();
    let mut function = Function::start_with(binary, &world.url(), &kill, timeout, variables).await;
    function.invoke(event).await
}

fn variables() -> [(&'static str, OsString); 2] {
    [
        ("RELEASES_BUCKET", OsString::from(BUCKET)),
        ("APPLICATION", OsString::from("application")),
    ]
}

async fn state(world: &World) -> State {
    let s3 = aws_sdk_s3::Client::new(&world.test_config());
    let name = EnvironmentName::parse("dev-anna").unwrap();
    let environment = Environment::new(&Repository::new(s3, BUCKET), name);
    environment.state().await.unwrap()
}

fn status(world: &World) -> String {
    world.cloud_formation().snapshot()[STACK].status.clone()
}

#[tokio::test]
async fn an_event_removes_an_environment() {
    let world = world().await;
    let event = json!({"environment": "dev-anna", "by": "anna"});
    assert_eq!(invoke(&world, &event, &variables()).await, Ended::Succeeded);
    assert_eq!(status(&world), "DELETE_COMPLETE");
    assert!(world.bucket(DATA).snapshot().await.is_empty());
    let last = state(&world).await.last.unwrap();
    assert!(last.outcome.is_success());
    let kept = last.services["database"].summary.clone().unwrap();
    assert!(kept.contains("`orders` (AWS::DynamoDB::Table"), "{kept}");
    // Once more there is nothing to do.
    assert_eq!(invoke(&world, &event, &variables()).await, Ended::Succeeded);
    assert_eq!(state(&world).await.deployments, 1);
}

#[tokio::test]
async fn a_job_is_reported() {
    let world = world().await;
    let event = JobEvent::new().user_parameters("environment=dev-anna");
    let event = event.credentials(None).build();
    world.code_pipeline().add_job(&event);
    assert_eq!(invoke(&world, &event, &variables()).await, Ended::Succeeded);
    assert_eq!(status(&world), "DELETE_COMPLETE");
    let reported = world.code_pipeline().reports()[0].result.clone();
    let Reported::Success { summary, variables } = reported else {
        panic!("{reported:?}");
    };
    assert!(summary.starts_with("dev-anna is removed"), "{summary}");
    assert_eq!(variables["Removed"], "database");
    assert!(
        variables["Kept"].starts_with("database: kept, "),
        "{variables:?}"
    );
}

#[tokio::test]
async fn any_other_event_is_one_of_the_schedule() {
    let world = world().await;
    for event in [
        json!({"detail-type": "Scheduled Event"}),
        json!({}),
        json!([1]),
    ] {
        assert_eq!(invoke(&world, &event, &variables()).await, Ended::Succeeded);
    }
    // Its time is not over: nothing was deployed to it by its record.
    assert_eq!(status(&world), "CREATE_COMPLETE");
    assert_eq!(world.mutating_calls(), [] as [String; 0]);
}

#[tokio::test]
async fn what_is_wrong_fails_the_invocation_or_the_job() {
    let world = world().await;
    let event = json!({"environment": "int"});
    let Ended::Failed(said) = invoke(&world, &event, &variables()).await else {
        panic!("it did not fail");
    };
    assert!(
        said.contains("`int` was not removed: only members of a family"),
        "{said}"
    );
    let Ended::Failed(said) = invoke(&world, &event, &variables()[..1]).await else {
        panic!("it did not fail");
    };
    assert!(
        said.contains("the function's variable `APPLICATION` is not set"),
        "{said}"
    );

    let event = JobEvent::new().user_parameters("environment=dev").build();
    world.code_pipeline().add_job(&event);
    assert_eq!(invoke(&world, &event, &variables()).await, Ended::Succeeded);
    let reported = world.code_pipeline().reports()[0].result.clone();
    let Reported::Failure { message, .. } = reported else {
        panic!("{reported:?}");
    };
    assert!(
        message.starts_with("`environment` in `UserParameters` is not valid"),
        "{message}"
    );
    assert_eq!(status(&world), "CREATE_COMPLETE");
}
