//! What the repository holds, and what of it can be deleted.

use delivery_release::environment::Action;
use delivery_release::prune::{NEWEST, Prunable, YOUNGEST};

use crate::world::{World, at, request};

#[tokio::test]
async fn what_environments_need_stays_however_old_it_is() {
    let world = World::start().await;
    let mut releases = Vec::new();
    for number in 0..NEWEST + 4 {
        releases.push(world.publish(&format!("code of {number}")).await.release);
    }
    for index in [0, 1] {
        world.deploy("prd", &releases[index]).await;
    }
    // The copy of an execution, which was removed, needs its release no more.
    world.deploy("qa-1f09ab3c", &releases[2]).await;
    world
        .run("qa-1f09ab3c", &request("undeploy", Action::Remove))
        .await;
    let mut holdings = world.repository.holdings().await.unwrap();
    assert_eq!(holdings.releases.len(), NEWEST + 4);
    // What is deployed, and what a rollback would bring back.
    let in_use: Vec<_> = holdings.in_use.iter().collect();
    let mut expected = vec![&releases[0], &releases[1]];
    expected.sort();
    assert_eq!(in_use, expected);
    let now = at(0) + YOUNGEST;
    assert_eq!(holdings.prunable(now).releases, []);

    // All were published at once here; a second apart, the first ones are the oldest.
    for held in &mut holdings.releases {
        let number = releases
            .iter()
            .position(|one| *one == held.release)
            .unwrap();
        held.published = Some(at(i64::try_from(number).unwrap()));
    }
    for blob in &mut holdings.blobs {
        blob.written = Some(at(0));
    }
    let later = at(3_600) + YOUNGEST;
    let prunable = holdings.prunable(later);
    assert_eq!(
        prunable.releases,
        [releases[3].clone(), releases[2].clone()]
    );
    let digests: Vec<_> = ["code of 2", "code of 3"]
        .map(|code| delivery_release::digest::Digest::of(code.as_bytes()))
        .into();
    let mut expected = digests;
    expected.sort();
    assert_eq!(prunable.blobs, expected);
    assert_eq!(prunable.bytes, 18);

    // A release that is kept has a service of one that is not in use itself: its definition says how that is deployed.
    let combined = holdings
        .releases
        .iter_mut()
        .find(|held| held.release == releases[1]);
    combined.unwrap().combined.insert(releases[2].clone());
    assert_eq!(holdings.prunable(later).releases, [releases[3].clone()]);
}

#[tokio::test]
async fn what_is_needed_and_has_no_manifest_keeps_everything() {
    let world = World::start().await;
    let mut releases = Vec::new();
    for number in 0..NEWEST + 4 {
        releases.push(world.publish(&format!("code of {number}")).await.release);
    }
    world.deploy("prd", &releases[0]).await;
    let key = delivery_release::repository::layout::manifest(&releases[0]);
    world.bucket.delete(&key).await;
    let mut holdings = world.repository.holdings().await.unwrap();
    let lost: Vec<_> = holdings.lost.iter().collect();
    assert_eq!(lost, [&releases[0]]);
    for held in &mut holdings.releases {
        held.published = Some(at(0));
    }
    let later = at(3_600) + YOUNGEST;
    assert_eq!(holdings.prunable(later), Prunable::default());
    holdings.lost.clear();
    assert_ne!(holdings.prunable(later), Prunable::default());
}
