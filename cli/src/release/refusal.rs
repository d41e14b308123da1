//! Why a command about releases does not do what was asked.

use crate::error::Explained;
use crate::exit::Exit;
use crate::stack::question::Answer;

/// Why it is not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// Nothing was ever published.
    #[error("there are no releases yet")]
    NoReleases,
    /// None of the releases passed any tests.
    #[error("no release has passed the tests of an environment yet")]
    NoneVerified,
    /// The environment has no release.
    #[error("`{environment}` has no release")]
    Empty { environment: String },
    /// Nothing was ever deployed to a member of a family.
    #[error("there is no environment `{environment}`: no release was deployed to it")]
    Absent { environment: String },
    /// Both environments are the same.
    #[error("`{environment}` cannot be promoted to itself")]
    Itself { environment: String },
    /// It did not pass the tests of the environment before.
    #[error(
        "the release {release} has not passed the tests of `{before}`, which comes before `{environment}`"
    )]
    NotVerified {
        release: String,
        environment: String,
        before: String,
    },
    /// It was never in the environment that it is said to come from.
    #[error("the release {release} is not what `{environment}` has, and has not passed its tests")]
    NotFrom {
        release: String,
        environment: String,
    },
    /// Members of families are not promoted to.
    #[error("`{environment}` is a member of a family: releases are not promoted to it")]
    Family { environment: String },
    /// The environment is not one of a developer.
    #[error("`{environment}` is not an environment of your own: their names begin with `dev-`")]
    NotOwn { environment: String },
    /// The environment is never removed.
    #[error(
        "`{environment}` is not removed: only environments of a family, such as `dev-anna`, can be"
    )]
    Stays { environment: String },
    /// Nobody is deploying.
    #[error("nobody is deploying to `{environment}`")]
    NotLocked { environment: String },
    /// The person did not agree, or could not be asked.
    #[error("{what}")]
    NotConfirmed { what: String, answer: Answer },
}

impl Explained for Refusal {
    fn exit(&self) -> Exit {
        match self {
            Self::NoReleases
            | Self::NoneVerified
            | Self::Empty { .. }
            | Self::Absent { .. }
            | Self::NotLocked { .. } => Exit::NotFound,
            Self::Itself { .. }
            | Self::Family { .. }
            | Self::NotOwn { .. }
            | Self::NotConfirmed {
                answer: Answer::NotATerminal,
                ..
            } => Exit::Usage,
            Self::NotVerified { .. } | Self::NotFrom { .. } | Self::Stays { .. } => Exit::Refused,
            Self::NotConfirmed { answer, .. } => answer.exit(),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::NoReleases
            | Self::NoneVerified
            | Self::Empty { .. }
            | Self::Absent { .. }
            | Self::NotLocked { .. } => "not-found",
            Self::Itself { .. } | Self::Family { .. } | Self::NotOwn { .. } => "usage",
            Self::NotVerified { .. } | Self::NotFrom { .. } | Self::Stays { .. } => "refused",
            Self::NotConfirmed { answer, .. } => match answer {
                Answer::NotATerminal => "usage",
                Answer::Interrupted => "interrupted",
                Answer::Yes | Answer::No => "declined",
            },
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoReleases => "the pipeline publishes one for each commit: `delivery start`".to_owned(),
            Self::NoneVerified => "name a release: `--release RELEASE` (`delivery releases`)".to_owned(),
            Self::Empty { environment } => {
                format!("`delivery releases {environment}` shows what was deployed to it")
            }
            Self::Absent { .. } => "`delivery env ls --all` lists those that had a release; the stacks that `delivery deploy` made are deleted in CloudFormation".to_owned(),
            Self::Itself { .. } => "name the environment that has the release, then the one that gets it".to_owned(),
            Self::NotVerified { before, .. } => format!(
                "deliver it to `{before}` first; to promote it all the same, say why: `--unverified --message REASON`"
            ),
            Self::NotFrom { .. } => "`delivery releases` shows where each release passed the tests; to promote it all the same, say why: `--unverified --message REASON`".to_owned(),
            Self::Family { environment } => {
                format!("bring a release to an environment of your own with `delivery env up {environment}`")
            }
            Self::NotOwn { .. } => {
                "for environments of the pipeline: `delivery promote FROM TO`".to_owned()
            }
            Self::Stays { .. } => "`delivery down` removes the pipeline; stacks of environments are deleted in CloudFormation".to_owned(),
            Self::NotLocked { .. } => return None,
            Self::NotConfirmed { answer, .. } => return answer.hint(),
        })
    }
}

/// Asks, unless `--yes` was given. `otherwise` says what stays as it is.
pub(crate) fn agree(
    is_agreed: bool,
    is_json: bool,
    question: &str,
    otherwise: &str,
) -> Result<(), Refusal> {
    if is_agreed {
        return Ok(());
    }
    // What is read by a program is not seen by a person who would answer.
    let answer = if is_json {
        Answer::NotATerminal
    } else {
        crate::stack::question::confirm(question)
    };
    match answer {
        Answer::Yes => Ok(()),
        answer => Err(Refusal::NotConfirmed {
            what: otherwise.to_owned(),
            answer,
        }),
    }
}
