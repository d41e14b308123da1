//! What the action is asked for: to publish a release, or to end the deployment of one.

use std::collections::{BTreeMap, BTreeSet};

use delivery_action::execution::Execution;
use delivery_action::job::Job;
use delivery_action::parameters::{ParametersError, Params, Switch, UserParameters};
use delivery_definition::names::EnvironmentName;
use delivery_release::digest::Digest;
use delivery_release::manifest::ReleaseId;
use serde::{Deserialize, Deserializer};

/// The prefix of the keys that say which artifact is whose.
const ARTIFACT_PREFIX: &str = "Artifact.";

/// Where the definition is looked for.
const DEFINITION: &str = "delivery.toml";

/// The parameters of `release`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReleaseParams {
    /// A release is published, or a part of one is packaged.
    Publish(Box<PublishParams>),
    /// The deployment of the pipeline's execution has ended with success.
    End(EndParams),
}

/// The parameters of a publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishParams {
    /// The bucket of releases.
    pub releases: String,
    /// The definition's path.
    pub config: String,
    /// What the release was built from: a commit.
    pub revision: String,
    /// The branch.
    pub branch: Option<String>,
    /// The repository.
    pub repository: Option<String>,
    /// The permissions boundary of the roles that templates make.
    pub boundary: Option<String>,
    /// The services that this action packages; all of the definition if it says nothing.
    pub services: Option<Vec<String>>,
    /// What the actions before have packaged.
    pub entries: Option<Digest>,
    /// Whether the release is published; otherwise another action goes on.
    pub last: Switch,
    /// Which artifact is whose: `website`, `shop.function`.
    pub artifacts: BTreeMap<String, String>,
    /// The pipeline execution.
    pub execution: Option<Execution>,
}

impl PublishParams {
    /// The artifacts that are a part of a service as they are: those of `SERVICE.PART`.
    pub(crate) fn taken_whole(&self) -> BTreeSet<&str> {
        let parts = self.artifacts.iter();
        let parts = parts.filter(|(key, _)| key.contains('.'));
        parts.map(|(_, artifact)| artifact.as_str()).collect()
    }
}

/// The parameters of an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndParams {
    /// The bucket of releases.
    pub releases: String,
    /// The environment.
    pub environment: EnvironmentName,
    /// The release that was asked for.
    pub release: ReleaseId,
    /// Whether the release counts as verified there from now on.
    pub verify: Switch,
    /// The pipeline execution that has deployed it.
    pub execution: Execution,
}

/// The keys of a publication that can be read one by one.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct PublishKeys {
    releases: String,
    #[serde(default = "definition")]
    config: String,
    revision: String,
    branch: Option<String>,
    repository: Option<String>,
    boundary: Option<String>,
    services: Option<Names>,
    entries: Option<DigestText>,
    #[serde(default = "on")]
    last: Switch,
}

/// The keys of an end.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndKeys {
    releases: String,
    release: ReleaseText,
    #[serde(default = "on")]
    verify: Switch,
}

fn definition() -> String {
    DEFINITION.to_owned()
}

fn on() -> Switch {
    Switch::On
}

impl Params for ReleaseParams {
    fn from_user_parameters(
        mut parameters: UserParameters,
        _job: &Job,
    ) -> Result<Self, ParametersError> {
        let execution = Execution::take(&mut parameters)?;
        let (end, instance) = (parameters.take("end"), parameters.take("instance"));
        if let Some(end) = end {
            let EndKeys {
                releases,
                release,
                verify,
            } = parameters.deserialize()?;
            return Ok(Self::End(EndParams {
                releases,
                environment: environment(&end, instance.as_deref())?,
                release: release.0,
                verify,
                execution: execution.ok_or_else(|| ParametersError::Missing {
                    key: "pipeline".to_owned(),
                })?,
            }));
        }
        if instance.is_some() {
            return Err(invalid("instance", "no value without `end`"));
        }
        for key in ["release", "verify"] {
            if parameters.take(key).is_some() {
                return Err(invalid(key, "no value without `end`"));
            }
        }
        let artifacts = parameters.take_prefixed(ARTIFACT_PREFIX)?;
        let keys: PublishKeys = parameters.deserialize()?;
        Ok(Self::Publish(Box::new(PublishParams {
            releases: keys.releases,
            config: keys.config,
            revision: keys.revision,
            branch: given(keys.branch),
            repository: given(keys.repository),
            boundary: given(keys.boundary),
            services: keys.services.map(|names| names.0),
            entries: keys.entries.map(|digest| digest.0),
            last: keys.last,
            artifacts,
            execution,
        })))
    }
}

/// A variable that the source does not have is empty.
fn given(value: Option<String>) -> Option<String> {
    value.filter(|text| !text.is_empty())
}

/// The environment, or with an execution's id the one that is that execution's own.
fn environment(name: &str, instance: Option<&str>) -> Result<EnvironmentName, ParametersError> {
    if let Some(instance) = instance {
        let expected = "`#{codepipeline.PipelineExecutionId}`";
        let named = EnvironmentName::of_execution(name, instance);
        return named.ok_or_else(|| invalid("instance", expected));
    }
    let expected = "the name of an environment, such as `int` or `dev-anna`";
    EnvironmentName::parse(name).map_err(|_| invalid("end", expected))
}

fn invalid(key: &str, expected: &str) -> ParametersError {
    ParametersError::Invalid {
        key: key.to_owned(),
        expected: expected.to_owned(),
    }
}

/// Names of services, joined by commas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names(pub Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let names = text.split(',').map(str::trim);
        let names: Vec<_> = names.filter(|name| !name.is_empty()).collect();
        if names.is_empty() {
            return Err(serde::de::Error::custom(
                "names of services, joined by commas",
            ));
        }
        Ok(Self(names.into_iter().map(str::to_owned).collect()))
    }
}

#[derive(Debug)]
struct DigestText(Digest);

impl<'de> Deserialize<'de> for DigestText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let expected = "the variable `Entries` of the action before";
        let digest = text.parse().map_err(|_| serde::de::Error::custom(expected));
        digest.map(Self)
    }
}

#[derive(Debug)]
struct ReleaseText(ReleaseId);

impl<'de> Deserialize<'de> for ReleaseText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let expected = "the id of a release: 16 hexadecimal digits";
        let release = text.parse().map_err(|_| serde::de::Error::custom(expected));
        release.map(Self)
    }
}
