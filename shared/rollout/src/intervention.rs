//! What somebody else than the action may do to a rollout: a person with a command, and the guard.
//!
//! The alias is the channel. Whoever changes it says so in its description; the action sees that at its next look and
//! ends. So this works while the action runs, when its function is dead, and when the pipeline is gone.

use jiff::Timestamp;

use crate::decision::Change;
use crate::description::{Description, End, Marker, Phase};
use crate::standing::{Alias, is_under_way, version_before};

/// The rollout that an alias is in; `good` is the version that was kept last.
#[must_use]
pub fn under_way<'a>(alias: &'a Alias, good: Option<&str>) -> Option<&'a Marker> {
    let marker = alias.description.marker.as_ref()?;
    is_under_way(alias, marker, good).then_some(marker)
}

/// Gives the version before a rollout all traffic back, because a person says so; `None` if no rollout is under way.
#[must_use]
pub fn abort(alias: &Alias, good: Option<&str>, by: &str, why: &str) -> Option<Change> {
    let end = End::Aborted {
        by: by.to_owned(),
        why: why.to_owned(),
    };
    let marker = under_way(alias, good)?;
    Some(back(
        alias,
        marker,
        version_before(alias, marker, good),
        end,
    ))
}

/// Gives the new version of a rollout all traffic and ends the watching; `None` if no rollout is under way.
#[must_use]
pub fn finish(alias: &Alias, good: Option<&str>, by: &str) -> Option<Change> {
    let marker = under_way(alias, good)?;
    let by = by.to_owned();
    Some(Change {
        version: marker.new.clone(),
        share: None,
        description: Description {
            marker: Some(Marker {
                phase: Phase::Ended(End::Finished { by }),
                ..marker.clone()
            }),
            revision: None,
            before: Some(marker.stable.clone()),
        },
    })
}

/// Puts a rollout back that nobody watches any more: its time is over, or its pipeline execution has failed. `None` if
/// the alias is to stay as it is.
#[must_use]
pub fn put_back_unwatched(
    now: Timestamp,
    alias: &Alias,
    good: Option<&str>,
    failed_execution: Option<&str>,
) -> Option<Change> {
    let marker = under_way(alias, good)?;
    let until = marker.phase.watched_until()?;
    let why = if failed_execution.is_some_and(|id| marker.is_of_execution(id)) {
        "its pipeline execution ended without it".to_owned()
    } else if now >= until {
        format!("nobody has watched it since {until}")
    } else {
        return None;
    };
    let version = version_before(alias, marker, good);
    Some(back(alias, marker, version, End::PutBackByGuard(why)))
}

/// The stable version gets all traffic. While the alias names that version, its revision and the version before it
/// stay true; those of the new version do not.
pub(crate) fn back(alias: &Alias, marker: &Marker, version: String, end: End) -> Change {
    let seen = (alias.version == version).then_some(&alias.description);
    Change {
        version,
        share: None,
        description: Description {
            marker: Some(Marker {
                phase: Phase::Ended(end),
                ..marker.clone()
            }),
            revision: seen.and_then(|seen| seen.revision.clone()),
            before: seen.and_then(|seen| seen.before.clone()),
        },
    }
}
