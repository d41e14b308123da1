//! `delivery env keep`: until when a member of a family stays.

use delivery_definition::names::EnvironmentName;
use delivery_release::environment::State;
use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use schemars::JsonSchema;
use serde::Serialize;

use super::release::is_there;
use crate::args::Global;
use crate::args::release::Keep;
use crate::error::{CliError, Explained};
use crate::exit::Exit;
use crate::output::answer::{self, CommandAnswer};
use crate::release::choose::Release;
use crate::release::configuration::Configuration;
use crate::release::place::Releases;
use crate::release::refusal::Refusal;

/// The time zone of an environment that names none.
const DEFAULT_ZONE: &str = "UTC";

/// Until when an environment stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Kept {
    /// The environment.
    environment: String,
    /// When it is removed (RFC 3339); `null` where that is left to a person.
    until: Option<String>,
}

impl CommandAnswer for Kept {
    const TYPE: &'static str = "environment-kept";

    fn text(&self) -> String {
        let environment = &self.environment;
        match &self.until {
            Some(until) => format!(
                "✓ {environment} stays until {until}; the next deployment to it sets its `ttl` again\n"
            ),
            None => format!(
                "✓ {environment} stays until it is removed: `delivery env down {environment}`\n"
            ),
        }
    }
}

/// The command.
pub(super) async fn keep(global: &Global, arguments: &Keep) -> Result<Exit, CliError> {
    let releases = Releases::find(global).await?;
    let environment = releases.member(&arguments.environment).await?;
    let name = environment.name().to_string();
    let state = environment.state().await?;
    if !is_there(&state) {
        return Err(Refusal::Absent { environment: name }.into());
    }
    let zone = zone(&releases, environment.name(), &state).await?;
    let now = delivery_action::clock::timestamp();
    let state = environment
        .keep(until(&arguments.until, now, &zone)?)
        .await?;
    let kept = Kept {
        environment: name,
        until: state.until.map(|until| until.to_string()),
    };
    answer::print(global.json, &kept);
    Ok(Exit::Success)
}

/// The time zone of an environment, as the release has it that is there: the folder here may be another one's, or have changes
/// that were never deployed.
async fn zone(
    releases: &Releases,
    environment: &EnvironmentName,
    state: &State,
) -> Result<String, CliError> {
    let current = state.current.iter().map(|current| &current.release);
    let lease = state.lease.iter().map(|lease| &lease.deployment);
    let last = state.last.iter().map(|last| &last.deployment);
    let begun = lease
        .chain(last)
        .filter_map(|deployment| deployment.to.as_ref());
    let mut known = current.chain(begun.map(|to| &to.release));
    let Some(release) = known.next() else {
        return Ok(DEFAULT_ZONE.to_owned());
    };
    let release = Release::read(&releases.repository, release).await?;
    let configuration = Configuration::read(&releases.repository, &release).await?;
    let target = configuration.definition.environment(environment.as_str());
    let zone = target
        .ok()
        .and_then(|target| target.settings.timezone.clone());
    Ok(zone.map_or_else(|| DEFAULT_ZONE.to_owned(), |zone| zone.0))
}

/// The time that the words mean.
fn until(words: &[String], now: Timestamp, zone: &str) -> Result<Option<Timestamp>, KeepError> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let at = match words.as_slice() {
        [] => return Ok(None),
        ["until", time] => point(time, now, zone)?,
        [duration] => humantime::parse_duration(duration)
            .ok()
            .and_then(|length| now.checked_add(length).ok()),
        _ => None,
    };
    let at = at.filter(|at| *at > now);
    at.map(Some).ok_or_else(|| KeepError::NotATime {
        given: words.join(" "),
    })
}

/// A time of day, which is the next one; a day and a time; or both with an offset.
fn point(text: &str, now: Timestamp, zone: &str) -> Result<Option<Timestamp>, KeepError> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(Some(at));
    }
    let zone = TimeZone::get(zone).map_err(|_| KeepError::Zone {
        zone: zone.to_owned(),
    })?;
    let here = |civil: DateTime| Some(civil.to_zoned(zone.clone()).ok()?.timestamp());
    // A day with a time first: it can be read as a time of day, too.
    if let Ok(civil) = text.parse::<DateTime>() {
        return Ok(here(civil));
    }
    let Ok(time) = text.parse::<Time>() else {
        return Ok(None);
    };
    let today = now.to_zoned(zone.clone()).date().to_datetime(time);
    let next = here(today).filter(|at| *at > now);
    Ok(next.or_else(|| here(today.checked_add(1.day()).ok()?)))
}

/// No time can be made out.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum KeepError {
    #[error("`{given}` is not a time in the future")]
    NotATime { given: String },
    #[error("this machine does not know the time zone `{zone}` of the environment")]
    Zone { zone: String },
}

impl Explained for KeepError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn kind(&self) -> &'static str {
        "usage"
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotATime { .. } => {
                "write it as `4h`, `2d`, `until 20:00`, `until 2026-11-29T08:00` or `until 2026-11-29T08:00:00Z`; a time \
                 without an offset is in the `timezone` of the environment, else in UTC"
                    .to_owned()
            }
            Self::Zone { .. } => {
                "give the time with its offset: `until 2026-11-29T08:00:00+01:00`".to_owned()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    const NOW: &str = "2026-11-28T12:00:00Z";

    fn read(text: &str) -> Result<Option<String>, KeepError> {
        let words: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
        let at = until(&words, NOW.parse().unwrap(), "UTC")?;
        Ok(at.map(|at| at.to_string()))
    }

    #[test_case("4h", "2026-11-28T16:00:00Z")]
    #[test_case("2d", "2026-11-30T12:00:00Z")]
    #[test_case("until 20:00", "2026-11-28T20:00:00Z"; "today")]
    #[test_case("until 08:00", "2026-11-29T08:00:00Z"; "tomorrow")]
    #[test_case("until 2026-12-01T08:00", "2026-12-01T08:00:00Z"; "a day")]
    #[test_case("until 2026-12-01T08:00:00+01:00", "2026-12-01T07:00:00Z"; "with an offset")]
    fn a_time_is_read_as_people_write_it(text: &str, expected: &str) {
        assert_eq!(read(text), Ok(Some(expected.to_owned())));
    }

    #[test_case("until yesterday")]
    #[test_case("until 2026-11-27T08:00:00Z"; "past")]
    #[test_case("for 4h")]
    #[test_case("0h")]
    fn what_is_no_time_in_the_future_is_refused(text: &str) {
        let given = text.to_owned();
        assert_eq!(read(text), Err(KeepError::NotATime { given }));
    }

    #[test]
    fn without_a_time_it_stays() {
        assert_eq!(read(""), Ok(None));
    }

    #[test]
    fn an_unknown_time_zone_is_named() {
        let words = ["until".to_owned(), "20:00".to_owned()];
        let zone = "Mars/Olympus".to_owned();
        let read = until(&words, NOW.parse().unwrap(), &zone);
        assert_eq!(read, Err(KeepError::Zone { zone }));
    }
}
