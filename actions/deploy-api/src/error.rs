//! Why an API could not be deployed.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use delivery_action::aws::{CallError, CallErrorKind};
use delivery_action::failure::{ActionError, FailureType, JobError};
use delivery_action::job::Artifact;
use delivery_release::part::PartError;

use crate::document::MAX_DOCUMENT_BYTES;
use crate::gateway::FailedCall;

/// Why an API could not be deployed.
#[derive(Debug, thiserror::Error)]
pub enum DeployApiError {
    /// The function's environment has no region.
    #[error("the function's configuration has no region")]
    NoRegion,
    /// An error that any action can meet.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The release cannot be deployed, or somebody else is deploying.
    #[error(transparent)]
    Part(Box<PartError>),
    /// The function's disk failed.
    #[error("cannot read `{}`", .path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The zip contains no document.
    #[error("input artifact {artifact} contains no OpenAPI document")]
    NoDocument {
        /// The artifact.
        artifact: Artifact,
    },
    /// The zip contains more than one document.
    #[error("input artifact {artifact} contains {} OpenAPI documents: {}", .files.len(), quoted(.files))]
    SeveralDocuments {
        /// The artifact.
        artifact: Artifact,
        /// Their names.
        files: Vec<String>,
    },
    /// The file is neither JSON nor YAML.
    #[error("cannot parse {document}")]
    Syntax {
        /// The file.
        document: DocumentLocation,
        /// Where it is not valid.
        source: SyntaxError,
    },
    /// The file is not an OpenAPI document.
    #[error(
        "input artifact {artifact} is not an OpenAPI document: it has neither `openapi` nor `swagger`"
    )]
    NotOpenApi {
        /// The artifact.
        artifact: Artifact,
    },
    /// The document is larger than API Gateway accepts.
    #[error("{document} has {size_bytes} bytes; the limit is {MAX_DOCUMENT_BYTES}")]
    TooLarge {
        /// The file.
        document: DocumentLocation,
        /// Its size.
        size_bytes: u64,
    },
    /// The document uses an unknown pseudo parameter.
    #[error("{document} uses the unknown pseudo parameter `{name}`")]
    UnknownPseudoParameter {
        /// The file.
        document: DocumentLocation,
        /// The parameter as it stands there.
        name: String,
    },
    /// API Gateway would refuse the document.
    #[error("API Gateway would refuse {document}: {}", .problems.join("; "))]
    Refused {
        /// The file.
        document: DocumentLocation,
        /// What, and where in the document.
        problems: Vec<String>,
    },
    /// The document needs an account id and the event has none.
    #[error("the document uses `${{AWS::AccountId}}`, but the job's event has no account id")]
    NoAccountId,
    /// There is no such API.
    #[error("no API has the id or name `{api}`")]
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
    /// The stage has a canary.
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
    /// API Gateway rejected the document.
    #[error("API Gateway rejected the document for API `{api}`; nothing was changed")]
    Import {
        /// The API's id.
        api: String,
        /// Its reasons.
        source: CallError,
    },
    /// API Gateway accepted the document and then failed.
    #[error("the import into API `{api}` failed; no stage was changed: {message}")]
    ImportFailed {
        /// The API's id.
        api: String,
        /// Its reason.
        message: String,
    },
    /// The import does not complete.
    #[error("the import into API `{api}` was not complete after {} s; no stage was changed", .limit.as_secs())]
    ImportTimeout {
        /// The API's id.
        api: String,
        /// How long the action waited.
        limit: Duration,
    },
    /// Another import happened at the same time.
    #[error(
        "another document was imported into API `{api}` before a deployment of this one was created; that \
         deployment was removed, and no stage was changed"
    )]
    ImportReplaced {
        /// The API's id.
        api: String,
    },
    /// Another job removed the deployment.
    #[error("deployment `{deployment}` of API `{api}` was removed by another job")]
    DeploymentRemoved {
        /// The API's id.
        api: String,
        /// The deployment.
        deployment: String,
    },
    /// A call failed.
    #[error("cannot {doing} API `{api}`")]
    Call {
        /// What the call was for: `read`, `list the deployments of`.
        doing: &'static str,
        /// The API.
        api: String,
        /// The service's `Retry-After`.
        retry_after: Option<Duration>,
        /// API Gateway's error.
        source: CallError,
    },
}

/// A file of an artifact, or all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentLocation {
    /// The artifact.
    pub artifact: Artifact,
    /// The file in it, where it is a zip.
    pub file: Option<String>,
}

impl DocumentLocation {
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

impl fmt::Display for DocumentLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "`{file}` of ")?;
        }
        write!(f, "input artifact {}", self.artifact)
    }
}

/// Where a document is not valid.
#[derive(Debug, thiserror::Error)]
pub enum SyntaxError {
    /// The bytes are not UTF-8.
    #[error("not UTF-8 text")]
    NotText,
    /// It begins like JSON and is not valid.
    #[error("JSON: {0}")]
    Json(serde_json::Error),
    /// It begins with a comment.
    #[error("it begins with a comment, which JSON does not allow")]
    Comment,
    /// A YAML mapping has a key twice.
    #[error("YAML: the key `{key}` appears twice, the second time in line {line}")]
    DuplicateKey {
        /// The key.
        key: String,
        /// The line, from 1.
        line: usize,
    },
    /// The text is several YAML documents.
    #[error("YAML: there is a second document (`---`), but only one is allowed")]
    SeveralDocuments,
    /// It is not valid YAML.
    #[error("YAML: {0}")]
    Yaml(String),
}

impl DeployApiError {
    pub(crate) fn call(doing: &'static str, api: &str, failed: FailedCall) -> Self {
        Self::Call {
            doing,
            api: api.to_owned(),
            retry_after: failed.retry_after,
            source: failed.call,
        }
    }

    /// After which pause the work may be tried again from the start; `None` if that would not help. `pause` is for
    /// a change by somebody else; a service that throttles names its own.
    pub(crate) fn retry_in(&self, pause: Duration) -> Option<Duration> {
        match self {
            Self::DeploymentRemoved { .. } | Self::ImportReplaced { .. } => Some(pause),
            Self::Call { source, .. } if source.kind == CallErrorKind::Conflict => Some(pause),
            Self::Call { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

delivery_action::wraps_job_error!(DeployApiError);

impl From<PartError> for DeployApiError {
    fn from(error: PartError) -> Self {
        Self::Part(Box::new(error))
    }
}

impl ActionError for DeployApiError {
    fn failure_type(&self) -> FailureType {
        match self {
            Self::Job(error) => error.failure_type(),
            Self::Part(error) => error.failure_type(),
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
            Self::Canary { .. } | Self::DeploymentRemoved { .. } | Self::ImportReplaced { .. } => {
                FailureType::RevisionOutOfSync
            }
            Self::ImportTimeout { .. } => FailureType::SystemUnavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoRegion => "run the function in Lambda, which sets `AWS_REGION`",
            Self::Job(error) => return error.hint(),
            Self::Part(error) => return error.hint(),
            Self::Call { source, .. } => return source.hint(),
            Self::Disk { .. } => "raise the function's `EphemeralStorage` (10,240 MiB at most)",
            Self::NoDocument { .. } => {
                "make the artifact a `.json`, `.yaml` or `.yml` file with the key `openapi` or \
                 `swagger`, or a zip with one such file"
            }
            Self::SeveralDocuments { .. } => "leave only one document in the artifact",
            Self::Syntax { .. } => "fix the document in the source",
            Self::NotOpenApi { .. } => {
                "in the action that makes the artifact, name the OpenAPI document's path"
            }
            Self::TooLarge { .. } => "shorten the document, or split it into two APIs",
            Self::UnknownPseudoParameter { .. } => {
                "use `${AWS::Region}`, `${AWS::AccountId}`, `${AWS::Partition}` or a stage variable"
            }
            Self::Refused { .. } => "fix the document in the source; nothing was changed",
            Self::ImportReplaced { .. } => {
                "stop the other deployments of this API, then retry the stage"
            }
            Self::NoAccountId => "invoke this function as a Lambda action of CodePipeline",
            Self::NoApi { .. } => "correct `api` in the action's `UserParameters`",
            Self::SeveralApis { .. } => {
                "set `api` in `UserParameters` to the id instead of the name"
            }
            Self::NoStage { .. } => {
                "correct `stage` in the action's `UserParameters`, or create the stage in the stack"
            }
            Self::Canary { .. } => "promote or remove the canary, then retry the stage",
            Self::Import { .. } | Self::ImportFailed { .. } => {
                "fix what API Gateway names in the document; warnings count, too"
            }
            Self::ImportTimeout { .. } | Self::DeploymentRemoved { .. } => "retry the stage",
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
        ConfigurationError: the function's configuration has no region
        hint: run the function in Lambda, which sets `AWS_REGION`
        log: here
        ");
    }

    #[test]
    fn no_account() {
        assert_snapshot!(message(&DeployApiError::NoAccountId), @"
        ConfigurationError: the document uses `${AWS::AccountId}`, but the job's event has no account id
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
        JobFailed: the import into API `a1` failed; no stage was changed: too many
        hint: fix what API Gateway names in the document; warnings count, too
        log: here
        ");
    }

    #[test]
    fn an_import_that_does_not_end() {
        let limit = Duration::from_mins(2);
        let error = DeployApiError::ImportTimeout {
            api: "a1".to_owned(),
            limit,
        };
        assert_snapshot!(message(&error), @"
        SystemUnavailable: the import into API `a1` was not complete after 120 s; no stage was changed
        hint: retry the stage
        log: here
        ");
    }

    #[test]
    fn a_deployment_that_is_gone() {
        let error = DeployApiError::DeploymentRemoved {
            api: "a1".to_owned(),
            deployment: "d1".to_owned(),
        };
        assert_snapshot!(message(&error), @"
        RevisionOutOfSync: deployment `d1` of API `a1` was removed by another job
        hint: retry the stage
        log: here
        ");
        assert_eq!(
            error.retry_in(Duration::from_secs(1)),
            Some(Duration::from_secs(1))
        );
    }
}
