//! Why an API could not be deployed.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use delivery_action::aws::{CallError, CallErrorKind};
use delivery_action::failure::{ActionError, FailureType, JobError};
use delivery_action::job::Artifact;

use crate::document::MAX_DOCUMENT_BYTES;
use crate::gateway::Refusal;

/// Why an API could not be deployed.
#[derive(Debug, thiserror::Error)]
pub enum DeployApiError {
    /// The function's environment names no region.
    #[error("the function's configuration names no region")]
    NoRegion,
    /// An error that any action can meet.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The function's disk failed.
    #[error("cannot read `{}`", .path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The zip holds no document.
    #[error("input artifact {artifact} holds no OpenAPI document")]
    NoDocument {
        /// The artifact.
        artifact: Artifact,
    },
    /// The zip holds more than one document.
    #[error("input artifact {artifact} holds {} OpenAPI documents: {}", .files.len(), quoted(.files))]
    SeveralDocuments {
        /// The artifact.
        artifact: Artifact,
        /// Their names.
        files: Vec<String>,
    },
    /// The file is neither JSON nor YAML.
    #[error("{place} cannot be read")]
    Syntax {
        /// The file.
        place: Place,
        /// Where it breaks off.
        source: SyntaxError,
    },
    /// The file is something else.
    #[error(
        "input artifact {artifact} is no OpenAPI document: it has neither `openapi` nor `swagger`"
    )]
    NotOpenApi {
        /// The artifact.
        artifact: Artifact,
    },
    /// The document is larger than API Gateway takes.
    #[error("{place} has {size_bytes} bytes, {MAX_DOCUMENT_BYTES} are the most")]
    TooLarge {
        /// The file.
        place: Place,
        /// Its size.
        size_bytes: u64,
    },
    /// The document has a pseudo parameter that is not known.
    #[error("{place} has the unknown pseudo parameter `{name}`")]
    UnknownPseudoParameter {
        /// The file.
        place: Place,
        /// The parameter as it stands there.
        name: String,
    },
    /// The document holds what API Gateway refuses.
    #[error("API Gateway would refuse {place}: {}", .problems.join("; "))]
    Refused {
        /// The file.
        place: Place,
        /// What, and where in the document.
        problems: Vec<String>,
    },
    /// The document needs an account id and the event has none.
    #[error("the document has `${{AWS::AccountId}}` and the job's event names no account")]
    NoAccountId,
    /// There is no such API.
    #[error("there is no API with the id or the name `{api}`")]
    NoApi {
        /// The parameter.
        api: String,
    },
    /// More than one API has the name.
    #[error("{} APIs have the name `{name}`: {}", .ids.len(), quoted(.ids))]
    SeveralApis {
        /// The parameter.
        name: String,
        /// Their ids.
        ids: Vec<String>,
    },
    /// The API has no such stage.
    #[error("API `{api}` has no stage `{stage}`; its stages are {}", quoted(.stages))]
    NoStage {
        /// The API's id.
        api: String,
        /// The parameter.
        stage: String,
        /// The stages it has.
        stages: Vec<String>,
    },
    /// Someone tries a canary on the stage.
    #[error(
        "stage `{stage}` of API `{api}` serves deployment `{deployment}` with a canary of deployment `{canary}`"
    )]
    Canary {
        /// The API's id.
        api: String,
        /// The stage.
        stage: String,
        /// What it serves.
        deployment: String,
        /// What the canary serves.
        canary: String,
    },
    /// API Gateway does not accept the document.
    #[error("API Gateway does not accept the document for API `{api}`, and has changed nothing")]
    Import {
        /// The API's id.
        api: String,
        /// Its reasons.
        source: CallError,
    },
    /// API Gateway accepted the document and then failed.
    #[error("the import into API `{api}` failed, no stage has changed: {message}")]
    ImportFailed {
        /// The API's id.
        api: String,
        /// Its reason.
        message: String,
    },
    /// The import goes on and on.
    #[error("the import into API `{api}` is not complete after {} s, no stage has changed", .limit.as_secs())]
    Unsettled {
        /// The API's id.
        api: String,
        /// How long was waited.
        limit: Duration,
    },
    /// Someone else imported at the same time.
    #[error(
        "another document was imported into API `{api}` before a deployment was made of this one; that \
         deployment was taken back, no stage has changed"
    )]
    ImportReplaced {
        /// The API's id.
        api: String,
    },
    /// Another invocation took the deployment away.
    #[error("deployment `{deployment}` of API `{api}` was removed meanwhile")]
    Overtaken {
        /// The API's id.
        api: String,
        /// The deployment.
        deployment: String,
    },
    /// A call did not succeed.
    #[error("cannot {doing} API `{api}`")]
    Call {
        /// What was done.
        doing: &'static str,
        /// The API.
        api: String,
        /// When the service asks to come back.
        retry_after: Option<Duration>,
        /// What API Gateway said.
        source: CallError,
    },
}

/// A file of an artifact, or all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The artifact.
    pub artifact: Artifact,
    /// The file in it, where it is a zip.
    pub file: Option<String>,
}

impl Place {
    pub(crate) fn of(artifact: &Artifact) -> Self {
        Self {
            artifact: artifact.clone(),
            file: None,
        }
    }

    pub(crate) fn file(mut self, name: String) -> Self {
        self.file = Some(name);
        self
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "`{file}` of ")?;
        }
        write!(f, "input artifact {}", self.artifact)
    }
}

/// Where a document breaks off.
#[derive(Debug, thiserror::Error)]
pub enum SyntaxError {
    /// Bytes that are no UTF-8.
    #[error("it is not text in UTF-8")]
    NotText,
    /// It begins as JSON and is none.
    #[error("JSON: {0}")]
    Json(serde_json::Error),
    /// It begins with a comment, as JSON may not.
    #[error("it begins with a comment, and JSON has none")]
    Comment,
    /// A key of a YAML mapping stands twice.
    #[error("YAML: the key `{key}` stands twice, the second time in line {line}")]
    Twice {
        /// The key.
        key: String,
        /// The line, from 1.
        line: usize,
    },
    /// The text is several YAML documents.
    #[error("YAML: a second document begins (`---`), and only one is taken")]
    SeveralDocuments,
    /// It is no YAML.
    #[error("YAML: {0}")]
    Yaml(String),
}

impl DeployApiError {
    pub(crate) fn call(doing: &'static str, api: &str, refusal: Refusal) -> Self {
        Self::Call {
            doing,
            api: api.to_owned(),
            retry_after: refusal.retry_after,
            source: refusal.call,
        }
    }

    /// After which pause the work may be begun anew; `None` where that is no use. `pause` is for a
    /// change of someone else's; a service that throttles names its own.
    pub(crate) fn retry_in(&self, pause: Duration) -> Option<Duration> {
        match self {
            Self::Overtaken { .. } | Self::ImportReplaced { .. } => Some(pause),
            Self::Call { source, .. } if source.kind == CallErrorKind::Conflict => Some(pause),
            Self::Call { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

delivery_action::wraps_job_error!(DeployApiError);

impl ActionError for DeployApiError {
    fn failure_type(&self) -> FailureType {
        match self {
            Self::Job(error) => error.failure_type(),
            Self::Call { source, .. } => source.failure_type(),
            Self::NoRegion
            | Self::NoAccountId
            | Self::NoApi { .. }
            | Self::SeveralApis { .. }
            | Self::NoStage { .. } => FailureType::ConfigurationError,
            Self::Disk { .. }
            | Self::NoDocument { .. }
            | Self::SeveralDocuments { .. }
            | Self::Syntax { .. }
            | Self::NotOpenApi { .. }
            | Self::TooLarge { .. }
            | Self::UnknownPseudoParameter { .. }
            | Self::Refused { .. }
            | Self::Import { .. }
            | Self::ImportFailed { .. } => FailureType::JobFailed,
            Self::Canary { .. } | Self::Overtaken { .. } | Self::ImportReplaced { .. } => {
                FailureType::RevisionOutOfSync
            }
            Self::Unsettled { .. } => FailureType::SystemUnavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoRegion => "run the function in Lambda, which sets `AWS_REGION`",
            Self::Job(error) => return error.hint(),
            Self::Call { source, .. } => return source.hint(),
            Self::Disk { .. } => "raise the function's `EphemeralStorage` (10,240 MiB at most)",
            Self::NoDocument { .. } => {
                "let the artifact be a `.json`, `.yaml` or `.yml` file that begins with `openapi` or \
                 `swagger`, or a zip with one"
            }
            Self::SeveralDocuments { .. } => "leave one document in the artifact",
            Self::Syntax { .. } => "correct the document in the source",
            Self::NotOpenApi { .. } => {
                "name the OpenAPI document's path where the artifact is made"
            }
            Self::TooLarge { .. } => "shorten the document, or make two APIs of it",
            Self::UnknownPseudoParameter { .. } => {
                "use `${AWS::Region}`, `${AWS::AccountId}`, `${AWS::Partition}` or a stage variable"
            }
            Self::Refused { .. } => "correct the document in the source; nothing was changed",
            Self::ImportReplaced { .. } => {
                "end the other deployments of this API, then retry the stage"
            }
            Self::NoAccountId => "invoke this function as a Lambda action of CodePipeline",
            Self::NoApi { .. } => "correct `api` in the action's `UserParameters`",
            Self::SeveralApis { .. } => {
                "give the id instead of the name as `api` in `UserParameters`"
            }
            Self::NoStage { .. } => {
                "correct `stage` in the action's `UserParameters`, or make the stage in the stack"
            }
            Self::Canary { .. } => "promote or remove the canary, then retry the stage",
            Self::Import { .. } | Self::ImportFailed { .. } => {
                "correct what API Gateway names in the document; warnings count too"
            }
            Self::Unsettled { .. } | Self::Overtaken { .. } => "retry the stage",
        };
        Some(hint.to_owned())
    }
}

fn quoted(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use delivery_action::failure::Failure;
    use insta::assert_snapshot;

    use super::*;

    fn message(error: &DeployApiError) -> String {
        format!(
            "{:?}: {}",
            error.failure_type(),
            Failure::new(error).message("here")
        )
    }

    #[test]
    fn no_region() {
        assert_snapshot!(message(&DeployApiError::NoRegion), @"
        ConfigurationError: the function's configuration names no region
        hint: run the function in Lambda, which sets `AWS_REGION`
        log: here
        ");
    }

    #[test]
    fn no_account() {
        assert_snapshot!(message(&DeployApiError::NoAccountId), @"
        ConfigurationError: the document has `${AWS::AccountId}` and the job's event names no account
        hint: invoke this function as a Lambda action of CodePipeline
        log: here
        ");
    }

    #[test]
    fn a_disk_that_fails() {
        let source = std::io::Error::other("device error");
        let error = DeployApiError::Disk {
            path: "/tmp/x".into(),
            source,
        };
        assert_snapshot!(message(&error), @"
        JobFailed: cannot read `/tmp/x`: device error
        hint: raise the function's `EphemeralStorage` (10,240 MiB at most)
        log: here
        ");
    }

    #[test]
    fn an_import_that_fails_afterwards() {
        let error = DeployApiError::ImportFailed {
            api: "a1".to_owned(),
            message: "too many".to_owned(),
        };
        assert_snapshot!(message(&error), @"
        JobFailed: the import into API `a1` failed, no stage has changed: too many
        hint: correct what API Gateway names in the document; warnings count too
        log: here
        ");
    }

    #[test]
    fn an_import_that_does_not_end() {
        let limit = Duration::from_mins(2);
        let error = DeployApiError::Unsettled {
            api: "a1".to_owned(),
            limit,
        };
        assert_snapshot!(message(&error), @"
        SystemUnavailable: the import into API `a1` is not complete after 120 s, no stage has changed
        hint: retry the stage
        log: here
        ");
    }

    #[test]
    fn a_deployment_that_is_gone() {
        let error = DeployApiError::Overtaken {
            api: "a1".to_owned(),
            deployment: "d1".to_owned(),
        };
        assert_snapshot!(message(&error), @"
        RevisionOutOfSync: deployment `d1` of API `a1` was removed meanwhile
        hint: retry the stage
        log: here
        ");
        assert_eq!(
            error.retry_in(Duration::from_secs(1)),
            Some(Duration::from_secs(1))
        );
    }
}
