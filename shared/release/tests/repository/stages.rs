//! Deployments of which several actions do a part each, and environments that are removed in time.

use std::collections::BTreeSet;

use delivery_release::environment::{
    Action, Begun, Ending, Outcome, Request, ServiceChange, ServiceResult,
};
use delivery_release::manifest::ReleaseId;

use crate::world::{World, at, message, request, succeeded, under_way};

fn deploys(owner: &str, release: &ReleaseId) -> Request {
    let release = release.clone();
    request(owner, Action::Deploy { release })
}

fn part(result: ServiceResult) -> ServiceChange {
    ServiceChange {
        result,
        summary: None,
    }
}

fn failed() -> Ending {
    Ending {
        outcome: Outcome::Failed {
            message: "`api` failed".to_owned(),
        },
        services: [("api".to_owned(), part(ServiceResult::Failed))].into(),
    }
}

fn names(parts: &[&str]) -> BTreeSet<String> {
    parts.iter().map(|one| (*one).to_owned()).collect()
}

#[tokio::test]
async fn a_deployment_succeeds_when_all_its_parts_are_there() {
    let world = World::start().await;
    let release = world.publish("a").await.release;
    let int = world.environment("int");
    let wanted = deploys("execution 1", &release);
    let id = under_way(int.begin(&wanted, at(0)).await).deployment.id;
    let record = async |name: &str, result| int.record_part(&id, name, &part(result), at(10)).await;
    record("database", ServiceResult::Unchanged).await.unwrap();
    let expected = names(&["api", "database"]);
    let incomplete = int.finish(&id, &expected, at(20)).await.unwrap_err();
    insta::assert_snapshot!(message(&incomplete));
    // It is still under way: the second action joins it.
    let joined = under_way(int.begin(&wanted, at(30)).await);
    assert_eq!((&joined.deployment.id, joined.passes), (&id, 2));
    record("api", ServiceResult::Deployed).await.unwrap();
    let ended = int.finish(&id, &expected, at(40)).await.unwrap();
    assert!(ended.outcome.is_success());
    assert_eq!(
        ended.services.into_keys().collect::<Vec<_>>(),
        ["api", "database"]
    );
    // A duplicate of the last action.
    int.finish(&id, &expected, at(50)).await.unwrap();
    let late = record("api", ServiceResult::Deployed).await.unwrap_err();
    insta::assert_snapshot!(message(&late));
}

#[tokio::test]
async fn what_was_deployed_before_a_failure_counts_in_the_retry() {
    let world = World::start().await;
    let release = world.publish("a").await.release;
    let int = world.environment("int");
    let wanted = deploys("execution 1", &release);
    let expected = names(&["api", "database"]);
    let first = under_way(int.begin(&wanted, at(0)).await).deployment.id;
    let there = part(ServiceResult::Deployed);
    int.record_part(&first, "database", &there, at(1))
        .await
        .unwrap();
    int.end(&first, &failed(), at(2)).await.unwrap();
    // A late duplicate changes nothing; who knows that it is none begins again.
    assert!(matches!(
        int.begin(&wanted, at(3)).await.unwrap(),
        Begun::Ended(_)
    ));
    let again = under_way(int.begin_again(&wanted, at(4)).await);
    assert_eq!(again.missing(&expected), ["api"]);
    let second = again.deployment.id;
    assert_eq!(second.number(), 2);
    int.record_part(&second, "api", &there, at(5))
        .await
        .unwrap();
    int.finish(&second, &expected, at(6)).await.unwrap();
    // What has succeeded is not begun again.
    assert!(matches!(
        int.begin_again(&wanted, at(7)).await.unwrap(),
        Begun::Ended(_)
    ));
}

#[tokio::test]
async fn what_was_deployed_before_others_does_not_count() {
    let world = World::start().await;
    let (one, other) = (world.publish("a").await, world.publish("b").await);
    let int = world.environment("int");
    let wanted = deploys("execution 1", &one.release);
    let first = under_way(int.begin(&wanted, at(0)).await).deployment.id;
    let there = part(ServiceResult::Deployed);
    int.record_part(&first, "database", &there, at(1))
        .await
        .unwrap();
    int.end(&first, &failed(), at(2)).await.unwrap();
    world.deploy("int", &other.release).await;
    let again = under_way(int.begin_again(&wanted, at(200)).await);
    assert_eq!(
        again.missing(&names(&["api", "database"])),
        ["api", "database"]
    );
}

#[tokio::test]
async fn a_lease_that_ran_out_is_ended_without_anybody_who_deploys() {
    let world = World::start().await;
    let release = world.publish("a").await.release;
    let int = world.environment("int");
    let id = under_way(int.begin(&deploys("execution 1", &release), at(0)).await)
        .deployment
        .id;
    assert_eq!(int.expire(at(20 * 60)).await.unwrap(), None);
    let record = int.expire(at(20 * 60 + 1)).await.unwrap().unwrap();
    assert_eq!(record.deployment.id, id);
    let outcome = Outcome::Abandoned {
        message: format!("its lease ran out at {}", at(20 * 60)),
    };
    assert_eq!(record.outcome, outcome);
    assert_eq!(int.expire(at(20 * 60 + 2)).await.unwrap(), None);
    assert_eq!(int.record_of(&id).await.unwrap(), record);
}

#[tokio::test]
async fn an_environment_has_its_end_before_its_first_resource() {
    let world = World::start().await;
    let release = world.publish("a").await.release;
    let dev = world.environment("dev-anna");
    let until = async || dev.state().await.unwrap().until;
    let lasting = |owner: &str, until| Request {
        until: Some(at(until)),
        ..deploys(owner, &release)
    };
    let id = under_way(dev.begin(&lasting("one", 14_400), at(0)).await)
        .deployment
        .id;
    assert_eq!(until().await, Some(at(14_400)));
    dev.end(&id, &succeeded(), at(10)).await.unwrap();
    // Each deployment moves it, and so does a person.
    let id = under_way(dev.begin(&lasting("two", 20_000), at(20)).await)
        .deployment
        .id;
    dev.end(&id, &succeeded(), at(30)).await.unwrap();
    assert_eq!(until().await, Some(at(20_000)));
    dev.keep(Some(at(90_000))).await.unwrap();
    assert_eq!(until().await, Some(at(90_000)));
    world
        .run("dev-anna", &request("down", Action::Remove))
        .await;
    assert_eq!(until().await, None);
}
