//! Why a function could not be deployed.

use delivery_action::aws::CallError;
use delivery_action::failure::{ActionError, FailureType, JobError};
use delivery_action::job::Artifact;
use delivery_action::parameters::ParametersError;
use delivery_release::part::PartError;
use delivery_rollout::Failure;

/// Why a function could not be deployed.
#[derive(Debug, thiserror::Error)]
pub enum DeployAppError {
    /// An error that any action can meet.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The release cannot be deployed, or somebody else is deploying.
    #[error(transparent)]
    Part(Box<PartError>),
    /// The settings of the release's definition do not fit together.
    #[error(
        "the rollout that the definition in the release `{release}` describes cannot be carried out"
    )]
    Settings {
        /// The release.
        release: String,
        /// Which of them.
        source: ParametersError,
    },
    /// Lambda has read other code than the release has.
    #[error(
        "Lambda read other code than was expected from {artifact}: its `CodeSha256` is {found}, not {expected}; no version was published"
    )]
    OtherCode {
        /// The artifact.
        artifact: Artifact,
        /// The digest that it must have.
        expected: String,
        /// The digest of what Lambda read.
        found: String,
    },
    /// The artifact does not begin as a zip does.
    #[error("input artifact {artifact} is not a zip file with at least one entry")]
    NotAZip {
        /// The artifact.
        artifact: Artifact,
    },
    /// Lambda may not read the artifact.
    #[error("Lambda may not read input artifact {artifact}")]
    ArtifactDenied {
        /// The artifact.
        artifact: Artifact,
        /// What Lambda said.
        source: Box<CallError>,
    },
    /// Lambda rejected the artifact as code.
    #[error("Lambda rejected input artifact {artifact} as code")]
    CodeRefused {
        /// The artifact.
        artifact: Artifact,
        /// What Lambda said.
        source: Box<CallError>,
    },
    /// There is no such function.
    #[error("function `{function}` does not exist")]
    FunctionMissing {
        /// The function.
        function: String,
        /// What Lambda said.
        source: Box<CallError>,
    },
    /// Lambda accepted the code but cannot run it.
    #[error("Lambda could not make `{what}` ready to run: {code}: {reason}")]
    NotReady {
        /// The function.
        what: String,
        /// Lambda's reason code.
        code: String,
        /// Lambda's reason.
        reason: String,
    },
    /// The function does not stop updating.
    #[error("function `{function}` has been updating for {minutes} minutes")]
    NeverSettles {
        /// The function.
        function: String,
        /// How long the action waited.
        minutes: u64,
    },
    /// Another deployment changes the function's code.
    #[error("another deployment keeps changing the code of function `{function}`")]
    CodeChanged {
        /// The function.
        function: String,
    },
    /// Another deployment moved the alias since the action began.
    #[error(
        "alias `{alias}` was moved by another deployment: it {} when this action began and is on \
         version {found} now, so it was not moved to version {version}",
        began.as_ref().map_or_else(|| "did not exist".to_owned(), |began| format!("was on version {began}"))
    )]
    AliasMoved {
        /// `function:alias`.
        alias: String,
        /// Its version when the action began; `None` if it was missing.
        began: Option<String>,
        /// Its version now.
        found: String,
        /// The version that this action deploys.
        version: String,
    },
    /// The alias splits its traffic between versions, and this action did not set that up.
    #[error(
        "alias `{alias}` splits its traffic: it is on version {found}, with {weights}, so it was not moved \
         to version {version}"
    )]
    AliasShared {
        /// `function:alias`.
        alias: String,
        /// Its version.
        found: String,
        /// The other versions and their weights: `10 % on version 8`.
        weights: String,
        /// The version that this action deploys.
        version: String,
    },
    /// Lambda does not finish allocating the alias's provisioned concurrency.
    #[error(
        "Lambda has been moving the provisioned concurrency of alias `{alias}` to version {found} for \
         {minutes} minutes"
    )]
    ProvisioningNeverEnds {
        /// `function:alias`.
        alias: String,
        /// The alias's version.
        found: String,
        /// How long the action waited.
        minutes: u64,
    },
    /// A rollout failed; the alias is as its text says.
    #[error("the rollout of version {version} to alias `{alias}` failed: {failure}")]
    Rollout {
        /// `function:alias`.
        alias: String,
        /// The version that this action deploys.
        version: String,
        /// Why.
        failure: Failure,
    },
    /// A rollout failed, and Lambda does not let it be put back.
    #[error(
        "alias `{alias}` still gives traffic to the version that failed, because it could not be put back on version \
         {stable}: {why}"
    )]
    NotPutBack {
        /// `function:alias`.
        alias: String,
        /// The version that should have all traffic.
        stable: String,
        /// Why it should be put back.
        why: String,
        /// What Lambda said.
        source: Box<CallError>,
    },
    /// Lambda published a version and returned no number.
    #[error("Lambda published a version of function `{function}` but returned no version number")]
    NoVersion {
        /// The function.
        function: String,
    },
}

delivery_action::wraps_job_error!(DeployAppError);

impl From<PartError> for DeployAppError {
    fn from(error: PartError) -> Self {
        Self::Part(Box::new(error))
    }
}

impl ActionError for DeployAppError {
    fn failure_type(&self) -> FailureType {
        match self {
            Self::Job(error) => error.failure_type(),
            Self::Part(error) => error.failure_type(),
            Self::Settings { source, .. } => source.failure_type(),
            Self::OtherCode { .. } => FailureType::RevisionUnavailable,
            Self::Rollout { failure, .. } => type_of(failure),
            Self::NotPutBack { source, .. } => source.failure_type(),
            Self::NotAZip { .. } | Self::CodeRefused { .. } | Self::NotReady { .. } => {
                FailureType::JobFailed
            }
            Self::ArtifactDenied { .. } => FailureType::PermissionError,
            Self::FunctionMissing { .. } => FailureType::ConfigurationError,
            Self::NeverSettles { .. }
            | Self::CodeChanged { .. }
            | Self::AliasMoved { .. }
            | Self::AliasShared { .. } => FailureType::RevisionOutOfSync,
            Self::NoVersion { .. } | Self::ProvisioningNeverEnds { .. } => {
                FailureType::SystemUnavailable
            }
        }
    }

    #[expect(clippy::too_many_lines, reason = "a list of every error")]
    fn hint(&self) -> Option<String> {
        match self {
            Self::Job(error) => error.hint(),
            Self::Part(error) => error.hint(),
            Self::Settings { .. } => {
                Some("correct the environment's settings in `delivery.toml` and deliver that commit".to_owned())
            }
            Self::OtherCode { .. } => Some(
                "find out who wrote it, restore the object's earlier version, then deploy the release again"
                    .to_owned(),
            ),
            Self::NotAZip { artifact } => Some(format!(
                "let the action that makes `{}` output the function's code as a directory, which is zipped \
                 for you, or as a zip file",
                artifact.name
            )),
            Self::ArtifactDenied { artifact, .. } => Some(format!(
                "allow `s3:GetObject` on `s3://{}/{}` (and `kms:Decrypt` on the bucket's key) for \
                 this function's role: Lambda reads the code with its caller's rights",
                artifact.bucket, artifact.key
            )),
            Self::CodeRefused { .. } => Some(
                "make the package a plain zip of at most 250 MB unzipped, in a bucket in the \
                 function's region"
                    .to_owned(),
            ),
            Self::FunctionMissing { .. } => Some(
                "correct `function` in `UserParameters`, or create the function first: this action \
                 only deploys code to existing functions"
                    .to_owned(),
            ),
            Self::NotReady { .. } => Some(
                "fix what the reason says (the function's role, key, network or code); the \
                 alias was not moved"
                    .to_owned(),
            ),
            Self::NeverSettles { .. } | Self::CodeChanged { .. } => {
                Some("stop the other deployments of this function, then retry the stage".to_owned())
            }
            Self::AliasMoved { .. } => Some(
                "check which release the alias should serve; retry the stage to move it to this \
                 one"
                .to_owned(),
            ),
            Self::AliasShared { alias, .. } => {
                let (function, name) = alias.rsplit_once(':').unwrap_or((alias, "ALIAS"));
                Some(format!(
                    "finish or stop that rollout (`aws lambda update-alias --function-name {function} --name \
                     {name} --routing-config AdditionalVersionWeights={{}}` stops it), then retry the stage"
                ))
            }
            Self::ProvisioningNeverEnds { .. } => Some(
                "retry the stage when `aws lambda get-provisioned-concurrency-config` for the alias \
                 says `READY`"
                    .to_owned(),
            ),
            Self::Rollout { failure, .. } => Some(hint_of(failure).to_owned()),
            Self::NotPutBack { alias, stable, .. } => {
                let (function, name) = alias.rsplit_once(':').unwrap_or((alias, "ALIAS"));
                Some(format!(
                    "the stack's guard tries again within 5 minutes; put it back yourself with `delivery rollout abort ENV` or \
                     `aws lambda update-alias --function-name {function} --name {name} --function-version {stable} \
                     --routing-config AdditionalVersionWeights={{}}`"
                ))
            }
            Self::NoVersion { .. } => Some("retry the stage".to_owned()),
        }
    }
}

fn type_of(failure: &Failure) -> FailureType {
    match failure {
        Failure::PutBack { .. }
        | Failure::PutBackByGuard { .. }
        | Failure::Aborted { .. }
        | Failure::Hook { .. }
        | Failure::Alarm(_) => FailureType::JobFailed,
        Failure::NoAlarm(_) | Failure::Unlike { .. } => FailureType::ConfigurationError,
        Failure::Unreadable(_) | Failure::Provisioning(_) => FailureType::SystemUnavailable,
        Failure::Busy(_) | Failure::Split { .. } | Failure::Changed { .. } => {
            FailureType::RevisionOutOfSync
        }
    }
}

fn hint_of(failure: &Failure) -> &'static str {
    match failure {
        Failure::PutBack { .. } | Failure::PutBackByGuard { .. } => {
            "fix what the reason says and release again; retrying the stage starts the rollout again"
        }
        Failure::Aborted { .. } => {
            "release again when the reason is gone; retrying the stage starts the rollout again"
        }
        Failure::Hook { .. } => "fix what the hook found and release again",
        Failure::Alarm(_) => {
            "wait until the alarm is quiet and retry the stage, or deploy the release that mends it with `fix-forward=on`"
        }
        Failure::NoAlarm(_) => "correct `alarms` in `UserParameters`, or create the alarm",
        Failure::Unlike { .. } => {
            "release the new role or queue first, with the old code and all traffic at once (`strategy=all-at-once`, or no \
             `rollout` in `delivery.toml`), and then the new code in steps; or release both at once"
        }
        Failure::Unreadable(_) => {
            "allow `cloudwatch:DescribeAlarms` and `cloudwatch:GetMetricData` for this function's role, then retry the stage"
        }
        Failure::Provisioning(_) => {
            "retry the stage when `aws lambda get-provisioned-concurrency-config` for the alias says `READY`"
        }
        Failure::Busy(_) => "wait until that rollout is over, or end it, then retry the stage",
        Failure::Split { .. } => "finish or stop what splits the traffic, then retry the stage",
        Failure::Changed { .. } => {
            "check which release the alias should serve; retry the stage to roll this one out"
        }
    }
}
