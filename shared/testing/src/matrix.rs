//! The fault matrix of an action: every mutating call, with every fault, and every way of delivering the job a second
//! time, against the function's real binary.
//!
//! In every cell, the final state must be either the fault-free one or the initial one, the job must have exactly one
//! result, and if it was reported as a success, the state must be the fault-free one.
//!
//! If the scenario has another release, that is also delivered completely between the two deliveries of the job, or
//! while the first delivery is held at a call. The job's own execution has ended before, as if it had been abandoned.
//! Then the other release's state must not change, and no late delivery may report a success.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::Value;
use tokio::sync::Notify;

use super::operation::Operation;
use super::proxy::{Fault, Hook, Proxy, Rule};
use super::runtime::{Ended, Function, KillSwitch};
use super::s3::Objects;
use super::world::World;
use super::world::codepipeline::Reported;

/// Cells that run at once: more than there are processors, because a cell mostly waits.
const PARALLEL_CELLS: usize = 10;

/// A delivery that takes longer is considered hung. The SDK's pauses between attempts are some seconds.
const LONGEST_DELIVERY: Duration = Duration::from_mins(1);

/// How long a delivery that is held at a call waits for the other one before it goes on anyway.
const LONGEST_HOLD: Duration = Duration::from_secs(30);

/// One action on one world.
pub trait Scenario: Sync {
    /// What cells are compared by.
    type State: PartialEq + fmt::Debug + Send + Sync;

    /// The function's binary: `env!("CARGO_BIN_EXE_deploy-app")`.
    fn binary(&self) -> &Path;

    /// The job's event.
    fn event(&self) -> Value;

    /// Puts into an empty world what the job needs.
    fn seed(&self, world: &World) -> impl Future<Output = ()> + Send;

    /// What the job changes, without what differs between two equal runs.
    fn snapshot(&self, world: &World) -> impl Future<Output = Self::State> + Send;

    /// Further conditions after every cell, such as what was served in the meantime.
    ///
    /// # Errors
    ///
    /// What does not hold.
    fn check(&self, world: &World) -> Result<(), String>;

    /// Whether no delivery may report a failure, not even one that is refused, if the fault
    /// passes or the process is killed.
    fn mends_what_passes(&self) -> bool {
        false
    }

    /// The event of another release: its own job id, `execution` and artifacts. Without one, the
    /// axis "another release between two attempts" is left out.
    fn other_release(&self) -> Option<Value> {
        None
    }

    /// What the other release made, wholly: equal before and after a late delivery of the job.
    fn other_state(&self, world: &World) -> impl Future<Output = Self::State> + Send {
        self.snapshot(world)
    }

    /// Whether the other release is what others see.
    ///
    /// # Errors
    ///
    /// What they see instead.
    fn check_other(&self, world: &World) -> impl Future<Output = Result<(), String>> + Send {
        let _ = world;
        async { Ok(()) }
    }

    /// Calls whose service takes no condition, so that one which is on its way while another release goes live
    /// comes after it: they are not held for it.
    fn unconditional(&self) -> &[&str] {
        &[]
    }

    /// Whether a late job changes only what is its own, such as its own artifacts. Then it may succeed.
    fn late_job_is_harmless(&self) -> bool {
        false
    }
}

/// What happens to one call of the first delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mishap {
    /// Nothing: only the second delivery disturbs.
    Nothing,
    /// One request fails and does nothing; the SDK tries again.
    FailsBefore,
    /// Every request from this one on fails and does nothing.
    Outage,
    /// It takes effect, and no answer comes; the SDK tries again.
    ReplyLost,
    /// Every request from this one on takes effect, and no answer comes.
    RepliesLost,
    /// The process is killed before the request reaches the service.
    KilledBefore,
    /// The process is killed after the request took effect.
    KilledAfter,
}

const MISHAPS: [Mishap; 7] = [
    Mishap::Nothing,
    Mishap::FailsBefore,
    Mishap::Outage,
    Mishap::ReplyLost,
    Mishap::RepliesLost,
    Mishap::KilledBefore,
    Mishap::KilledAfter,
];

/// How the job is delivered a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    /// When the first delivery has ended.
    Later,
    /// At the same time: both start together.
    AtOnce,
    /// At the same time: the first is held at the call until the second has ended.
    WhileHeld,
    /// When the first delivery has ended, and another release after it.
    AfterOther,
    /// When the first delivery has ended, which was held at the call until another release had ended.
    AfterOtherWhileHeld,
}

const AGAIN: [Again; 3] = [Again::Later, Again::AtOnce, Again::WhileHeld];
const AGAIN_AFTER_OTHER: [Again; 2] = [Again::AfterOther, Again::AfterOtherWhileHeld];

impl Again {
    /// Whether the first delivery is held at the call.
    fn holds(self) -> bool {
        matches!(self, Self::WhileHeld | Self::AfterOtherWhileHeld)
    }
}

/// One mutating call of the fault-free run.
#[derive(Clone, Debug)]
struct Call {
    operation: Operation,
    /// How often this very operation was on this resource before it, from 1.
    nth: usize,
}

struct Cell<'a> {
    call: &'a Call,
    mishap: Mishap,
    again: Again,
}

impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Call { operation, nth } = self.call;
        write!(
            f,
            "{} on `{}` ({nth}) x {:?} x {:?}",
            operation.action(),
            operation.resource,
            self.mishap,
            self.again
        )
    }
}

/// The result of a matrix.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The mutating calls of the fault-free run, in order.
    pub calls: Vec<String>,
    /// How many cells were run.
    pub cells: usize,
    /// The cells that broke a promise, and which.
    pub broken: Vec<String>,
}

/// Runs all cells of a scenario.
///
/// # Panics
///
/// If the fault-free run does not succeed.
pub async fn run<S: Scenario>(scenario: &S) -> Summary {
    let (before, expected, made) = fault_free(scenario).await;
    let mut ways = AGAIN.to_vec();
    if scenario.other_release().is_some() {
        ways.extend(AGAIN_AFTER_OTHER);
    }
    let cells: Vec<Cell<'_>> = made
        .iter()
        .flat_map(|call| MISHAPS.map(|mishap| (call, mishap)))
        .flat_map(|(call, mishap)| {
            ways.iter().map(move |&again| Cell {
                call,
                mishap,
                again,
            })
        })
        .filter(|cell| {
            let action = cell.call.operation.action();
            cell.again != Again::AfterOtherWhileHeld
                || !scenario.unconditional().contains(&action.as_str())
        })
        .collect();
    let count = cells.len();
    let (before, expected) = (&before, &expected);
    let broken = stream::iter(cells)
        .map(|cell| async move {
            let ended = if AGAIN_AFTER_OTHER.contains(&cell.again) {
                run_overtaken(scenario, &cell).await
            } else {
                run_cell(scenario, &cell, before, expected).await
            };
            ended.err().map(|promise| format!("{cell}: {promise}"))
        })
        .buffer_unordered(PARALLEL_CELLS)
        .filter_map(std::future::ready)
        .collect()
        .await;
    let made = made.iter().map(|call| call.operation.action()).collect();
    Summary {
        calls: made,
        cells: count,
        broken,
    }
}

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
async fn fault_free<S: Scenario>(scenario: &S) -> (S::State, S::State, Vec<Call>) {
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
                .entry((operation.action(), operation.resource.clone()))
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
    assert!(
        matches!(
            world.code_pipeline().accepted()[..],
            [Reported::Success { .. }]
        ),
        "the fault-free run failed: {:?}",
        world.code_pipeline().reports()
    );
    (before, after, calls)
}

async fn run_cell<S: Scenario>(
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
async fn run_overtaken<S: Scenario>(scenario: &S, cell: &Cell<'_>) -> Result<(), String> {
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

/// The other release succeeded, and what the job reported after it is not a success. One that was on its way
/// to CodePipeline when the other release began was true then, and is refused.
fn overtaken_reports<S: Scenario>(
    scenario: &S,
    cell: &Cell<'_>,
    world: &World,
    reports_before: usize,
) -> Result<(), String> {
    let pipeline = world.code_pipeline();
    let other = scenario.other_release().unwrap_or_default();
    let other = other[delivery_action::job::EVENT_KEY]["id"].as_str();
    let success = |result: &Reported| matches!(result, Reported::Success { .. });
    if !pipeline.reports().iter().any(|report| {
        report.accepted && success(&report.result) && Some(report.job.as_str()) == other
    }) {
        return Err("the other release failed".to_owned());
    }
    if scenario.late_job_is_harmless() {
        return Ok(());
    }
    let was_reporting = cell.again.holds() && cell.call.operation.service == "codepipeline";
    let late = pipeline.reports().iter().skip(reports_before);
    let untrue = |report: &&super::world::codepipeline::Report| {
        success(&report.result) && (report.accepted || !was_reporting)
    };
    match late.into_iter().find(untrue) {
        Some(report) => Err(format!("a late job reported a success: {report:?}")),
        None => Ok(()),
    }
}

/// Whether the mishap happened: a cell whose call was never made proves nothing. Two deliveries
/// that race may take the call from each other.
fn met(cell: &Cell<'_>, first: &Ended) -> Result<(), String> {
    let kills = matches!(cell.mishap, Mishap::KilledBefore | Mishap::KilledAfter);
    let died = matches!(first, Ended::Died(_));
    if cell.again == Again::AtOnce || kills == died {
        return Ok(());
    }
    Err("the mishap did not come to pass".to_owned())
}

/// Whether every report, also one that was refused, says success. Only a call that never gets
/// through may end in a failure; what the SDK's own retries or a second delivery mend may not.
fn outcomes<S: Scenario>(scenario: &S, cell: &Cell<'_>, world: &World) -> Result<(), String> {
    let hopeless = matches!(cell.mishap, Mishap::Outage | Mishap::RepliesLost)
        || !scenario.mends_what_passes();
    let pipeline = world.code_pipeline();
    let failed = |result: &Reported| matches!(result, Reported::Failure { .. });
    if hopeless
        || !pipeline
            .reports()
            .iter()
            .any(|report| failed(&report.result))
    {
        return Ok(());
    }
    Err("a delivery reported a failure although all could be mended".to_owned())
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

fn judge<S: Scenario>(
    scenario: &S,
    world: &World,
    before: &S::State,
    fault_free: &S::State,
    after: &S::State,
) -> Result<(), String> {
    let pipeline = world.code_pipeline();
    let [result] = pipeline.accepted()[..] else {
        return Err(format!("the job has {} results", pipeline.accepted().len()));
    };
    let success = matches!(result, Reported::Success { .. });
    if after != fault_free && (success || after != before) {
        return Err(format!(
            "success: {success}, but the state is {after:#?}, not {fault_free:#?}"
        ));
    }
    drop(pipeline);
    scenario.check(world)
}

/// The faults of the first delivery's proxy.
fn rules(
    cell: &Cell<'_>,
    kill: &KillSwitch,
    held: &Arc<Notify>,
    second_ended: &Arc<Notify>,
) -> Vec<Rule> {
    let rule = |times: usize, fault: Fault| Rule {
        action: cell.call.operation.action(),
        resource: Some(cell.call.operation.resource.clone()),
        nth: cell.call.nth,
        times,
        fault,
    };
    let mut rules = Vec::new();
    if cell.again.holds() {
        let (held, second_ended) = (Arc::clone(held), Arc::clone(second_ended));
        let wait: Hook = Arc::new(move || {
            let (held, second_ended) = (Arc::clone(&held), Arc::clone(&second_ended));
            Box::pin(async move {
                held.notify_one();
                if tokio::time::timeout(LONGEST_HOLD, second_ended.notified())
                    .await
                    .is_err()
                {
                    tracing::warn!("the second delivery waits for the first, which goes on");
                }
            })
        });
        rules.push(rule(1, Fault::Before(wait)));
    }
    let killing = || -> Hook {
        let kill = kill.clone();
        Arc::new(move || {
            let kill = kill.clone();
            Box::pin(async move { kill.kill() })
        })
    };
    match cell.mishap {
        Mishap::Nothing => {}
        Mishap::FailsBefore => rules.push(rule(1, Fault::Status(503))),
        Mishap::Outage => rules.push(rule(usize::MAX, Fault::Status(503))),
        Mishap::ReplyLost => rules.push(rule(1, Fault::LoseReply)),
        Mishap::RepliesLost => rules.push(rule(usize::MAX, Fault::LoseReply)),
        Mishap::KilledBefore => {
            rules.push(rule(1, Fault::Before(killing())));
            rules.push(rule(1, Fault::Reset));
        }
        Mishap::KilledAfter => rules.push(rule(1, Fault::AfterInsteadOfReply(killing()))),
    }
    rules
}
