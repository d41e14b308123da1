//! The action's `UserParameters`.

use delivery_action::artifact::Digest;
use delivery_action::execution::Execution;
use delivery_action::job::Job;
use delivery_action::parameters::{ParametersError, Params, UserParameters};
use serde::{Deserialize, Deserializer, de};

/// Longest name, partial ARN or ARN of a function, in characters (`API_UpdateFunctionCode`).
const MAX_FUNCTION_CHARS: usize = 140;

/// Longest name of an alias, in characters (`API_CreateAlias`, `Name`).
const MAX_ALIAS_CHARS: usize = 128;

/// The parameters of `deploy-app`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DeployAppParams {
    /// The function to deploy to.
    pub function: FunctionName,
    /// The alias to move to the new version.
    pub alias: AliasName,
    /// The source revision, for the version's description.
    pub revision: Option<String>,
    /// How traffic moves.
    #[serde(default)]
    pub strategy: Strategy,
    /// The digest of the artifact that was built and tested; any other artifact is refused.
    #[serde(default, deserialize_with = "Digest::deserialize_whole")]
    pub digest: Option<Digest>,
    /// The pipeline execution; if it has ended, the job changes nothing more.
    #[serde(skip)]
    pub execution: Option<Execution>,
}

impl Params for DeployAppParams {
    fn from_user_parameters(
        mut parameters: UserParameters,
        _job: &Job,
    ) -> Result<Self, ParametersError> {
        let execution = Execution::take(&mut parameters)?;
        Ok(Self {
            execution,
            ..parameters.deserialize()?
        })
    }
}

/// Name, partial ARN or ARN of a function, without a version or alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionName(String);

impl FunctionName {
    /// The name as Lambda takes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for FunctionName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '.');
        let short = name.chars().count() <= MAX_FUNCTION_CHARS;
        if name.is_empty() || !short || !name.chars().all(known) || is_qualified(&name) {
            return Err(de::Error::custom(
                "the name or ARN of a function, without a version or alias",
            ));
        }
        Ok(Self(name))
    }
}

/// Whether a version or alias follows the name: `name:q`, `account:function:name:q` or an ARN of
/// eight parts.
fn is_qualified(name: &str) -> bool {
    let after = name
        .rsplit_once(":function:")
        .map_or(name, |(_, after)| after);
    after
        .strip_prefix("function:")
        .unwrap_or(after)
        .contains(':')
}

/// The name of an alias: letters, digits, `-` and `_`, not digits alone (`API_CreateAlias`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasName(String);

impl AliasName {
    /// The name as Lambda takes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for AliasName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let is_version = name.chars().all(|c| c.is_ascii_digit());
        if is_version || name.len() > MAX_ALIAS_CHARS || !name.chars().all(known) {
            return Err(de::Error::custom(
                "the name of an alias: letters, digits, `-` and `_`, not digits alone",
            ));
        }
        Ok(Self(name))
    }
}

/// How traffic moves to the new version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// All of it, in one call.
    #[default]
    AllAtOnce,
}

impl<'de> Deserialize<'de> for Strategy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "all-at-once" => Ok(Self::AllAtOnce),
            name if name.starts_with("canary:") || name.starts_with("linear:") => Err(
                de::Error::custom("`all-at-once`; `canary` and `linear` are not available yet"),
            ),
            _ => Err(de::Error::custom("`all-at-once`")),
        }
    }
}
