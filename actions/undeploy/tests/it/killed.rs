//! The function's process is killed while it empties a bucket.

use std::sync::Arc;

use delivery_testing::proxy::{Fault, Hook, Proxy, Rule};
use delivery_testing::runtime::{Ended, KillSwitch};
use serde_json::json;

use crate::world::{DATA, invoke, invoke_at, state, status, variables, world};

/// Three times what one call deletes.
const VERSIONS: usize = 3_000;

#[tokio::test]
async fn the_next_pass_finishes_what_a_killed_process_left() {
    let world = world().await;
    for number in 0..VERSIONS {
        world
            .bucket(DATA)
            .put(&format!("key-{number}"), b"x".to_vec())
            .await;
    }
    let kill = KillSwitch::default();
    let hook: Hook = {
        let kill = kill.clone();
        Arc::new(move || {
            kill.kill();
            Box::pin(std::future::pending())
        })
    };
    let second = Rule {
        nth: 2,
        ..Rule::once("s3:DeleteObjects", Fault::AfterInsteadOfReply(hook))
    };
    let proxy = Proxy::start(&world.url(), [second]).await;
    let event = json!({"environment": "dev-anna"});
    let ended = invoke_at(&proxy.url(), &kill, &event, &variables()).await;
    assert!(matches!(ended, Ended::Died(_)), "{ended:?}");
    let left = world.bucket(DATA).snapshot().await.len();
    assert!(
        (1..VERSIONS).contains(&left),
        "{left} of {VERSIONS} are left"
    );
    assert_eq!(status(&world), "CREATE_COMPLETE");
    assert!(state(&world).await.lease.is_some());

    let schedule = json!({"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}});
    assert_eq!(
        invoke(&world, &schedule, &variables()).await,
        Ended::Succeeded
    );
    assert!(world.bucket(DATA).snapshot().await.is_empty());
    assert_eq!(status(&world), "DELETE_COMPLETE");
    let state = state(&world).await;
    assert!(state.is_removed() && state.last.unwrap().outcome.is_success());
    assert_eq!(state.deployments, 1);
}
