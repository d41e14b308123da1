//! The fault matrix of an action: every mutating call, with every fault, and every way of delivering the job a second
//! time, against the function's real binary.
//!
//! In every cell, the final state must be either the fault-free one or the initial one, the job must have exactly one
//! result, and if it was reported as a success, the state must be the fault-free one.
//!
//! If the scenario has another release, that is also delivered completely between the two deliveries of the job, or
//! while the first delivery is held at a call. The job's own execution has ended before, as if it had been abandoned.
//! Then the other release's state must not change, and no late delivery may report a success.

mod cell;
mod delivery;
mod verdict;

use std::fmt;
use std::io::Write as _;
use std::path::Path;

use futures_util::{StreamExt, stream};
use serde_json::Value;

use self::cell::{AGAIN, AGAIN_AFTER_OTHER, Again, Cell, MISHAPS};
use self::delivery::{fault_free, run_cell, run_overtaken};
use super::world::World;

/// Cells that run at once: more than there are processors, because a cell mostly waits.
const PARALLEL_CELLS: usize = 10;

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

    /// Whether the job is refused: its fault-free run reports a failure, too.
    fn is_refused(&self) -> bool {
        false
    }

    /// The event of another release: its own job id, `execution` and artifacts. Without one, the
    /// axis "another release between two attempts" is left out.
    fn other_release(&self) -> Option<Value> {
        None
    }

    /// Whether the cells without the other release are left out, because another scenario has them.
    fn only_after_other(&self) -> bool {
        false
    }

    /// What happens after the job's execution was abandoned and before the other release, such as what a guard does.
    fn before_other(&self, world: &World) -> impl Future<Output = ()> + Send {
        let _ = world;
        async {}
    }

    /// Whether the other release is still under way when the late job comes: its job reports that it goes on.
    fn other_goes_on(&self) -> bool {
        false
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
/// If the fault-free run does not end as it should.
pub async fn run<S: Scenario>(scenario: &S) -> Summary {
    let (before, expected, made) = fault_free(scenario).await;
    let mut ways = Vec::new();
    if !scenario.only_after_other() {
        ways.extend(AGAIN);
    }
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

/// Runs all cells of several scenarios, each with what it is called; returns how many cells there were.
///
/// # Panics
///
/// If a cell broke a promise.
pub async fn run_all<S: Scenario>(
    action: &str,
    scenarios: impl IntoIterator<Item = (String, S)>,
) -> usize {
    let mut cells = 0;
    for (name, scenario) in scenarios {
        let summary = run(&scenario).await;
        assert_eq!(
            summary.broken,
            Vec::<String>::new(),
            "{} cells",
            summary.cells
        );
        // Not `println!`: the test harness would keep it to itself.
        writeln!(
            std::io::stderr(),
            "{action}, {name}: {} cells over {:?}",
            summary.cells,
            summary.calls
        )
        .expect("standard error can be written to");
        cells += summary.cells;
    }
    cells
}
