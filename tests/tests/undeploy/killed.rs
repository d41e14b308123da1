//! A removal that is killed at each of its calls that change something: the next pass finishes it.

use std::sync::Arc;
use std::time::Duration;

use delivery_action::clock::Deadline;
use delivery_action::event::EventFunction as _;
use delivery_testing::proxy::{Fault, Hook, Proxy, Rule};
use serde_json::json;
use tokio::sync::mpsc;

use crate::world::{TOPIC, World, run};

/// The calls of a removal that change something.
const CHANGES: [&str; 3] = [
    "s3:PutObject",
    "s3:DeleteObjects",
    "cloudformation:DeleteStack",
];

const WITHIN: Duration = Duration::from_mins(2);

/// The environment of one kill: two stacks, a bucket with versions, and something that is kept.
async fn environment(world: &World, name: &str) -> [String; 2] {
    world.deploy(name, None).await;
    let bucket = format!("killed-{name}");
    let template = format!(
        "Resources:\n  Data:\n    Type: AWS::S3::Bucket\n    Properties:\n      BucketName: {bucket}\n      \
         VersioningConfiguration: {{ Status: Enabled }}\n  Kept:\n    Type: AWS::SNS::Topic\n    DeletionPolicy: Retain\n    \
         Properties: {{ TopicName: kept-{name} }}\n"
    );
    let database = world.stack(name, "database", &template).await;
    let orders = world.stack(name, "orders", TOPIC).await;
    for _ in 0..2 {
        world.put(&bucket, "key").await;
    }
    [database, orders]
}

/// Removes an environment until the function is killed; whether it was.
async fn removed_until(world: &World, name: &str, rule: impl FnOnce(Hook) -> Rule) -> bool {
    let (kill, mut killed) = mpsc::unbounded_channel();
    let hook: Hook = Arc::new(move || {
        let _unheard = kill.send(());
        Box::pin(std::future::pending())
    });
    let proxy = Proxy::start(&world.endpoint, [rule(hook)]).await;
    let undeploy = world.undeploy(&proxy.url());
    let event = json!({"environment": name});
    tokio::select! {
        handled = undeploy.handle(&event, Deadline::after(WITHIN)) => {
            handled.unwrap();
            false
        }
        _ = killed.recv() => true,
    }
}

#[test]
fn a_removal_that_is_killed_at_any_call_is_finished_by_the_next_pass() {
    run("killed", async |world| {
        let mut kills = 0;
        for change in CHANGES {
            for nth in 1.. {
                let mut was_killed = false;
                for after in [false, true] {
                    let name = format!("dev-{}-{nth}-{after}", &change[change.len() - 3..]);
                    let name = name.to_lowercase();
                    let stacks = environment(&world, &name).await;
                    let rule = |hook: Hook| {
                        let fault = if after {
                            Fault::AfterInsteadOfReply(hook)
                        } else {
                            Fault::Before(hook)
                        };
                        Rule {
                            nth,
                            ..Rule::once(change, fault)
                        }
                    };
                    was_killed = removed_until(&world, &name, rule).await;
                    // Before its first write nobody knows of it but Lambda, which delivers the event again.
                    let is_known = world.environment(&name).state().await.unwrap().deployments > 1;
                    if is_known {
                        world.sweep().await.unwrap();
                    } else {
                        world.handle(&json!({"environment": name})).await.unwrap();
                    }
                    let about = format!("{change} {nth} {after}");
                    for stack in stacks {
                        assert_eq!(world.status(&stack).await, None, "{about}");
                    }
                    let state = world.environment(&name).state().await.unwrap();
                    let last = state.last.unwrap();
                    assert!(last.outcome.is_success(), "{about}: {last:?}");
                    assert_eq!((state.current, state.lease), (None, None), "{about}");
                    let parts = world.parts(&name).await;
                    assert!(parts["database"].contains(":kept-"), "{about}: {parts:?}");
                    kills += usize::from(was_killed);
                }
                if !was_killed {
                    break;
                }
            }
        }
        assert!(kills > 10, "{kills} kills");
    });
}
