//! Deliveries of several releases, again and again and in any order: one effect each.

use std::time::Duration;

use delivery_action::action::Host;
use delivery_testing::events::invocation_of;
use delivery_testing::world::World;
use delivery_testing::world::codepipeline::Reported;
use deploy_stack::DeployStack;
use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::Value;

use crate::harness::{effects, event, last, world};

/// Deliveries in all, first ones and duplicates.
const DELIVERIES: usize = 1_000;

/// The releases, in the order of the pipeline: there, back, and the same again.
const RELEASES: [&str; 8] = ["r1", "r2", "r1", "r1", "r3", "r2", "r3", "r1"];

/// So little time that most operations go on in a later job.
const TIME: Duration = Duration::from_secs(5);

/// Delivers events at the same time; each has a result, accepted or not.
async fn deliver(world: &World, events: Vec<Value>) {
    let host = Host::new(DeployStack::new, world.config());
    let deliveries = events
        .into_iter()
        .map(|event| host.invoke(event, invocation_of(TIME)));
    for delivered in futures_util::future::join_all(deliveries).await {
        delivered.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_deliveries_in_random_order_have_one_effect_for_each_release() {
    let world = world().await;
    world.cloud_formation().take_polls(4);
    let mut random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut sent: Vec<Value> = Vec::new();
    let mut count = 0;
    for (number, release) in RELEASES.iter().enumerate() {
        let execution = format!("{number}a1b2c3d-1111");
        let more = format!("&pipeline=shop&execution={execution}");
        let (mut token, mut job) = (None::<String>, 0);
        loop {
            let mut next = event(release, &more).id(&format!("{number}-{job}-abcd"));
            if let Some(token) = &token {
                next = next.continuation_token(token);
            }
            let next = next.build();
            world.code_pipeline().add_job(&next);
            deliver(&world, vec![next.clone()]).await;
            count += 1;
            sent.push(next);
            match last(&world) {
                Reported::Continuation { token: new, .. } => token = Some(new),
                Reported::Success { .. } => break,
                failure @ Reported::Failure { .. } => panic!("{release}: {failure:?}"),
            }
            job += 1;
            // Of all events so far, some come again: at once with others, and before the next job.
            count += again(&world, &sent, 5, &mut random).await;
        }
        world.code_pipeline().set_execution(&execution, "Succeeded");
        // After the release, all that CodePipeline would never wait for.
        let rest = DELIVERIES * (number + 1) / RELEASES.len();
        while count < rest {
            count += again(&world, &sent, (rest - count).min(20), &mut random).await;
        }
    }
    assert_eq!(count, DELIVERIES);
    let changed = 1 + RELEASES
        .windows(2)
        .filter(|pair| pair[0] != pair[1])
        .count();
    assert_eq!(effects(&world), changed);
    let reports = world.code_pipeline().reports().len();
    assert_eq!(reports, DELIVERIES, "each delivery reports once");
    // The last release is what is there: its template is the last that was executed.
    let stacks = world.cloud_formation();
    let (_, template) = stacks.effects().last().unwrap();
    assert_eq!(stacks.snapshot()["shop"].template, *template);
}

/// Delivers some of the events again, at the same time.
async fn again(world: &World, sent: &[Value], count: usize, random: &mut TestRng) -> usize {
    let mut events = Vec::new();
    for _ in 0..count {
        let place = usize::try_from(random.next_u32()).unwrap() % sent.len();
        events.push(sent[place].clone());
    }
    deliver(world, events).await;
    count
}
