//! The action's `UserParameters`.

use delivery_action::execution::Execution;
use delivery_action::job::Job;
use delivery_action::parameters::{ParametersError, Params, UserParameters};
use delivery_definition::names::EnvironmentName;

/// The keys of `UserParameters`.
const ENVIRONMENT: &str = "environment";
const INSTANCE: &str = "instance";
const PIPELINE: &str = "pipeline";

/// The parameters of `undeploy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UndeployParams {
    /// The environment that is removed.
    pub environment: EnvironmentName,
    /// The pipeline execution that removes it.
    pub execution: Execution,
}

impl Params for UndeployParams {
    fn from_user_parameters(
        mut parameters: UserParameters,
        _job: &Job,
    ) -> Result<Self, ParametersError> {
        let execution = Execution::take(&mut parameters)?;
        let environment = parameters.take(ENVIRONMENT);
        let instance = parameters.take(INSTANCE);
        let _no_more: NoMore = parameters.deserialize()?;
        let environment = environment.ok_or_else(|| ParametersError::Missing {
            key: ENVIRONMENT.to_owned(),
        })?;
        let invalid = |key: &str, expected: &str| ParametersError::Invalid {
            key: key.to_owned(),
            expected: expected.to_owned(),
        };
        let environment = match instance {
            None => EnvironmentName::parse(&environment).map_err(|_| {
                invalid(
                    ENVIRONMENT,
                    "the name of an environment, such as `dev-anna`",
                )
            })?,
            Some(execution) => EnvironmentName::of_execution(&environment, &execution)
                .ok_or_else(|| invalid(INSTANCE, "`#{codepipeline.PipelineExecutionId}`"))?,
        };
        // A job that comes late would remove what was made anew, so undeploy alone has to know.
        let execution = execution.ok_or_else(|| ParametersError::Missing {
            key: PIPELINE.to_owned(),
        })?;
        Ok(Self {
            environment,
            execution,
        })
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct NoMore {}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;
    use delivery_action::job::Job;
    use delivery_testing::events::{JobEvent, invocation};

    fn read(text: &str) -> Result<UndeployParams, ParametersError> {
        let job = Job::from_event(&JobEvent::new().build(), invocation()).unwrap();
        UndeployParams::from_user_parameters(UserParameters::parse(Some(text)).unwrap(), &job)
    }

    #[test_case("environment=DEV-anna&pipeline=shop&execution=1f09ab3c-1", "dev-anna"; "in any case")]
    #[test_case("environment=qa&instance=0A1b2c3d-1111-2222-3333-444455556666&pipeline=shop&execution=1f09ab3c-1", "qa-0a1b2c3d"; "of an execution")]
    fn the_environment_is_named(text: &str, name: &str) {
        assert_eq!(read(text).unwrap().environment.as_str(), name);
    }

    #[test_case("", "`UserParameters` lacks `environment`"; "none")]
    #[test_case("environment=dev-anna", "`UserParameters` lacks `pipeline`"; "no execution")]
    #[test_case("environment=dev", "`environment` in `UserParameters` is not valid: expected the name of an environment, such as `dev-anna`"; "a family")]
    #[test_case("environment=qa&instance=1", "`instance` in `UserParameters` is not valid: expected `#{codepipeline.PipelineExecutionId}`"; "no id of an execution")]
    fn what_is_wrong_is_named(text: &str, message: &str) {
        assert_eq!(read(text).unwrap_err().to_string(), message);
    }
}
