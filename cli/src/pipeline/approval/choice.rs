//! Which of the approvals that wait is meant, and whether it may be answered. Pure.

use crate::error::Explained;
use crate::exit::Exit;
use crate::pipeline::listed;
use crate::pipeline::state::{NoStage, PipelineState, Waiting, short_form};

/// As few characters of a commit's id as git itself takes.
const MIN_COMMIT_CHARS: usize = 4;

/// The approval that is meant.
pub(super) fn choose<'a>(
    shown: &'a PipelineState,
    stage: Option<&str>,
    commit: Option<&str>,
) -> Result<Waiting<'a>, AnswerError> {
    if let Some(name) = stage {
        shown.stage(name)?;
    }
    let mut waiting = shown.approvals();
    waiting.retain(|waiting| stage.is_none_or(|stage| waiting.stage.name == stage));
    if waiting.is_empty() {
        return Err(AnswerError::NothingWaits {
            stage: stage.map(str::to_owned),
        });
    }
    if let Some(commit) = commit {
        if commit.len() < MIN_COMMIT_CHARS {
            return Err(AnswerError::ShortCommit {
                commit: commit.to_owned(),
            });
        }
        let meant = |waiting: &Waiting<'_>| {
            let revision = waiting.stage.revision.as_ref();
            revision.is_some_and(|found| found.id.starts_with(&commit.to_ascii_lowercase()))
        };
        if !waiting.iter().any(meant) {
            let found = waiting.iter().map(|waiting| {
                let commit = short_form(waiting.stage.revision.as_ref());
                format!("`{commit}` in {}", waiting.stage.name)
            });
            return Err(AnswerError::Stale {
                commit: commit.to_owned(),
                waiting: listed(&found.collect::<Vec<_>>()),
            });
        }
        waiting.retain(meant);
    }
    match waiting.as_slice() {
        [waiting] => Ok(*waiting),
        several => Err(AnswerError::SeveralWait {
            stages: several
                .iter()
                .map(|waiting| format!("{} / {}", waiting.stage.name, waiting.action.name))
                .collect(),
        }),
    }
}

/// Why nothing was answered.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AnswerError {
    /// The stage does not exist.
    #[error(transparent)]
    NoStage(#[from] NoStage),
    /// Nothing waits.
    #[error("nothing waits for approval{}", .stage.as_ref().map(|stage| format!(" in stage {stage}")).unwrap_or_default())]
    NothingWaits {
        /// The stage that was looked at only.
        stage: Option<String>,
    },
    /// More than one waits.
    #[error("more than one approval is waiting: {}", listed(.stages))]
    SeveralWait {
        /// Where.
        stages: Vec<String>,
    },
    /// The commit is too short to name one.
    #[error(
        "`{commit}` is too short for a commit id: at least {MIN_COMMIT_CHARS} characters are needed"
    )]
    ShortCommit {
        /// What was given.
        commit: String,
    },
    /// Another commit waits.
    #[error("`{commit}` is not waiting for approval; {waiting} is")]
    Stale {
        /// What was given.
        commit: String,
        /// What waits, and where.
        waiting: String,
    },
    /// A question cannot be asked here.
    #[error(
        "{waiting} is waiting for approval, but this is not a terminal, so it cannot be confirmed here"
    )]
    CannotAsk {
        /// `approve` or `reject`.
        verb: &'static str,
        /// What waits.
        waiting: String,
        /// The beginning of its id.
        commit: Option<String>,
    },
    /// Who was asked said no.
    #[error("not answered; it is still waiting for approval")]
    Declined,
    /// Ctrl-C at the question.
    #[error("interrupted; it is still waiting for approval")]
    Interrupted,
    /// Someone else was quicker.
    #[error(
        "the approval of {commit} in stage {stage} is no longer pending: it was answered, or another execution took \
         its place"
    )]
    AlreadyAnswered {
        /// The stage.
        stage: String,
        /// The commit.
        commit: String,
    },
}

impl Explained for AnswerError {
    fn exit(&self) -> Exit {
        match self {
            Self::NoStage { .. } | Self::NothingWaits { .. } => Exit::NotFound,
            Self::SeveralWait { .. } | Self::ShortCommit { .. } | Self::CannotAsk { .. } => {
                Exit::Usage
            }
            Self::Stale { .. } | Self::Declined | Self::AlreadyAnswered { .. } => Exit::Failed,
            Self::Interrupted => Exit::Interrupted,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::NoStage { .. } => "not-found",
            Self::NothingWaits { .. } => "nothing-waits",
            Self::SeveralWait { .. } | Self::ShortCommit { .. } | Self::CannotAsk { .. } => "usage",
            Self::Stale { .. } => "stale",
            Self::Declined => "declined",
            Self::Interrupted => "interrupted",
            Self::AlreadyAnswered { .. } => "already-answered",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoStage(error) => error.hint(),
            Self::NothingWaits { .. } | Self::AlreadyAnswered { .. } => {
                "see what the pipeline does: `delivery status`".to_owned()
            }
            Self::SeveralWait { .. } => "name the stage: `--stage STAGE`".to_owned(),
            Self::ShortCommit { .. } => "give more of its characters".to_owned(),
            Self::Stale { .. } => {
                "see what is waiting (`delivery status`) and give that commit".to_owned()
            }
            Self::CannotAsk { verb, commit, .. } => match commit {
                Some(commit) => format!(
                    "give the commit: `delivery {verb} {commit}`; or answer for whichever commit is waiting: `--yes`"
                ),
                None => format!("answer for whichever commit is waiting: `delivery {verb} --yes`"),
            },
            Self::Declined | Self::Interrupted => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::state::{ActionState, Revision, StageState};

    fn stage(name: &str, commit: &str, waits: bool) -> StageState {
        StageState {
            name: name.to_owned(),
            revision: Some(Revision {
                id: commit.repeat(10),
                message: Some("Greet in French".to_owned()),
                url: None,
            }),
            actions: vec![ActionState {
                name: "approve".to_owned(),
                waits_for_approval: waits,
                ..ActionState::default()
            }],
            ..StageState::default()
        }
    }

    fn shown(stages: Vec<StageState>) -> PipelineState {
        PipelineState {
            name: "p".to_owned(),
            stages,
        }
    }

    fn refused(shown: &PipelineState, stage: Option<&str>, commit: Option<&str>) -> String {
        let error = choose(shown, stage, commit).unwrap_err();
        format!("{} ({}): {error}", error.kind(), error.exit().code())
    }

    #[test]
    fn a_commit_that_does_not_wait_is_refused_by_both_names() {
        let shown = shown(vec![stage("Approval", "abcd", true)]);
        assert_eq!(
            choose(&shown, None, Some("ABCDab")).unwrap().stage.name,
            "Approval"
        );
        assert_eq!(
            refused(&shown, None, Some("1234")),
            "stale (1): `1234` is not waiting for approval; `abcdabcd Greet in French` in Approval is"
        );
        assert_eq!(
            refused(&shown, None, Some("abc")),
            "usage (2): `abc` is too short for a commit id: at least 4 characters are needed"
        );
    }

    #[test]
    fn of_several_one_has_to_be_named() {
        let shown = shown(vec![stage("A", "aaaa", true), stage("B", "aaaa", true)]);
        assert_eq!(
            refused(&shown, None, Some("aaaa")),
            "usage (2): more than one approval is waiting: A / approve and B / approve"
        );
        assert_eq!(
            choose(&shown, Some("B"), Some("aaaa")).unwrap().stage.name,
            "B"
        );
        assert_eq!(
            refused(&shown, Some("C"), None),
            "not-found (5): the pipeline has no stage `C`; it has A and B"
        );
    }

    #[test]
    fn nothing_that_waits_is_not_found() {
        let shown = shown(vec![stage("Approval", "abcd", false)]);
        assert_eq!(
            refused(&shown, None, None),
            "nothing-waits (5): nothing waits for approval"
        );
        assert_eq!(
            refused(&shown, Some("Approval"), Some("abcd")),
            "nothing-waits (5): nothing waits for approval in stage Approval"
        );
    }
}
