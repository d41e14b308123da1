//! The `UserParameters` that each deploy action has when it deploys from a release.

use std::collections::BTreeMap;
use std::time::Duration;

use delivery_action::execution::Execution;
use delivery_action::parameters::{HumanDuration, ParametersError, UserParameters};
use delivery_definition::Reference;
use delivery_definition::names::{EnvironmentName, FAMILIES};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as ValueError;

use crate::environment::Action;
use crate::manifest::ReleaseId;

/// The bucket of releases: with it an action deploys from a release.
const RELEASES: &str = "releases";

/// What the keys of outputs begin with that only the pipeline knows: `Address.SERVICE.OUTPUT`.
const ADDRESS: &str = "Address.";

/// What a variable of a pipeline has that nobody has set.
const UNSET: &str = "-";

/// A release that is not given.
const NO_RELEASE: &str = "none";

/// What messages about an environment expect; values are never shown.
const ENVIRONMENT: &str = "the name of an environment, such as `int` or `dev-anna`";

/// How long another deployment is waited for, if nothing is said: as long as deploy-stack waits for a stack.
const DEFAULT_WAIT: Duration = Duration::from_hours(1);

/// What is deployed where, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseParams {
    /// The bucket of releases.
    pub releases: String,
    /// The release; `None` where the pipeline was started without one.
    pub release: Option<ReleaseId>,
    /// The environment.
    pub environment: EnvironmentName,
    /// The service.
    pub service: String,
    /// What is done to the environment.
    pub kind: Kind,
    /// On whose behalf.
    pub by: Option<String>,
    /// Why, where a person said so.
    pub reason: Option<String>,
    /// The environment, or the family, whose tests the release has to pass before.
    pub verified_in: Option<String>,
    /// Whether a release is deployed that did not pass them.
    pub unverified: bool,
    /// How long another deployment is waited for, over all jobs of the action.
    pub wait: Duration,
    /// Outputs of services that no stack has, such as the address of an app's API.
    pub addresses: BTreeMap<Reference, String>,
    /// The pipeline execution that deploys.
    pub execution: Execution,
}

/// What is done to an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A release is applied.
    Deploy,
    /// What another environment has is applied.
    Promote {
        /// The other environment.
        from: String,
    },
    /// What was there before is applied.
    Rollback,
}

impl Kind {
    /// What is recorded.
    pub(super) fn action(&self, release: &ReleaseId) -> Action {
        let release = release.clone();
        match self {
            Self::Deploy => Action::Deploy { release },
            Self::Promote { from } => Action::Promote {
                release,
                from: from.clone(),
            },
            Self::Rollback => Action::Rollback {
                release: Some(release),
            },
        }
    }
}

impl ReleaseParams {
    /// Takes the keys out of the parameters; `None` where `releases` is not one of them, and the action deploys an artifact.
    ///
    /// # Errors
    ///
    /// One is missing, or is not valid.
    pub fn take(
        parameters: &mut UserParameters,
        execution: Option<&Execution>,
    ) -> Result<Option<Self>, ParametersError> {
        let Some(releases) = given(parameters.take(RELEASES)) else {
            return Ok(None);
        };
        let addresses = parameters.take_prefixed(ADDRESS)?;
        let addresses = addresses.into_iter().map(address);
        let addresses = addresses.collect::<Result<_, _>>()?;
        let mut take = |key: &str| given(parameters.take(key));
        let release = match take("release") {
            None => return Err(missing("release")),
            Some(text) if text == NO_RELEASE => None,
            Some(text) => Some(text.parse().map_err(|_| {
                let expected = "the id of a release: 16 hexadecimal digits, or `none`";
                invalid("release", expected)
            })?),
        };
        let name = take("environment").ok_or_else(|| missing("environment"))?;
        let environment = environment(&name, take("instance"))?;
        let service = take("service").ok_or_else(|| missing("service"))?;
        let (kind, from) = (take("kind"), take("from"));
        let kind = match (kind.as_deref(), from) {
            (None | Some("deploy"), _) => Kind::Deploy,
            (Some("promote"), Some(from)) => Kind::Promote { from },
            (Some("promote"), None) => return Err(missing("from")),
            (Some("rollback"), _) => Kind::Rollback,
            (Some(_), _) => {
                let expected = "one of `deploy`, `promote`, `rollback`";
                return Err(invalid("kind", expected));
            }
        };
        let unverified = match take("unverified").as_deref() {
            None | Some("no") => false,
            Some("yes") => true,
            Some(_) => return Err(invalid("unverified", "one of `no`, `yes`")),
        };
        let wait = take("wait").map_or(Ok(DEFAULT_WAIT), |text| wait(&text))?;
        Ok(Some(Self {
            release,
            environment,
            service,
            kind,
            by: take("by"),
            reason: take("reason"),
            verified_in: take("verified-in").map(verified_in).transpose()?,
            unverified,
            wait,
            addresses,
            execution: execution.cloned().ok_or_else(|| missing("pipeline"))?,
            releases,
        }))
    }
}

/// What is said: neither nothing nor [`UNSET`].
fn given(value: Option<String>) -> Option<String> {
    let value = value.map(|text| text.trim().to_owned());
    value.filter(|text| !text.is_empty() && text != UNSET)
}

/// The environment, or with an execution's id the one that is that execution's own.
fn environment(name: &str, instance: Option<String>) -> Result<EnvironmentName, ParametersError> {
    if let Some(instance) = instance {
        let family = name.to_ascii_lowercase();
        if !FAMILIES.contains(&family.as_str()) {
            return Err(invalid(
                "environment",
                "the family of an execution's environment: `qa`",
            ));
        }
        let expected = "`#{codepipeline.PipelineExecutionId}`";
        let named = EnvironmentName::of_execution(&family, &instance);
        return named.ok_or_else(|| invalid("instance", expected));
    }
    EnvironmentName::parse(name).map_err(|_| invalid("environment", ENVIRONMENT))
}

fn address((name, value): (String, String)) -> Result<(Reference, String), ParametersError> {
    let (service, output) = name.split_once('.').ok_or_else(|| {
        let expected = "a service and its output, such as `Address.website.Url`";
        invalid(&format!("{ADDRESS}{name}"), expected)
    })?;
    let reference = Reference {
        service: service.to_owned(),
        output: output.to_owned(),
    };
    Ok((reference, value))
}

fn verified_in(name: String) -> Result<String, ParametersError> {
    if FAMILIES.contains(&name.as_str()) {
        return Ok(name);
    }
    match EnvironmentName::parse(&name) {
        Ok(name) => Ok(name.as_str().to_owned()),
        Err(_) => Err(invalid("verified-in", ENVIRONMENT)),
    }
}

fn wait(text: &str) -> Result<Duration, ParametersError> {
    let wait: Result<HumanDuration, ValueError> =
        HumanDuration::deserialize(text.into_deserializer());
    wait.map(|HumanDuration(wait)| wait)
        .map_err(|error| invalid("wait", &error.to_string()))
}

fn missing(key: &str) -> ParametersError {
    ParametersError::Missing {
        key: key.to_owned(),
    }
}

fn invalid(key: &str, expected: &str) -> ParametersError {
    ParametersError::Invalid {
        key: key.to_owned(),
        expected: expected.to_owned(),
    }
}
