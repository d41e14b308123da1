//! The action's `UserParameters`.

use std::collections::BTreeMap;
use std::time::Duration;

use delivery_action::artifact::Digest;
use delivery_action::execution::Execution;
use delivery_action::job::Job;
use delivery_action::parameters::{HumanDuration, ParametersError, Params, Switch, UserParameters};
use delivery_release::part::ReleaseParams;
use serde::{Deserialize, Deserializer, de};

/// What the keys of template parameters begin with.
const PARAMETER_PREFIX: &str = "Parameter.";

/// Where a definition is looked for.
const DEFINITION: &str = "delivery.toml";

/// How long an operation is waited for by default: databases and distributions take tens of minutes.
const DEFAULT_WAIT: Duration = Duration::from_hours(1);

/// Longest name of a stack, in characters (`API_CreateChangeSet`, `StackName`).
const MAX_STACK_CHARS: usize = 128;

/// The capabilities there are (`API_CreateChangeSet`, `Capabilities`).
const CAPABILITIES: [&str; 3] = [
    "CAPABILITY_IAM",
    "CAPABILITY_NAMED_IAM",
    "CAPABILITY_AUTO_EXPAND",
];

/// The parameters of `deploy-stack`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeployStackParams {
    /// What is deployed.
    pub target: TargetParams,
    /// Parameters of the template; they override all others.
    pub parameters: BTreeMap<String, String>,
    /// The other parameters.
    pub common: CommonParams,
    /// The pipeline execution; if it has ended, the job changes nothing more.
    pub execution: Option<Execution>,
}

/// What is deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetParams {
    /// What the artifacts have.
    Artifact(ArtifactTarget),
    /// A service that a release has.
    Release(Box<ReleaseParams>),
}

/// What is deployed of the artifacts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArtifactTarget {
    /// A template of the first artifact, to a stack of this name.
    Template {
        /// The stack's name.
        stack: String,
        /// The template's path.
        template: String,
    },
    /// A service that a definition has, to one of its environments.
    Service {
        /// The environment.
        environment: String,
        /// The service.
        service: String,
        /// The definition's path.
        definition: String,
    },
}

/// The parameters that all kinds of target have.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CommonParams {
    /// What the template may do that CloudFormation asks about.
    pub capabilities: Option<Capabilities>,
    /// The resources that hold data and may be replaced or removed.
    pub allow: Option<Names>,
    /// How long an operation is waited for, over all jobs of the action.
    #[serde(default = "default_wait")]
    pub wait: HumanDuration,
    /// Whether a rollback that failed is continued once.
    #[serde(default = "off")]
    pub continue_rollback: Switch,
    /// The bucket for packages; a release is packaged.
    pub bucket: Option<String>,
    /// The role that CloudFormation works with.
    pub role: RoleArn,
    /// The permissions boundary of the roles that the template makes.
    pub boundary: Option<String>,
    /// The source revision, for messages.
    pub revision: Option<String>,
    /// The digest of the first artifact; any other is refused.
    pub digest: Option<Digest>,
}

fn default_wait() -> HumanDuration {
    HumanDuration(DEFAULT_WAIT)
}

fn off() -> Switch {
    Switch::Off
}

impl Params for DeployStackParams {
    fn from_user_parameters(
        mut parameters: UserParameters,
        _job: &Job,
    ) -> Result<Self, ParametersError> {
        let execution = Execution::take(&mut parameters)?;
        let values = parameters.take_prefixed(PARAMETER_PREFIX)?;
        let release = ReleaseParams::take(&mut parameters, execution.as_ref())?;
        let [stack, template, environment, service, definition] =
            ["stack", "template", "environment", "service", "definition"]
                .map(|key| parameters.take(key));
        let common: CommonParams = parameters.deserialize()?;
        let target = if let Some(release) = release {
            refuse(
                "no value next to `releases`: the release says it",
                [
                    ("stack", stack.is_some()),
                    ("template", template.is_some()),
                    ("definition", definition.is_some()),
                    ("bucket", common.bucket.is_some()),
                    ("boundary", common.boundary.is_some()),
                    ("revision", common.revision.is_some()),
                    ("digest", common.digest.is_some()),
                ],
            )?;
            TargetParams::Release(Box::new(release))
        } else if stack.is_some() || template.is_some() {
            refuse(
                "no value next to `stack` and `template`",
                [
                    ("environment", environment.is_some()),
                    ("service", service.is_some()),
                    ("definition", definition.is_some()),
                ],
            )?;
            TargetParams::Artifact(ArtifactTarget::Template {
                stack: stack_name(required("stack", stack)?)?,
                template: required("template", template)?,
            })
        } else {
            TargetParams::Artifact(ArtifactTarget::Service {
                environment: required("environment", environment)?,
                service: required("service", service)?,
                definition: definition.unwrap_or_else(|| DEFINITION.to_owned()),
            })
        };
        let common = match &target {
            // The one `wait` of the action is for both: another deployment, and the stack.
            TargetParams::Release(release) => CommonParams {
                wait: HumanDuration(release.wait),
                ..common
            },
            TargetParams::Artifact(_) => CommonParams {
                bucket: Some(required("bucket", common.bucket)?),
                ..common
            },
        };
        Ok(Self {
            target,
            parameters: values,
            common,
            execution,
        })
    }
}

/// Fails if one of these keys is given.
fn refuse(
    expected: &str,
    keys: impl IntoIterator<Item = (&'static str, bool)>,
) -> Result<(), ParametersError> {
    let mut given = keys.into_iter().filter(|(_, is_given)| *is_given);
    match given.next() {
        Some((key, _)) => Err(invalid(key, expected)),
        None => Ok(()),
    }
}

fn required(key: &str, value: Option<String>) -> Result<String, ParametersError> {
    let value = value.ok_or_else(|| ParametersError::Missing {
        key: key.to_owned(),
    })?;
    if value.is_empty() {
        return Err(invalid(key, "a value"));
    }
    Ok(value)
}

fn invalid(key: &str, expected: &str) -> ParametersError {
    ParametersError::Invalid {
        key: key.to_owned(),
        expected: expected.to_owned(),
    }
}

fn stack_name(name: String) -> Result<String, ParametersError> {
    let fits = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.len() <= MAX_STACK_CHARS
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if fits {
        return Ok(name);
    }
    Err(invalid(
        "stack",
        "the name of a stack: at most 128 letters, digits and `-`, the first one a letter",
    ))
}

/// Capabilities, in CloudFormation's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities(pub Vec<String>);

impl<'de> Deserialize<'de> for Capabilities {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = list(&String::deserialize(deserializer)?);
        if names
            .iter()
            .all(|name| CAPABILITIES.contains(&name.as_str()))
        {
            return Ok(Self(names));
        }
        Err(de::Error::custom(
            "`CAPABILITY_IAM`, `CAPABILITY_NAMED_IAM` and `CAPABILITY_AUTO_EXPAND`, joined by commas",
        ))
    }
}

/// Logical names of resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names(pub Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(list(&String::deserialize(deserializer)?)))
    }
}

fn list(text: &str) -> Vec<String> {
    let names = text.split(',').map(str::trim);
    let names = names.filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

/// The ARN of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleArn(String);

impl RoleArn {
    /// The ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for RoleArn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let arn = String::deserialize(deserializer)?;
        if arn.starts_with("arn:") && arn.contains(":iam::") && arn.contains(":role/") {
            return Ok(Self(arn));
        }
        Err(de::Error::custom("the ARN of a role"))
    }
}
