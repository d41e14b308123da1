//! A pipeline's declaration, as `CreatePipeline` takes it and `GetPipeline` gives it back.
//!
//! Members that the engine does not act on (conditions, triggers) are kept as they came, so that what is
//! read is what was written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A pipeline (`PipelineDeclaration`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PipelineDeclaration {
    /// Unique in account and region.
    pub name: String,
    /// The service role; kept, not assumed.
    pub role_arn: String,
    /// Where artifacts are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_store: Option<ArtifactStore>,
    /// Where artifacts are kept, by region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_stores: Option<BTreeMap<String, ArtifactStore>>,
    /// The stages in order; the first holds the sources.
    pub stages: Vec<StageDeclaration>,
    /// Set by the engine: 1, and one more with each update.
    #[serde(default = "first_version")]
    pub version: u32,
    /// How executions share the stages.
    #[serde(default)]
    pub execution_mode: ExecutionMode,
    /// `V1` unless a member that needs `V2` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline_type: Option<PipelineType>,
    /// Variables of the whole pipeline.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<VariableDeclaration>,
    /// Git triggers, kept as they came.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<Value>,
}

fn first_version() -> u32 {
    1
}

impl PipelineDeclaration {
    /// The artifact store of a region.
    #[must_use]
    pub fn store(&self, region: &str) -> Option<&ArtifactStore> {
        let regional = self
            .artifact_stores
            .as_ref()
            .and_then(|stores| stores.get(region));
        self.artifact_store.as_ref().or(regional)
    }

    /// A stage and its place.
    #[must_use]
    pub fn stage(&self, name: &str) -> Option<(usize, &StageDeclaration)> {
        self.stages
            .iter()
            .enumerate()
            .find(|(_, stage)| stage.name == name)
    }
}

/// An S3 bucket for artifacts (`ArtifactStore`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactStore {
    /// Always `S3`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The bucket.
    pub location: String,
    /// A customer's key; `None` means the service's default key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption_key: Option<EncryptionKey>,
}

/// A KMS key (`EncryptionKey`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncryptionKey {
    /// Key id, key ARN or alias ARN.
    pub id: String,
    /// Always `KMS`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// How executions share the stages of a pipeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ExecutionMode {
    /// One waits at a stage's entrance; a newer arrival replaces it.
    #[default]
    Superseded,
    /// All wait in line, first come first served.
    Queued,
    /// None waits for another.
    Parallel,
}

/// Which features a pipeline may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PipelineType {
    /// The first type.
    V1,
    /// With variables, triggers, execution modes and retries.
    V2,
}

/// A stage (`StageDeclaration`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StageDeclaration {
    /// Unique in the pipeline.
    pub name: String,
    /// Reserved by AWS; kept as they came.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blockers: Vec<Value>,
    /// The actions; their order is that of `runOrder`, not of this list.
    pub actions: Vec<ActionDeclaration>,
    /// What follows a failure; only `RETRY` is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<FailureConditions>,
    /// Refused by the engine where present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_success: Option<Value>,
    /// Refused by the engine where present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_entry: Option<Value>,
}

impl StageDeclaration {
    /// The mode of the one automatic retry; `None` without one.
    #[must_use]
    pub fn automatic_retry(&self) -> Option<RetryMode> {
        let on_failure = self.on_failure.as_ref()?;
        let configured = on_failure
            .retry_configuration
            .as_ref()
            .and_then(|retry| retry.retry_mode);
        match on_failure.result.as_deref() {
            Some("RETRY") => Some(configured.unwrap_or(RetryMode::FailedActions)),
            _ => None,
        }
    }
}

/// What follows a stage's failure (`FailureConditions`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailureConditions {
    /// `RETRY`, or what the engine refuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// How to retry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_configuration: Option<RetryConfiguration>,
    /// Refused by the engine where present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Value>,
}

/// How a stage is retried (`RetryConfiguration`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RetryConfiguration {
    /// The mode; AWS's default is the failed actions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_mode: Option<RetryMode>,
}

/// Which actions a retry runs again (`StageRetryMode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RetryMode {
    /// Those that failed, and what was to follow them.
    FailedActions,
    /// All of the stage.
    AllActions,
}

/// An action (`ActionDeclaration`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActionDeclaration {
    /// Unique in the stage.
    pub name: String,
    /// What does the work.
    pub action_type_id: ActionTypeId,
    /// Smallest first; equal values run in parallel.
    #[serde(default = "first_run_order")]
    pub run_order: u32,
    /// The provider's settings, variables not yet resolved.
    #[serde(default)]
    pub configuration: BTreeMap<String, String>,
    /// Artifacts that the action makes.
    #[serde(default)]
    pub output_artifacts: Vec<ArtifactName>,
    /// Artifacts that the action needs.
    #[serde(default)]
    pub input_artifacts: Vec<ArtifactName>,
    /// A role for this action; kept, not assumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// The action's region; the engine serves only its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Where the action's output variables are found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Only for a manual approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_in_minutes: Option<u32>,
    /// What a `Commands` action runs, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    /// Which variables of its environment a `Commands` action hands on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub output_variables: Vec<String>,
    /// What a `Commands` action's environment holds besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environment_variables: Vec<EnvironmentVariable>,
}

fn first_run_order() -> u32 {
    1
}

impl ActionDeclaration {
    /// The provider, where the engine serves it.
    #[must_use]
    pub fn provider(&self) -> Option<Provider> {
        let id = &self.action_type_id;
        match (&*id.category, &*id.owner, &*id.provider, &*id.version) {
            ("Source", "AWS", "CodeStarSourceConnection", "1") => Some(Provider::Connection),
            ("Invoke", "AWS", "Lambda", "1") => Some(Provider::Lambda),
            ("Approval", "AWS", "Manual", "1") => Some(Provider::Manual),
            ("Compute", "AWS", "Commands", "1") => Some(Provider::Commands),
            _ => None,
        }
    }
}

/// The providers that the engine serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// A source through a connection; a local repository or folder stands in.
    Connection,
    /// A Lambda function.
    Lambda,
    /// A person.
    Manual,
    /// Shell commands, run on this machine.
    Commands,
}

/// What does an action's work (`ActionTypeId`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionTypeId {
    /// `Source`, `Invoke`, `Approval`, ...
    pub category: String,
    /// `AWS`, `ThirdParty` or `Custom`.
    pub owner: String,
    /// The provider's name.
    pub provider: String,
    /// The provider's version.
    pub version: String,
}

/// An artifact by its name (`InputArtifact`, `OutputArtifact`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactName {
    /// Unique in the pipeline.
    pub name: String,
    /// Files of an output artifact; only for the `Commands` action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<String>>,
}

/// A variable of a `Commands` action's environment (`EnvironmentVariable`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentVariable {
    /// Its name.
    pub name: String,
    /// Its value, variables not yet resolved; of a secret, its name.
    pub value: String,
    /// `PLAINTEXT` unless given; the engine refuses `SECRETS_MANAGER`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// A pipeline variable (`PipelineVariableDeclaration`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VariableDeclaration {
    /// The key in `#{variables.key}`.
    pub name: String,
    /// The value where the start gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_value: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A tag of a pipeline (`Tag`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// At most 128 characters.
    pub key: String,
    /// At most 256 characters.
    pub value: String,
}
