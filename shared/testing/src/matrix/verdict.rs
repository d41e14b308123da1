//! What has to hold after a cell.

use super::Scenario;
use super::cell::{Again, Cell, Mishap};
use crate::runtime::Ended;
use crate::world::World;
use crate::world::codepipeline::{Report, Reported};

pub(super) fn judge<S: Scenario>(
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

/// Whether the mishap happened: a cell whose call was never made proves nothing. Two deliveries
/// that race may take the call from each other.
pub(super) fn met(cell: &Cell<'_>, first: &Ended) -> Result<(), String> {
    let kills = matches!(cell.mishap, Mishap::KilledBefore | Mishap::KilledAfter);
    let died = matches!(first, Ended::Died(_));
    if cell.again == Again::AtOnce || kills == died {
        return Ok(());
    }
    Err("the mishap did not come to pass".to_owned())
}

/// Whether every report, also one that was refused, says success. Only a call that never gets
/// through may end in a failure; what the SDK's own retries or a second delivery mend may not.
pub(super) fn outcomes<S: Scenario>(
    scenario: &S,
    cell: &Cell<'_>,
    world: &World,
) -> Result<(), String> {
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

/// The other release succeeded, and what the job reported after it is not a success. One that was on its way
/// to CodePipeline when the other release began was true then, and is refused.
pub(super) fn overtaken_reports<S: Scenario>(
    scenario: &S,
    cell: &Cell<'_>,
    world: &World,
    reports_before: usize,
) -> Result<(), String> {
    let pipeline = world.code_pipeline();
    let other = scenario.other_release().unwrap_or_default();
    let other = other[delivery_action::job::EVENT_KEY]["id"].as_str();
    let success = |result: &Reported| matches!(result, Reported::Success { .. });
    let ended = |result: &Reported| {
        success(result)
            || scenario.other_goes_on() && matches!(result, Reported::Continuation { .. })
    };
    if !pipeline.reports().iter().any(|report| {
        report.accepted && ended(&report.result) && Some(report.job.as_str()) == other
    }) {
        return Err("the other release failed".to_owned());
    }
    if scenario.late_job_is_harmless() {
        return Ok(());
    }
    let was_reporting = cell.again.holds() && cell.call.operation.service == "codepipeline";
    let late = pipeline.reports().iter().skip(reports_before);
    let untrue = |report: &&Report| success(&report.result) && (report.accepted || !was_reporting);
    match late.into_iter().find(untrue) {
        Some(report) => Err(format!("a late job reported a success: {report:?}")),
        None => Ok(()),
    }
}
