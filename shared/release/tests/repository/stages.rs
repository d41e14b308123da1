//! Deployments of which several actions do a part each, and environments that are removed in time.

use std::collections::BTreeSet;

use delivery_release::ReleaseError;
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
async fn a_success_is_not_repeated_after_others() {
    let world = World::start().await;
    let (one, other) = (world.publish("a").await, world.publish("b").await);
    let int = world.environment("int");
    let wanted = deploys("execution 1", &one.release);
    let first = world.run("int", &wanted).await.deployment.id;
    world.deploy("int", &other.release).await;
    let before = int.state().await.unwrap();
    // A job that is delivered once more after that would bring the older release back.
    let late = int.join(&wanted, at(600)).await.unwrap_err();
    assert!(
        matches!(&late, ReleaseError::Lost { deployment, outcome: None, .. } if *deployment == first),
        "{late:?}"
    );
    insta::assert_snapshot!(message(&late));
    int.begin(&wanted, at(600)).await.unwrap_err();
    assert_eq!(int.state().await.unwrap(), before);
    // Nor when the lease of the others has run out.
    let lease = int
        .join(&deploys("execution 2", &one.release), at(700))
        .await;
    lease.unwrap();
    int.join(&wanted, at(700 + 20 * 60 + 1)).await.unwrap_err();
    // No copy of a job is as late as that: somebody means it.
    int.join(&wanted, at(8 * 60 * 60)).await.unwrap();
}

#[tokio::test]
async fn a_success_is_repeated_with_a_lease() {
    let world = World::start().await;
    let release = world.publish("a").await.release;
    let int = world.environment("int");
    let back = request(
        "back",
        Action::Rollback {
            release: Some(release.clone()),
        },
    );
    world.deploy("int", &release).await;
    world.deploy("int", &world.publish("b").await.release).await;
    let id = int.join(&back, at(200)).await.unwrap().deployment.id;
    let there = part(ServiceResult::Deployed);
    int.record_part(&id, "api", &there, at(201)).await.unwrap();
    int.end(&id, &succeeded(), at(202)).await.unwrap();
    let had = int.state().await.unwrap().current.unwrap();

    let again = int.join(&back, at(300)).await.unwrap();
    assert_eq!(again.deployment.id.number(), id.number() + 1);
    assert_eq!(again.missing(&names(&["api"])), [""; 0]);
    let other = deploys("other", &release);
    int.join(&other, at(301)).await.unwrap_err();
    // Nobody ends it: it leaves what passed its tests.
    let record = int.expire(at(300 + 20 * 60 + 1)).await.unwrap().unwrap();
    assert_eq!(record.outcome, Outcome::Succeeded);
    let has = int.state().await.unwrap().current.unwrap();
    assert_eq!((has.release, has.origin), (had.release, had.origin));
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

/// The services of a wave are deployed at once.
#[tokio::test]
async fn all_services_of_a_wave_are_recorded() {
    const SERVICES: usize = 24;
    let world = World::start().await;
    let release = world.publish("a").await.release;
    let int = world.environment("int");
    let wanted = deploys("execution 1", &release);
    let deployed = (0..SERVICES).map(|index| {
        let (int, wanted) = (int.clone(), wanted.clone());
        tokio::spawn(async move {
            let lease = int.join(&wanted, at(0)).await?;
            let there = part(ServiceResult::Deployed);
            let name = format!("service-{index}");
            int.record_part(&lease.deployment.id, &name, &there, at(1))
                .await
        })
    });
    for ended in deployed.collect::<Vec<_>>() {
        ended.await.unwrap().unwrap();
    }
    let lease = int.state().await.unwrap().lease.unwrap();
    assert_eq!(lease.parts.len(), SERVICES);
}
