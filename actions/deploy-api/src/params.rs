//! The action's `UserParameters`.

use std::collections::BTreeMap;

use delivery_action::artifact::Digest;
use delivery_action::execution::Execution;
use delivery_action::job::Job;
use delivery_action::parameters::{ParametersError, Params, UserParameters};
use delivery_release::part::ReleaseParams;
use serde::Deserialize;

/// The prefix of the keys of stage variables.
const VARIABLE: &str = "Variable.";

/// Longest name of a stage variable (API Gateway Developer Guide, "Quotas for configuring and running
/// a REST API").
const MAX_VARIABLE_NAME_CHARS: usize = 64;

/// Longest value of a stage variable (the same page).
const MAX_VARIABLE_VALUE_CHARS: usize = 512;

/// Longest name of a stage (API Gateway: "Stage names can have up to 128 characters").
const MAX_STAGE_CHARS: usize = 128;

/// The characters that the value of a stage variable may have besides letters and digits
/// (`API_CreateStage`, `variables`).
const VARIABLE_VALUE_SIGNS: &str = "-._~:/?#&=,";

/// Most characters of a revision in a deployment's description; a commit id has 40 or 64.
const MAX_REVISION_CHARS: usize = 100;

/// The parameters of `deploy-api`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeployApiParams {
    /// The API's id or its name.
    pub api: String,
    /// The stage's name.
    pub stage: String,
    /// The source revision, for the deployment's description.
    pub revision: Option<String>,
    /// Stage variables by name.
    pub variables: BTreeMap<String, String>,
    /// The digest of the artifact that was built and tested; any other artifact is refused.
    pub digest: Option<Digest>,
    /// The pipeline execution; if it has ended, the job changes nothing more.
    pub execution: Option<Execution>,
    /// The release that is deployed, instead of an artifact.
    pub release: Option<ReleaseParams>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Keys {
    api: String,
    stage: String,
    revision: Option<String>,
    #[serde(default, deserialize_with = "Digest::deserialize_whole")]
    digest: Option<Digest>,
}

impl Params for DeployApiParams {
    fn from_user_parameters(
        mut parameters: UserParameters,
        _job: &Job,
    ) -> Result<Self, ParametersError> {
        let variables = parameters.take_prefixed(VARIABLE)?;
        let execution = Execution::take(&mut parameters)?;
        let release = ReleaseParams::take(&mut parameters, execution.as_ref())?;
        let Keys {
            api,
            stage,
            revision,
            digest,
        } = parameters.deserialize()?;
        require(
            "api",
            !api.trim().is_empty(),
            "the id or the name of an API".to_owned(),
        )?;
        require(
            "stage",
            is_name(&stage, "-_", MAX_STAGE_CHARS),
            format!("1 to {MAX_STAGE_CHARS} letters, digits, `-` and `_`"),
        )?;
        for (name, value) in &variables {
            let key = format!("{VARIABLE}{name}");
            require(
                &key,
                is_name(name, "_", MAX_VARIABLE_NAME_CHARS),
                format!("a name of 1 to {MAX_VARIABLE_NAME_CHARS} letters, digits and `_`"),
            )?;
            require(
                &key,
                is_name(value, VARIABLE_VALUE_SIGNS, MAX_VARIABLE_VALUE_CHARS),
                format!(
                    "a value of 1 to {MAX_VARIABLE_VALUE_CHARS} letters, digits and \
                     `{VARIABLE_VALUE_SIGNS}`"
                ),
            )?;
        }
        for (key, is_set) in [
            ("revision", revision.is_some()),
            ("digest", digest.is_some()),
        ] {
            let expected = "no value next to `releases`: the release says it";
            require(key, release.is_none() || !is_set, expected.to_owned())?;
        }
        let revision = revision
            .filter(|revision| !revision.is_empty())
            .map(|revision| revision.chars().take(MAX_REVISION_CHARS).collect());
        Ok(Self {
            api,
            stage,
            revision,
            variables,
            digest,
            execution,
            release,
        })
    }
}

fn require(key: &str, valid: bool, expected: String) -> Result<(), ParametersError> {
    if valid {
        return Ok(());
    }
    Err(ParametersError::Invalid {
        key: key.to_owned(),
        expected,
    })
}

fn is_name(text: &str, signs: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || signs.contains(c))
}

#[cfg(test)]
mod tests {
    use delivery_testing::events::invocation;
    use serde_json::json;
    use test_case::test_case;

    use super::*;

    fn read(text: &str) -> Result<DeployApiParams, ParametersError> {
        let event = json!({"CodePipeline.job": {"id": "1", "data": {}}});
        let job = Job::from_event(&event, invocation()).unwrap();
        DeployApiParams::from_user_parameters(UserParameters::parse(Some(text))?, &job)
    }

    #[test]
    fn all_keys_are_read() {
        let text =
            "api=a1b2c3&stage=prod&revision=abc&Variable.alias=prod&Variable.url=http://x/?a";
        let expected = DeployApiParams {
            api: "a1b2c3".to_owned(),
            stage: "prod".to_owned(),
            revision: Some("abc".to_owned()),
            variables: [("alias", "prod"), ("url", "http://x/?a")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            digest: None,
            execution: None,
            release: None,
        };
        assert_eq!(read(text), Ok(expected));
    }

    #[test_case("stage=prod", "`UserParameters` lacks `api`")]
    #[test_case("api=a", "`UserParameters` lacks `stage`")]
    #[test_case(
        "api=a&stage=p&x=1",
        "`UserParameters` has an unknown key `x`; known keys are `api`, `stage`, `revision`, `digest`, `Variable.NAME`, `pipeline`, `execution`, `releases`"
    )]
    #[test_case(
        "api=a&stage=a/b",
        "`stage` in `UserParameters` is not valid: expected 1 to 128 letters, digits, `-` and `_`"
    )]
    #[test_case(
        "api=+&stage=a",
        "`api` in `UserParameters` is not valid: expected the id or the name of an API"
    )]
    #[test_case(
        "api=a&stage=p&Variable.a-b=1",
        "`Variable.a-b` in `UserParameters` is not valid: expected a name of 1 to 64 letters, digits and `_`"
    )]
    #[test_case(
        "api=a&stage=p&Variable.a=%3C",
        "`Variable.a` in `UserParameters` is not valid: expected a value of 1 to 512 letters, digits and `-._~:/?#&=,`"
    )]
    fn what_is_wrong_is_named(text: &str, message: &str) {
        assert_eq!(read(text).unwrap_err().to_string(), message);
    }
}
