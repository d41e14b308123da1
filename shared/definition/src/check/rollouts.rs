//! How traffic moves in an environment: keys that say nothing without others, and the limits of all together.

use delivery_rollout::{LONGEST, MOST_ALARMS, PATIENCE, duration_in_words};

use crate::Environment;
use crate::names::FAMILIES;
use crate::reader::Reader;

pub(super) fn check(environment: &Environment, reader: &mut Reader) {
    if FAMILIES.contains(&environment.name.as_str()) {
        report_family(environment, reader);
        return;
    }
    report_alarms(environment, reader);
    report_nothing_to_watch(environment, reader);
    report_duration(environment, reader);
}

/// Nothing moves the traffic of apps in their members.
fn report_family(environment: &Environment, reader: &mut Reader) {
    let name = &environment.name;
    for (key, line) in environment.rollout_keys() {
        let what = format!(
            "`environments.{name}.{key}` has no effect: `{name}` is a family, and rollouts are for environments that are there all the time"
        );
        reader.report(line, what, "remove it");
    }
}

fn report_alarms(environment: &Environment, reader: &mut Reader) {
    if let Some(alarms) = &environment.alarms
        && alarms.value.len() > MOST_ALARMS
    {
        let what = format!(
            "`environments.{}.alarms` has {} alarms; the limit is {MOST_ALARMS}",
            environment.name,
            alarms.value.len()
        );
        reader.report(
            alarms.line,
            what,
            "combine some in a composite alarm, and name that one",
        );
    }
}

/// Who sets one of these keys believes to be protected.
fn report_nothing_to_watch(environment: &Environment, reader: &mut Reader) {
    // A `rollout` that could not be read may have been one in steps.
    if environment.moves_in_steps() || reader.values_are_missing {
        return;
    }
    let name = &environment.name;
    let has_alarms = environment.alarm_names().next().is_some();
    match (&environment.bake, &environment.alarms) {
        (Some(bake), _) if !has_alarms => reader.report(
            bake.line,
            format!(
                "`environments.{name}.bake` watches nothing: there are no `alarms`, and no `rollout` in steps, which compares errors"
            ),
            "add one of the two, for example: rollout = \"canary:10@5m\"",
        ),
        (None, Some(alarms)) if has_alarms => reader.report(
            alarms.line,
            format!(
                "`environments.{name}.alarms` are not watched: all traffic moves at once, and there is no `bake`"
            ),
            "say how long they are watched, for example: bake = \"10m\"",
        ),
        _ => {}
    }
}

fn report_duration(environment: &Environment, reader: &mut Reader) {
    let strategy = environment.rollout.as_ref();
    let bake = environment.bake.as_ref();
    let line = strategy.map(|key| key.line).or(bake.map(|key| key.line));
    let strategy = strategy.map(|key| key.value.clone()).unwrap_or_default();
    let bake = bake.map(|key| key.value.0).unwrap_or_default();
    let longest = strategy.lasts_at_most(bake, PATIENCE);
    if let Some(line) = line
        && longest > LONGEST
    {
        let what = format!(
            "the rollout of `environments.{}` may take {} hours; the limit is {}. That includes {} for each step and for the bake, in which they may wait for data",
            environment.name,
            longest.as_secs().div_ceil(60 * 60),
            duration_in_words(LONGEST),
            duration_in_words(PATIENCE)
        );
        reader.report(
            line,
            what,
            "take fewer or shorter steps, or a shorter `bake`",
        );
    }
}
