//! What an alias says about itself, for people and for whoever looks at it next:
//! `rollout 7f3a91c2e0 of execution 9f8e7d6c: version 8 over 6, step 2 of 4 since 2026-11-26T11:05:00Z, watched until
//! 2026-11-26T11:41:00Z; revision 4f1c2ab; before: version 5`.

use std::fmt;

use jiff::Timestamp;

/// The longest description of an alias, in characters (`API_UpdateAlias`, `Description`).
const MAX_CHARS: usize = 256;

/// Of a revision beside a rollout: a whole commit id of Git. What says how the rollout stands must have room.
const MAX_REVISION_CHARS: usize = 40;

/// Of a person's name.
const MAX_NAME_CHARS: usize = 32;

/// Of an execution's id: enough to find it, and to tell one from another.
const EXECUTION_CHARS: usize = 8;

/// Before the previous version, at the end.
const BEFORE: &str = "before: version ";

/// The description of an alias.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// The rollout that is under way, or the last one.
    pub marker: Option<Marker>,
    /// The revision of the alias's version.
    pub revision: Option<String>,
    /// The version that had the traffic before the alias's version.
    pub before: Option<String>,
}

/// A rollout, as the alias tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The rollout's id.
    pub id: String,
    /// The first characters of the pipeline execution's id.
    pub execution: Option<String>,
    /// The version that is to get the traffic.
    pub new: String,
    /// The version that had it.
    pub stable: String,
    /// How far it is.
    pub phase: Phase,
}

/// How far a rollout is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The new version has the share of this step.
    Step {
        /// From 0.
        index: usize,
        /// How many there are.
        count: usize,
        /// When the step began.
        since: Timestamp,
        /// When the guard puts it back, if nobody has changed the alias until then.
        watched_until: Timestamp,
    },
    /// The new version has all traffic and is watched.
    Bake {
        /// When it got it.
        since: Timestamp,
        /// When the guard puts it back, if it has not been kept until then.
        watched_until: Timestamp,
    },
    /// It is over.
    Ended(End),
}

/// How a rollout ended, other than by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The action gave the stable version all traffic back.
    PutBack(String),
    /// The guard did, because nobody watched the rollout any more.
    PutBackByGuard(String),
    /// A person did.
    Aborted {
        /// Their name.
        by: String,
        /// Why.
        why: String,
    },
    /// A person gave the new version all traffic and ended the watching.
    Finished {
        /// Their name.
        by: String,
    },
}

impl Phase {
    /// Until when somebody watches; `None` if the rollout is over.
    #[must_use]
    pub fn watched_until(&self) -> Option<Timestamp> {
        match self {
            Self::Step { watched_until, .. } | Self::Bake { watched_until, .. } => {
                Some(*watched_until)
            }
            Self::Ended(_) => None,
        }
    }
}

impl Marker {
    /// Whether it was written for this execution of a pipeline.
    #[must_use]
    pub fn is_of_execution(&self, id: &str) -> bool {
        let execution = self.execution.as_deref();
        execution.is_some_and(|execution| execution == first_chars(id, EXECUTION_CHARS))
    }
}

impl Description {
    /// Reads one; whatever has another form is the description of somebody else.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let before = text
            .rsplit_once(BEFORE)
            .map(|(_, version)| version)
            .filter(|version| is_version(version))
            .map(str::to_owned);
        let rest = text
            .rsplit_once(BEFORE)
            .map_or(text, |(rest, _)| rest)
            .trim_end_matches("; ");
        let (head, revision) = match rest.strip_prefix("revision ") {
            Some(revision) => ("", Some(revision)),
            None => rest
                .rsplit_once("; revision ")
                .map_or((rest, None), |(head, revision)| (head, Some(revision))),
        };
        Self {
            marker: marker(head),
            revision: revision.map(str::to_owned),
            before,
        }
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tail = self
            .before
            .as_ref()
            .map(|version| format!("; {BEFORE}{version}"))
            .unwrap_or_default();
        let revision = |most| {
            self.revision
                .as_ref()
                .map(|revision| format!("; revision {}", first_chars(&one_line(revision), most)))
                .unwrap_or_default()
        };
        let text = match &self.marker {
            None if self.revision.is_none() => format!("deployed by deploy-app{tail}"),
            None => {
                let room = MAX_CHARS.saturating_sub(tail.chars().count());
                let text = revision(usize::MAX);
                format!("{}{tail}", first_chars(&text[2..], room))
            }
            Some(marker) => {
                let tail = format!("{}{tail}", revision(MAX_REVISION_CHARS));
                let room = MAX_CHARS.saturating_sub(tail.chars().count());
                format!("{}{tail}", cut(&marker.to_string(), room))
            }
        };
        f.write_str(&text)
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rollout {}", self.id)?;
        if let Some(execution) = &self.execution {
            write!(
                f,
                " of execution {}",
                first_chars(execution, EXECUTION_CHARS)
            )?;
        }
        write!(
            f,
            ": version {} over {}, {}",
            self.new, self.stable, self.phase
        )
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step {
                index,
                count,
                since,
                watched_until,
            } => write!(
                f,
                "step {} of {count} since {since}, watched until {watched_until}",
                index + 1
            ),
            Self::Bake {
                since,
                watched_until,
            } => write!(
                f,
                "all traffic since {since}, watched until {watched_until}"
            ),
            Self::Ended(end) => write!(f, "{end}"),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PutBack(why) => write!(f, "put back: {}", one_line(why)),
            Self::PutBackByGuard(why) => write!(f, "put back by guard: {}", one_line(why)),
            Self::Aborted { by, why } => write!(f, "aborted by {}: {}", name(by), one_line(why)),
            Self::Finished { by } => write!(f, "finished by {}", name(by)),
        }
    }
}

/// The end of [`MAX_CHARS`] characters cuts what a person wrote, never what is read back.
fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    format!(
        "{}...",
        first_chars(text, room.saturating_sub(3)).trim_end()
    )
}

fn first_chars(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_control() || c.is_whitespace())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// A name ends at the colon that follows it.
fn name(text: &str) -> String {
    first_chars(&one_line(text).replace(':', " "), MAX_NAME_CHARS)
}

fn is_version(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `rollout ID of execution ID: version N over N, PHASE`.
fn marker(text: &str) -> Option<Marker> {
    let (head, rest) = text.strip_prefix("rollout ")?.split_once(": version ")?;
    let (id, execution) = head
        .split_once(" of execution ")
        .map_or((head, None), |(id, execution)| (id, Some(execution)));
    let (versions, phase_text) = rest.split_once(", ")?;
    let (new, stable) = versions.split_once(" over ")?;
    if !is_version(new) || !is_version(stable) {
        return None;
    }
    Some(Marker {
        id: id.to_owned(),
        execution: execution.map(str::to_owned),
        new: new.to_owned(),
        stable: stable.to_owned(),
        phase: phase(phase_text)?,
    })
}

fn phase(text: &str) -> Option<Phase> {
    let watched = |text: &str| {
        let (since, until) = text.split_once(", watched until ")?;
        Some((since.parse().ok()?, until.parse().ok()?))
    };
    if let Some(rest) = text.strip_prefix("step ") {
        let (numbers, times) = rest.split_once(" since ")?;
        let (number, count) = numbers.split_once(" of ")?;
        let (since, watched_until) = watched(times)?;
        return Some(Phase::Step {
            index: number.parse::<usize>().ok()?.checked_sub(1)?,
            count: count.parse().ok()?,
            since,
            watched_until,
        });
    }
    if let Some(times) = text.strip_prefix("all traffic since ") {
        let (since, watched_until) = watched(times)?;
        return Some(Phase::Bake {
            since,
            watched_until,
        });
    }
    end(text).map(Phase::Ended)
}

fn end(text: &str) -> Option<End> {
    if let Some(why) = text.strip_prefix("put back: ") {
        return Some(End::PutBack(why.to_owned()));
    }
    if let Some(why) = text.strip_prefix("put back by guard: ") {
        return Some(End::PutBackByGuard(why.to_owned()));
    }
    if let Some((by, why)) = text
        .strip_prefix("aborted by ")
        .and_then(|rest| rest.split_once(": "))
    {
        return Some(End::Aborted {
            by: by.to_owned(),
            why: why.to_owned(),
        });
    }
    let by = text.strip_prefix("finished by ")?;
    Some(End::Finished { by: by.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn step() -> Phase {
        Phase::Step {
            index: 1,
            count: 4,
            since: at("2026-11-26T11:05:00Z"),
            watched_until: at("2026-11-26T11:41:00Z"),
        }
    }

    fn described(phase: Phase) -> Description {
        Description {
            marker: Some(Marker {
                id: "7f3a91c2e0".to_owned(),
                execution: Some("9f8e7d6c".to_owned()),
                new: "8".to_owned(),
                stable: "6".to_owned(),
                phase,
            }),
            revision: Some("4f1c2ab".to_owned()),
            before: Some("5".to_owned()),
        }
    }

    #[test]
    fn a_person_can_read_it() {
        assert_eq!(
            described(step()).to_string(),
            "rollout 7f3a91c2e0 of execution 9f8e7d6c: version 8 over 6, step 2 of 4 since 2026-11-26T11:05:00Z, \
             watched until 2026-11-26T11:41:00Z; revision 4f1c2ab; before: version 5"
        );
    }

    #[test_case(step(); "a step")]
    #[test_case(Phase::Bake { since: at("2026-11-26T11:05:00Z"), watched_until: at("2026-11-26T11:41:00.5Z") }; "all traffic")]
    #[test_case(Phase::Ended(End::PutBack("alarm `errors` rang; revision 9".to_owned())); "put back")]
    #[test_case(Phase::Ended(End::PutBackByGuard("nobody watched it".to_owned())); "put back by guard")]
    #[test_case(Phase::Ended(End::Aborted { by: "Anna".to_owned(), why: "orders: wrong".to_owned() }); "aborted")]
    #[test_case(Phase::Ended(End::Finished { by: "Anna".to_owned() }); "finished")]
    fn it_is_read_back(phase: Phase) {
        let description = described(phase);
        assert_eq!(Description::parse(&description.to_string()), description);
        let bare = Description {
            revision: None,
            before: None,
            ..description
        };
        if !bare.to_string().contains("; revision") {
            assert_eq!(Description::parse(&bare.to_string()), bare);
        }
    }

    #[test_case("revision 4f1c2ab; before: version 6", Some("4f1c2ab"), Some("6"))]
    #[test_case("revision 4f1c2ab", Some("4f1c2ab"), None; "revision alone")]
    #[test_case("deployed by deploy-app; before: version 6", None, Some("6"); "no revision")]
    #[test_case("our production", None, None; "of somebody else")]
    #[test_case("rollout of the new checkout", None, None; "no marker")]
    #[test_case("revision before: version x", Some(""), None; "no version")]
    fn other_descriptions_are_read_as_far_as_possible(
        text: &str,
        revision: Option<&str>,
        before: Option<&str>,
    ) {
        let read = Description::parse(text);
        assert_eq!(read.marker, None);
        assert_eq!(read.revision.as_deref(), revision);
        assert_eq!(read.before.as_deref(), before);
    }

    #[test]
    fn what_people_write_is_cut_and_what_is_read_back_is_not() {
        let mut description = described(Phase::Ended(End::Aborted {
            by: "somebody: with a name as long as a sentence".to_owned(),
            why: "a\nlong reason ".repeat(40),
        }));
        description.revision = Some("x".repeat(300));
        let text = description.to_string();
        assert_eq!(text.chars().count(), MAX_CHARS);
        let read = Description::parse(&text);
        assert_eq!(read.before.as_deref(), Some("5"));
        assert_eq!(read.revision, Some("x".repeat(MAX_REVISION_CHARS)));
        let Some(Phase::Ended(End::Aborted { by, why })) = read.marker.map(|marker| marker.phase)
        else {
            panic!("{text}");
        };
        assert_eq!(by, "somebody  with a name as long as");
        assert!(
            why.starts_with("a long reason a long") && why.ends_with("..."),
            "{why}"
        );
    }
}
