//! When an environment of a family is removed by itself.

use std::time::Duration;

use delivery_definition::names::Family;
use delivery_definition::{Target, Ttl};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The time zone of a `ttl` without one.
const DEFAULT_ZONE: &str = "UTC";

/// How long the environment of an execution stays if the event of its stage's end is lost and no `ttl` is set: a day, in which
/// somebody can look at it.
const EXECUTION_TTL: Duration = Duration::from_hours(24);

/// The time zone is not in the database of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UnknownZone(pub(super) String);

/// When an environment that is deployed to now is removed; `None` where it stays.
///
/// Only members of families come and go: a `ttl` elsewhere counts for nothing.
pub(super) fn of(target: &Target<'_>, now: Timestamp) -> Result<Option<Timestamp>, UnknownZone> {
    let family = target.name.family();
    let ttl = target.settings.ttl.as_ref();
    let Some(ttl) = ttl.filter(|_| family.is_some()) else {
        let is_of_execution = family == Some(Family::Execution.word());
        return Ok(is_of_execution.then(|| now + EXECUTION_TTL));
    };
    match *ttl {
        Ttl::After(span) => Ok(Some(now + span.0)),
        Ttl::At { hour, minute } => {
            let zone = target.settings.timezone.as_ref();
            let name = zone.map_or(DEFAULT_ZONE, |zone| zone.0.as_str());
            let zone = zone_of(name).ok_or_else(|| UnknownZone(name.to_owned()))?;
            Ok(Some(next(now, &zone, hour, minute)))
        }
    }
}

/// UTC needs no database.
fn zone_of(name: &str) -> Option<TimeZone> {
    if name == DEFAULT_ZONE {
        return Some(TimeZone::UTC);
    }
    TimeZone::get(name).ok()
}

/// The next time of day: today's, or tomorrow's where that is over. Where the clocks are put forward over it, it is that much
/// later.
fn next(now: Timestamp, zone: &TimeZone, hour: u8, minute: u8) -> Timestamp {
    let (hour, minute) = (i8::try_from(hour), i8::try_from(minute));
    let (hour, minute) = (hour.unwrap_or_default(), minute.unwrap_or_default());
    let today = now.to_zoned(zone.clone()).date();
    [Ok(today), today.tomorrow()]
        .into_iter()
        .flatten()
        .filter_map(|day| day.at(hour, minute, 0, 0).to_zoned(zone.clone()).ok())
        .map(|at| at.timestamp())
        .find(|at| *at > now)
        .unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    fn until(settings: &str, environment: &str, now: &str) -> Result<Option<String>, UnknownZone> {
        let text = format!(
            "application = \"shop\"\n[services]\napi = \"api\"\n[environments]\nint = {{}}\n{settings}\n"
        );
        let definition = delivery_definition::parse(&text, "delivery.toml").unwrap();
        let target = definition.environment(environment).unwrap();
        let until = of(&target, now.parse().unwrap())?;
        Ok(until.map(|at| at.to_string()))
    }

    #[test_case(
        "dev = { ttl = \"4h\" }",
        "2026-11-28T08:00:00Z",
        Some("2026-11-28T12:00:00Z")
    )]
    #[test_case(
        "dev = { ttl = \"20:00\" }",
        "2026-11-28T08:00:00Z",
        Some("2026-11-28T20:00:00Z")
    )]
    #[test_case("dev = { ttl = \"20:00\" }", "2026-11-28T20:00:00Z", Some("2026-11-29T20:00:00Z"); "it is that time now")]
    #[test_case("dev = { ttl = \"20:00\", timezone = \"Europe/Berlin\" }", "2026-11-28T19:30:00Z", Some("2026-11-29T19:00:00Z"); "over in Berlin")]
    #[test_case("dev = { ttl = \"02:30\", timezone = \"Europe/Berlin\" }", "2027-03-27T12:00:00Z", Some("2027-03-28T01:30:00Z"); "a time that the clocks leave out")]
    #[test_case("dev = {}", "2026-11-28T08:00:00Z", None)]
    fn a_member_of_a_family_is_removed_after_or_at(
        settings: &str,
        now: &str,
        expected: Option<&str>,
    ) {
        let expected = Ok(expected.map(str::to_owned));
        assert_eq!(until(settings, "dev-anna", now), expected);
        assert_eq!(until(settings, "int", now), Ok(None));
    }

    #[test]
    fn the_environment_of_an_execution_never_stays() {
        let until = until("qa = {}", "qa-1f09ab3c", "2026-11-28T08:00:00Z");
        assert_eq!(until, Ok(Some("2026-11-29T08:00:00Z".to_owned())));
    }

    #[test]
    fn a_zone_that_the_system_does_not_know_is_named() {
        let settings = "dev = { ttl = \"20:00\", timezone = \"Europe/Bielefeld\" }";
        let unknown = UnknownZone("Europe/Bielefeld".to_owned());
        assert_eq!(
            until(settings, "dev-anna", "2026-11-28T08:00:00Z"),
            Err(unknown)
        );
    }
}
