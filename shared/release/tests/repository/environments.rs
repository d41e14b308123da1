//! Deployments, leases, histories and rollbacks.

use std::collections::BTreeMap;

use delivery_release::environment::{Action, Begun, Ending, Outcome, ServiceChange, ServiceResult};
use delivery_release::repository::layout;

use crate::world::{BUCKET, World, at, message, request, succeeded, under_way};

fn back(owner: &str) -> delivery_release::environment::Request {
    request(owner, Action::Rollback { release: None })
}

#[tokio::test]
async fn a_deployment_is_a_lease_and_then_a_record() {
    let world = World::start().await;
    let release = world.publish("a").await.release;
    let int = world.environment("int");
    let wanted = request("execution 1f09, Deploy", Action::Deploy { release });
    let lease = under_way(int.begin(&wanted, at(60)).await);
    let current = world.s3.read(BUCKET, &layout::current("int")).unwrap();
    insta::assert_snapshot!(String::from_utf8(current).unwrap());
    let ending = Ending {
        outcome: Outcome::Failed {
            message: "`Table` (AWS::DynamoDB::Table) in `workshop-int-api`: no".to_owned(),
        },
        services: BTreeMap::from([(
            "api".to_owned(),
            ServiceChange {
                result: ServiceResult::Failed,
                summary: Some("modify `F0`".to_owned()),
            },
        )]),
    };
    let id = lease.deployment.id;
    let record = int.end(&id, &ending, at(120)).await.unwrap();
    let key = layout::deployment("int", &id);
    let stored = world.s3.read(BUCKET, &key).unwrap();
    insta::assert_snapshot!(String::from_utf8(stored).unwrap());
    assert_eq!(int.record_of(&id).await.unwrap(), record);
    // Ended again in the same way, it is the same.
    assert_eq!(int.end(&id, &ending, at(130)).await.unwrap(), record);
    assert_eq!(
        int.begin(&wanted, at(140)).await.unwrap(),
        Begun::Ended(record)
    );
}

#[tokio::test]
async fn who_comes_second_waits_and_takes_over_what_is_stale() {
    let world = World::start().await;
    let release = world.publish("a").await.release;
    let int = world.environment("int");
    let one = request(
        "one",
        Action::Deploy {
            release: release.clone(),
        },
    );
    let other = request("other", Action::Deploy { release });
    let lease = under_way(int.begin(&one, at(0)).await);
    // Delivered again, it is the same deployment.
    assert_eq!(
        under_way(int.begin(&one, at(5)).await).deployment,
        lease.deployment
    );
    let refused = int.begin(&other, at(60)).await.unwrap_err();
    insta::assert_snapshot!(message(&refused));
    int.renew(&lease.deployment.id, at(1_100)).await.unwrap();
    int.begin(&other, at(2_300)).await.unwrap_err();

    let taken = under_way(int.begin(&other, at(2_301)).await);
    assert_eq!(taken.deployment.id.number(), 2);
    let late = int.end(&lease.deployment.id, &succeeded(), at(2_302)).await;
    insta::assert_snapshot!(message(&late.unwrap_err()));
    int.renew(&lease.deployment.id, at(2_303))
        .await
        .unwrap_err();
    let history = int.history(10).await.unwrap();
    assert_eq!(history.under_way, Some(taken));
    insta::assert_debug_snapshot!(history.ended[0].outcome);
}

#[tokio::test]
async fn a_person_releases_a_lease_that_nobody_needs() {
    let world = World::start().await;
    let release = world.publish("a").await.release;
    let int = world.environment("int");
    let wanted = request(
        "one",
        Action::Deploy {
            release: release.clone(),
        },
    );
    let lease = under_way(int.begin(&wanted, at(0)).await);
    let id = lease.deployment.id;
    int.unlock(&id, "Ben", at(10)).await.unwrap();
    let late = int.end(&id, &succeeded(), at(20)).await.unwrap_err();
    insta::assert_snapshot!(message(&late));
    world.deploy("int", &release).await;
    let gone = int.unlock(&id, "Ben", at(200)).await.unwrap_err();
    insta::assert_snapshot!(message(&gone));
}

#[tokio::test]
async fn a_rollback_goes_back_step_by_step() {
    let world = World::start().await;
    let mut releases = Vec::new();
    for code in ["a", "b", "c"] {
        let release = world.publish(code).await.release;
        world.deploy("prd", &release).await;
        releases.push(release);
    }
    let prd = world.environment("prd");
    let current = async || prd.state().await.unwrap().current.unwrap().release;
    world.run("prd", &back("one")).await;
    assert_eq!(current().await, releases[1]);
    // Not to `c`, which was the deployment before.
    world.run("prd", &back("two")).await;
    assert_eq!(current().await, releases[0]);
    let nothing = prd.begin(&back("three"), at(60)).await.unwrap_err();
    insta::assert_snapshot!(message(&nothing));
    assert_eq!(prd.history(2).await.unwrap().ended.len(), 2);
}

#[tokio::test]
async fn a_rollback_to_a_named_release_needs_one_that_was_there() {
    let world = World::start().await;
    let mut releases = Vec::new();
    for code in ["a", "b", "c"] {
        let release = world.publish(code).await.release;
        world.deploy("prd", &release).await;
        releases.push(release);
    }
    let never = world.publish("d").await.release;
    let to = |release: &delivery_release::manifest::ReleaseId| {
        let release = Some(release.clone());
        request("named", Action::Rollback { release })
    };
    let prd = world.environment("prd");
    let refused = prd.begin(&to(&never), at(60)).await.unwrap_err();
    insta::assert_snapshot!(message(&refused));
    world.run("prd", &to(&releases[0])).await;
    let state = prd.state().await.unwrap();
    assert_eq!(state.current.unwrap().release, releases[0]);
}

#[tokio::test]
async fn what_is_taken_down_has_nothing() {
    let world = World::start().await;
    let release = world.publish("a").await.release;
    world.deploy("dev-anna", &release).await;
    world
        .run("dev-anna", &request("down", Action::Remove))
        .await;
    let state = world.environment("dev-anna").state().await.unwrap();
    assert_eq!((state.current, state.deployments), (None, 2));
    let names: Vec<_> = world.repository.environments().await.unwrap();
    let names: Vec<_> = names.iter().map(|one| one.name().to_string()).collect();
    assert_eq!(names, ["dev-anna"]);
}
