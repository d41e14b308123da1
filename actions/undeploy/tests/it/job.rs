//! Jobs: of executions that have ended, that come late, and that come again.

use std::time::Duration;

use delivery_action::clock;
use delivery_action::continuation::ContinuationToken;
use delivery_release::environment::{Action, DeploymentId, Ending, Outcome};
use delivery_testing::events::JobEvent;
use delivery_testing::runtime::Ended;
use delivery_testing::world::World;
use delivery_testing::world::codepipeline::Reported;
use serde_json::Value;
use undeploy::UndeployProgress;

use crate::world::{
    begin, begin_removal, deploy, environment, invoke, state, status, variables, world,
};

const EXECUTION: &str = "1f09ab3c-1111-2222-3333-444455556666";
const FIRST: &str = "first-job";

/// How often the job reads the environment's document before it waits: for its own removal, for those that have ended, before
/// it begins one and when it does.
const LOOKS_BEFORE_WAITING: usize = 4;

/// How often a test looks whether something has happened.
const INTERVAL: Duration = Duration::from_millis(20);

fn job() -> JobEvent {
    let parameters = format!("environment=dev-anna&pipeline=shop&execution={EXECUTION}");
    JobEvent::new()
        .id(FIRST)
        .user_parameters(&parameters)
        .credentials(None)
}

/// A later job of the action, which belongs to this removal.
fn later(id: &str, removal: Option<DeploymentId>) -> Value {
    let progress = UndeployProgress {
        job: FIRST.to_owned(),
        removal,
    };
    let token = ContinuationToken::new(&progress).unwrap();
    job().id(id).continuation_token(token.as_str()).build()
}

/// How often the environment's document was read.
fn looks(world: &World) -> usize {
    let calls = world.calls();
    let looks = calls.iter().filter(|call| {
        let operation = &call.operation;
        operation.name == "GetObject" && operation.resource.ends_with("/current.json")
    });
    looks.count()
}

/// Runs a job; what it reports.
async fn run(world: &World, event: &Value) -> Reported {
    world.code_pipeline().add_job(event);
    rerun(world, event).await
}

async fn rerun(world: &World, event: &Value) -> Reported {
    assert_eq!(invoke(world, event, &variables()).await, Ended::Succeeded);
    let reports = world.code_pipeline();
    reports.reports().last().unwrap().result.clone()
}

/// The environment has what was deployed to it after its removal.
async fn assert_untouched(world: &World, deployments: u64) {
    assert_eq!(status(world), "CREATE_COMPLETE");
    let state = state(world).await;
    assert_eq!((state.deployments, state.until), (deployments, None));
    assert!(state.current.is_some() && state.lease.is_none());
}

#[tokio::test]
async fn a_job_is_reported() {
    let world = world().await;
    let reported = run(&world, &job().build()).await;
    assert_eq!(status(&world), "DELETE_COMPLETE");
    let Reported::Success { summary, variables } = reported else {
        panic!("{reported:?}");
    };
    assert!(summary.starts_with("dev-anna is removed"), "{summary}");
    assert_eq!(variables["Removed"], "database");
    assert!(
        variables["Kept"].starts_with("database: kept, "),
        "{variables:?}"
    );
    let last = state(&world).await.last.unwrap().deployment;
    assert_eq!(last.by, format!("shop/{EXECUTION}"));
}

#[tokio::test]
async fn a_job_that_comes_again_leaves_what_was_made_since() {
    let world = world().await;
    let first = job().build();
    run(&world, &first).await;
    let removal = state(&world).await.last.unwrap().deployment.id;
    deploy(&world).await;

    // Its execution still runs.
    let reported = rerun(&world, &first).await;
    assert_eq!(reported.variables()["Removed"], "database");
    for (id, removal) in [("second-job", Some(removal)), ("third-job", None)] {
        let reported = run(&world, &later(id, removal)).await;
        assert_eq!(reported.variables()["Removed"], "database", "{id}");
    }
    assert_untouched(&world, 2).await;

    // Another action of the execution may remove it.
    run(&world, &job().id("another-action").build()).await;
    assert_eq!(status(&world), "DELETE_COMPLETE");
}

#[tokio::test]
async fn a_job_whose_removal_others_finished_leaves_what_was_made_since() {
    let world = world().await;
    let event = serde_json::json!({"environment": "dev-anna"});
    assert_eq!(invoke(&world, &event, &variables()).await, Ended::Succeeded);
    let removal = state(&world).await.last.unwrap().deployment.id;
    deploy(&world).await;
    let reported = run(&world, &later("second-job", Some(removal))).await;
    assert_eq!(reported.variables()["Removed"], "database");
    assert_untouched(&world, 2).await;
}

#[tokio::test]
async fn a_first_job_that_joined_a_removal_leaves_what_was_made_since() {
    let world = world().await;
    let others = begin_removal(&world).await;
    let first = job().build();
    let reported = run(&world, &first).await;
    assert_eq!(reported.variables()["Removed"], "database");
    let removed = state(&world).await;
    let last = removed.last.unwrap();
    // It has removed the environment, though the removal is still that of somebody else.
    assert_eq!((last.deployment.id, removed.deployments), (others, 1));
    assert_eq!(last.deployment.owner, "undeploy");
    deploy(&world).await;

    // Its execution still runs, and it has no token.
    let reported = rerun(&world, &first).await;
    assert_eq!(reported.variables()["Removed"], "database");
    assert_untouched(&world, 2).await;
}

#[tokio::test]
async fn a_job_of_an_execution_that_has_ended_removes_nothing() {
    let world = world().await;
    deploy(&world).await;
    for event in [job().build(), later("second-job", None)] {
        world.code_pipeline().add_job(&event);
        world.code_pipeline().set_execution(EXECUTION, "Stopped");
        let said = rerun(&world, &event).await.failure();
        assert!(
            said.contains(
                "has ended (status: Stopped), so this job stopped without further changes"
            ),
            "{said}"
        );
    }
    assert_untouched(&world, 1).await;
}

#[tokio::test]
async fn a_removal_of_the_job_that_has_failed_is_not_begun_again_by_it() {
    let world = world().await;
    world
        .cloud_formation()
        .tag(crate::world::STACK, "delivery:removable", "no");
    let first = job().build();
    let said = run(&world, &first).await.failure();
    assert!(said.contains("lacks the tag"), "{said}");
    world
        .cloud_formation()
        .tag(crate::world::STACK, "delivery:removable", "true");
    let again = rerun(&world, &first).await.failure();
    assert!(again.contains("lacks the tag"), "{again}");
    assert_eq!(status(&world), "CREATE_COMPLETE");
    assert_eq!(state(&world).await.deployments, 1);
}

#[tokio::test]
async fn a_job_waits_for_a_deployment_before_it_answers() {
    let world = world().await;
    let deployment = begin(&world).await;
    let first = job().build();
    world.code_pipeline().add_job(&first);
    world.forget_calls();
    let waiting = rerun(&world, &first);
    let ending = async {
        // Until it has waited once, and looked again.
        while looks(&world) <= LOOKS_BEFORE_WAITING {
            assert!(
                world.code_pipeline().reports().is_empty(),
                "it did not wait"
            );
            tokio::time::sleep(INTERVAL).await;
        }
        let failed = Ending {
            outcome: Outcome::Failed {
                message: "a test failed".to_owned(),
            },
            services: [].into(),
        };
        let ended = environment(&world);
        ended
            .end(&deployment, &failed, clock::timestamp())
            .await
            .unwrap();
        looks(&world)
    };
    let (reported, until_the_end) = tokio::join!(waiting, ending);
    let Reported::Continuation { token, .. } = reported else {
        panic!("{reported:?}");
    };
    // It answers as soon as it sees that the deployment has ended.
    assert_eq!(looks(&world), until_the_end + 1);
    let next = job().id("second-job").continuation_token(&token).build();
    run(&world, &next).await;
    assert_eq!(status(&world), "DELETE_COMPLETE");
    let last = state(&world).await.last.unwrap().deployment;
    assert_eq!(last.action, Action::Remove);
}
