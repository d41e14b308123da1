//! What the function's process does with each kind of event. What a removal deletes and what it leaves is tested against the
//! local AWS, in `tests/tests/undeploy`.

use delivery_testing::events::JobEvent;
use delivery_testing::runtime::Ended;
use delivery_testing::world::codepipeline::Reported;
use serde_json::json;

use crate::world::{DATA, invoke, state, status, variables, world};

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
        said.contains("`int` was not removed: only environments of a family"),
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
