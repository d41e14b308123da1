//! The deliveries of a cell, each to the function's own process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;

use super::Scenario;
use super::cell::{Again, Call, Cell, LONGEST_HOLD, rules};
use super::verdict::{judge, met, outcomes, overtaken_reports};
use crate::proxy::{Proxy, timeless};
use crate::runtime::{Ended, Function, KillSwitch};
use crate::s3::Objects;
use crate::world::World;
use crate::world::codepipeline::Reported;

/// A delivery that takes longer is considered hung. The SDK's pauses between attempts are some seconds.
const LONGEST_DELIVERY: Duration = Duration::from_mins(1);

async fn seeded<S: Scenario>(scenario: &S) -> World {
    // In memory the store takes conditions and its listings tell `ETag`s, as S3 does.
    let world = World::start_with(Objects::in_memory()).await;
    scenario.seed(&world).await;
    world.code_pipeline().add_job(&scenario.event());
    if let Some(event) = scenario.other_release() {
        world.code_pipeline().add_job(&event);
    }
    world.forget_calls();
    world
}

/// The states before and after a run without faults, and its mutating calls.
pub(super) async fn fault_free<S: Scenario>(scenario: &S) -> (S::State, S::State, Vec<Call>) {
    let world = seeded(scenario).await;
    let before = scenario.snapshot(&world).await;
    world.forget_calls();
    let event = scenario.event();
    let ended = deliver(scenario, &event, &world.url(), &KillSwitch::default()).await;
    let mut seen = BTreeMap::new();
    let calls = world
        .calls()
        .into_iter()
        .map(|call| call.operation)
        .filter(|operation| operation.mutating)
        .map(|operation| {
            let nth = seen
                .entry((operation.action(), timeless(&operation.resource)))
                .or_insert(0);
            *nth += 1;
            Call {
                operation,
                nth: *nth,
            }
        })
        .collect();
    let after = scenario.snapshot(&world).await;
    let promise = judge(scenario, &world, &before, &after, &after);
    assert_eq!(
        (ended.0, promise),
        (Ended::Succeeded, Ok(())),
        "fault-free run:\n{}",
        ended.1
    );
    let is_as_meant = match world.code_pipeline().accepted()[..] {
        [Reported::Success { .. }] => !scenario.is_refused(),
        [Reported::Failure { .. }] => scenario.is_refused(),
        _ => false,
    };
    assert!(
        is_as_meant,
        "the fault-free run ended otherwise than it should: {:?}",
        world.code_pipeline().reports()
    );
    (before, after, calls)
}

pub(super) async fn run_cell<S: Scenario>(
    scenario: &S,
    cell: &Cell<'_>,
    before: &S::State,
    fault_free: &S::State,
) -> Result<(), String> {
    let world = seeded(scenario).await;
    let kill = KillSwitch::default();
    let second_ended = Arc::new(Notify::new());
    let held = Arc::new(Notify::new());
    let proxy = Proxy::start(&world.url(), rules(cell, &kill, &held, &second_ended)).await;
    let (proxy_url, world_url) = (proxy.url(), world.url());
    let event = scenario.event();
    let first = deliver(scenario, &event, &proxy_url, &kill);
    let spare = KillSwitch::default();
    let second = async {
        let ended = deliver(scenario, &event, &world_url, &spare).await;
        second_ended.notify_one();
        ended
    };
    let (first, second) = match cell.again {
        Again::AtOnce => tokio::join!(first, second),
        again if again.holds() => tokio::join!(first, async {
            came_to_the_call(&held).await;
            second.await
        }),
        _ => (first.await, second.await),
    };
    let after = scenario.snapshot(&world).await;
    let lambda_content = second.0 == Ended::Succeeded;
    let promise = judge(scenario, &world, before, fault_free, &after)
        .and_then(|()| met(cell, &first.0))
        .and_then(|()| outcomes(scenario, cell, &world))
        .and_then(|()| {
            if lambda_content {
                Ok(())
            } else {
                Err("the second delivery failed".to_owned())
            }
        });
    promise.map_err(|promise| {
        format!(
            "{promise}\nfirst: {:?}\n{}\nsecond: {:?}\n{}\nreports: {:#?}",
            first.0,
            first.1,
            second.0,
            second.1,
            world.code_pipeline().reports()
        )
    })
}

async fn came_to_the_call(held: &Notify) {
    let came = tokio::time::timeout(LONGEST_HOLD, held.notified()).await;
    if came.is_err() {
        tracing::warn!("the first delivery never came to the call");
    }
}

/// A cell with another release between the two deliveries of the job.
pub(super) async fn run_overtaken<S: Scenario>(
    scenario: &S,
    cell: &Cell<'_>,
) -> Result<(), String> {
    let world = seeded(scenario).await;
    let kill = KillSwitch::default();
    let other_ended = Arc::new(Notify::new());
    let held = Arc::new(Notify::new());
    let proxy = Proxy::start(&world.url(), rules(cell, &kill, &held, &other_ended)).await;
    let (proxy_url, world_url) = (proxy.url(), world.url());
    let event = scenario.event();
    let first = deliver(scenario, &event, &proxy_url, &kill);
    let other = async {
        end_execution(&world, &event);
        scenario.before_other(&world).await;
        let other = scenario.other_release().unwrap_or_default();
        let spare = KillSwitch::default();
        let ended = deliver(scenario, &other, &world_url, &spare).await;
        let state = scenario.other_state(&world).await;
        let reports_before = world.code_pipeline().reports().len();
        other_ended.notify_one();
        (ended, state, reports_before)
    };
    let (first, (other, state, reports_before)) = if cell.again.holds() {
        tokio::join!(first, async {
            came_to_the_call(&held).await;
            other.await
        })
    } else {
        (first.await, other.await)
    };
    let spare = KillSwitch::default();
    let late = deliver(scenario, &event, &world_url, &spare).await;
    let after = scenario.other_state(&world).await;
    let promise = if after == state {
        scenario.check_other(&world).await
    } else {
        Err(format!("the late job changed {state:#?} into {after:#?}"))
    };
    let promise = promise
        .and_then(|()| met(cell, &first.0))
        .and_then(|()| overtaken_reports(scenario, cell, &world, reports_before));
    promise.map_err(|promise| {
        format!(
            "{promise}\nfirst: {:?}\n{}\nother: {:?}\n{}\nlate: {:?}\n{}\nreports: {:#?}",
            first.0,
            first.1,
            other.0,
            other.1,
            late.0,
            late.1,
            world.code_pipeline().reports()
        )
    })
}

/// Ends the execution of an event, as one is ended that a person abandons.
fn end_execution(world: &World, event: &Value) {
    let job = &event[delivery_action::job::EVENT_KEY];
    let parameters = job["data"]["actionConfiguration"]["configuration"]["UserParameters"]
        .as_str()
        .unwrap_or_default();
    let mut pairs = form_urlencoded::parse(parameters.as_bytes());
    if let Some((_, execution)) = pairs.find(|(key, _)| key == "execution") {
        world.code_pipeline().set_execution(&execution, "Stopped");
    }
}

/// How one delivery ended, and its log.
async fn deliver<S: Scenario>(
    scenario: &S,
    event: &Value,
    url: &str,
    kill: &KillSwitch,
) -> (Ended, String) {
    let mut function = Function::start(scenario.binary(), url, kill).await;
    let ended = tokio::time::timeout(LONGEST_DELIVERY, function.invoke(event)).await;
    let ended = ended.unwrap_or_else(|_| Ended::Failed("the delivery hangs".to_owned()));
    (ended, function.log())
}
