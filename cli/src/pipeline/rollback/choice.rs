//! What an environment goes back to. Pure.

use std::collections::BTreeMap;

use crate::error::Explained;
use crate::exit::Exit;
use crate::output::text::short;
use crate::pipeline::delivered::history::Delivery;
use crate::pipeline::listed;
use crate::pipeline::state::short_form;

use super::RollbackPlan;

/// Deliveries that a message names.
pub(super) const MOST_NAMED: usize = 5;

/// The shortest beginning of a commit's id that Git prints.
const SHORTEST_COMMIT: usize = 7;

/// The delivery that is meant: the newest before the present one, or the newest with what was given. `now` are the
/// versions that have the traffic, by the actions that deploy them.
pub(super) fn choose(
    deliveries: &[Delivery],
    now: &BTreeMap<&str, &str>,
    environment: &str,
    given: Option<&str>,
    force: bool,
) -> Result<RollbackPlan, RollbackError> {
    // CodePipeline does not go back to an execution that was a rollback itself.
    let possible = || deliveries.iter().filter(|one| !one.is_rollback);
    let Some(given) = given else {
        let before = before(deliveries, now);
        return before.cloned().map(RollbackPlan::Delivery).ok_or_else(|| {
            RollbackError::NothingBefore {
                environment: environment.to_owned(),
            }
        });
    };
    let is_version = is_version(given);
    let is_meant = |one: &&Delivery| {
        if is_version {
            one.versions.values().any(|version| version == given)
        } else {
            id(one).is_some_and(|id| id.starts_with(given))
        }
    };
    let mut commits: Vec<_> = possible().filter(is_meant).filter_map(id).collect();
    commits.dedup();
    if commits.len() > 1 && !is_version {
        return Err(RollbackError::Ambiguous {
            given: given.to_owned(),
            commits: commits.into_iter().map(str::to_owned).collect(),
        });
    }
    if let Some(found) = possible().find(is_meant) {
        return Ok(RollbackPlan::Delivery(found.clone()));
    }
    if force && is_version && now.len() == 1 {
        return Ok(RollbackPlan::Version(given.to_owned()));
    }
    let name = |one: &Delivery| {
        let versions: Vec<_> = one
            .versions
            .values()
            .map(|version| format!("version {version}"))
            .collect();
        match versions.as_slice() {
            [] => short_form(one.revision.as_ref()),
            versions => format!(
                "{} ({})",
                short_form(one.revision.as_ref()),
                listed(versions)
            ),
        }
    };
    Err(RollbackError::NeverDelivered {
        environment: environment.to_owned(),
        given: short(given).to_owned(),
        known: others(deliveries, now).map(name).take(MOST_NAMED).collect(),
        is_version: is_version && now.len() == 1,
    })
}

/// Whether a version of a function is meant, and no commit: the beginning of a commit's id has at least seven characters
/// wherever Git or `delivery status` print it.
pub(super) fn is_version(given: &str) -> bool {
    given.len() < SHORTEST_COMMIT && given.bytes().all(|byte| byte.is_ascii_digit())
}

/// The commit that a delivery brought.
fn id(one: &Delivery) -> Option<&str> {
    one.revision.as_ref().map(|revision| revision.id.as_str())
}

/// The deliveries that a rollback would change something by going to, each once.
fn others<'a>(
    deliveries: &'a [Delivery],
    now: &BTreeMap<&str, &str>,
) -> impl Iterator<Item = &'a Delivery> {
    let present = deliveries.iter().find(|one| is_there(one, now));
    // Where nobody has a function, the newest is what is there.
    let present = present.or_else(|| deliveries.first().filter(|_| now.is_empty()));
    let mut named: Vec<&Delivery> = Vec::new();
    deliveries.iter().filter(move |one| {
        let is_present = present.is_some_and(|present| is_same(one, present));
        let is_new = !named.iter().any(|other| is_same(one, other));
        let is_other = !one.is_rollback && !is_present && is_new;
        if is_other {
            named.push(*one);
        }
        is_other
    })
}

/// Whether two deliveries brought the same.
fn is_same(one: &Delivery, other: &Delivery) -> bool {
    id(one) == id(other) && one.versions == other.versions
}

/// Whether a function has the version that a delivery brought.
fn is_there(one: &Delivery, now: &BTreeMap<&str, &str>) -> bool {
    let mut versions = one.versions.iter();
    versions.any(|(action, version)| now.get(action.as_str()) == Some(&version.as_str()))
}

/// The newest delivery of another commit that came before what is there now.
fn before<'a>(deliveries: &'a [Delivery], now: &BTreeMap<&str, &str>) -> Option<&'a Delivery> {
    let is_now = |one: &Delivery| is_there(one, now);
    // What is there was brought by the newest delivery with its versions. Where nobody has a function, that is the newest.
    let at = match deliveries.iter().position(is_now) {
        Some(at) => at,
        None if now.is_empty() => 0,
        // A person or another tool gave the traffic to a version that was never delivered here.
        None => return deliveries.iter().find(|one| !one.is_rollback),
    };
    let present = deliveries.get(at)?;
    // After a rollback the present commit was delivered before, too, and what came in between was taken back.
    let oldest = deliveries
        .iter()
        .rposition(|one| !one.is_rollback && is_same(one, present));
    let after = oldest.unwrap_or(at);
    deliveries[after..]
        .iter()
        .find(|one| !one.is_rollback && id(one) != id(present) && !is_now(one))
}

/// Why nothing was rolled back.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RollbackError {
    #[error("nothing was delivered to `{environment}` before what is there now")]
    NothingBefore { environment: String },
    #[error("`{given}` was never delivered to `{environment}`{}", choices(.known))]
    NeverDelivered {
        environment: String,
        given: String,
        known: Vec<String>,
        is_version: bool,
    },
    #[error("several commits that were delivered begin with `{given}`: {}", listed(.commits))]
    Ambiguous { given: String, commits: Vec<String> },
    #[error("cannot ask whether to roll back: not a terminal")]
    CannotAsk,
    #[error("nothing was changed")]
    Declined,
    #[error("interrupted; nothing was changed")]
    Interrupted,
}

fn choices(known: &[String]) -> String {
    if known.is_empty() {
        return String::new();
    }
    format!("; it can go back to {}", known.join("; "))
}

impl Explained for RollbackError {
    fn exit(&self) -> Exit {
        match self {
            Self::NothingBefore { .. } | Self::NeverDelivered { .. } => Exit::NotFound,
            Self::CannotAsk | Self::Ambiguous { .. } => Exit::Usage,
            Self::Declined => Exit::Failed,
            Self::Interrupted => Exit::Interrupted,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::NothingBefore { .. } | Self::NeverDelivered { .. } => "not-found",
            Self::CannotAsk | Self::Ambiguous { .. } => "usage",
            Self::Declined => "declined",
            Self::Interrupted => "interrupted",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NothingBefore { environment } => Some(format!(
                "`delivery rollout show {environment}` lists the function's versions"
            )),
            Self::NeverDelivered { is_version, .. } => is_version.then(|| {
                "to give this version of the function the traffic all the same, without API stage and site: `--force`"
                    .to_owned()
            }),
            Self::Ambiguous { .. } => Some("give more of its id".to_owned()),
            Self::CannotAsk => Some("to answer yes: `--yes`".to_owned()),
            Self::Declined | Self::Interrupted => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::state::Revision;

    const APP: &str = "deploy-app";

    fn delivery(execution: &str, commit: &str, version: &str) -> Delivery {
        let versions = (!version.is_empty()).then(|| (APP.to_owned(), version.to_owned()));
        Delivery {
            execution: execution.to_owned(),
            revision: Some(Revision::new(commit, None, None)),
            is_rollback: execution.starts_with('r'),
            versions: versions.into_iter().collect(),
        }
    }

    fn chosen(
        deliveries: &[Delivery],
        now: &str,
        given: Option<&str>,
    ) -> Result<String, RollbackError> {
        let now = (!now.is_empty()).then_some((APP, now));
        let plan = choose(deliveries, &now.into_iter().collect(), "prod", given, false)?;
        Ok(match plan {
            RollbackPlan::Delivery(delivery) => delivery.execution,
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn it_is_what_was_there_before_what_is_there_now() {
        let all = [
            delivery("e4", "dddd", "4"),
            delivery("e3", "cccc", "3"),
            delivery("e2", "bbbb", "2"),
        ];
        assert_eq!(chosen(&all, "4", None).unwrap(), "e3");
        // Version 5 was never delivered here.
        assert_eq!(chosen(&all, "5", None).unwrap(), "e4");
        // Version 4 was put back when it had been delivered: a person, or its alias by another tool.
        assert_eq!(chosen(&all, "3", None).unwrap(), "e2");
        assert_eq!(
            chosen(&all[2..], "2", None).unwrap_err(),
            RollbackError::NothingBefore {
                environment: "prod".to_owned()
            }
        );
    }

    #[test]
    fn a_second_rollback_goes_further_back() {
        let all = [
            delivery("r5", "cccc", "3"),
            delivery("e4", "dddd", "4"),
            delivery("e3", "cccc", "3"),
            delivery("e2", "bbbb", "2"),
        ];
        assert_eq!(chosen(&all, "3", None).unwrap(), "e2");
    }

    #[test]
    fn stacks_and_sites_go_back_to_the_commit_before() {
        let all = [
            delivery("e2", "bbbb", ""),
            delivery("e2a", "bbbb", ""),
            delivery("e1", "aaaa", ""),
        ];
        assert_eq!(chosen(&all, "", None).unwrap(), "e1");
    }

    #[test]
    fn what_is_there_now_is_not_among_the_choices() {
        let all = [
            delivery("e5", "dddd", "4"),
            delivery("r4", "cccc", "3"),
            delivery("e4", "dddd", "4"),
            delivery("e3", "cccc", "3"),
            delivery("e2", "cccc", "3"),
        ];
        let nonsense = |all, now| chosen(all, now, Some("nonsense")).unwrap_err().to_string();
        assert_eq!(
            nonsense(&all, "4"),
            "`nonsense` was never delivered to `prod`; it can go back to cccc (version 3)"
        );
        // A version that another tool put there: all of them are earlier.
        assert_eq!(
            nonsense(&all, "9"),
            "`nonsense` was never delivered to `prod`; it can go back to dddd (version 4); cccc (version 3)"
        );
        let stacks = [delivery("e2", "bbbb", ""), delivery("e1", "aaaa", "")];
        assert_eq!(
            nonsense(&stacks, ""),
            "`nonsense` was never delivered to `prod`; it can go back to aaaa"
        );
        assert_eq!(
            nonsense(&stacks[..1], ""),
            "`nonsense` was never delivered to `prod`"
        );
    }

    #[test]
    fn a_commit_or_a_version_can_be_named() {
        let all = [
            delivery("r5", "bbbb", "2"),
            delivery("e4", "dddd", "4"),
            delivery("e2", "bbbb", "2"),
        ];
        assert_eq!(chosen(&all, "4", Some("bb")).unwrap(), "e2");
        assert_eq!(chosen(&all, "4", Some("2")).unwrap(), "e2");
        let error = chosen(&all, "4", Some("3")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`3` was never delivered to `prod`; it can go back to bbbb (version 2)"
        );
        let now = BTreeMap::from([(APP, "4")]);
        assert_eq!(
            choose(&all, &now, "prod", Some("3"), true),
            Ok(RollbackPlan::Version("3".to_owned()))
        );
    }
}
