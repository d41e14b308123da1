//! Checks that the pipeline execution an action works for is still running.
//!
//! Problem: Lambda may deliver a job again minutes later, and CodePipeline does not stop a function whose execution was
//! abandoned. By then a newer release may be live, and the late job would roll it back.
//!
//! Solution (`docs/decisions/0150-late-jobs-change-nothing.md`): an action asks CodePipeline directly before each
//! change that users can see. While the execution runs, its stage is locked, so no other execution can be deploying.
//! Without the execution's id in `UserParameters`, nothing is asked.

use crate::aws::SdkConfig;
use aws_sdk_codepipeline::Client;
use aws_sdk_codepipeline::types::PipelineExecutionStatus as Status;

use crate::aws::CallError;
use crate::failure::{ActionError, FailureType};
use crate::parameters::{ParametersError, UserParameters};

/// The keys of `UserParameters`.
const PIPELINE: &str = "pipeline";
const EXECUTION: &str = "execution";

/// Longest name of a pipeline, in characters (`API_GetPipelineExecution`, `pipelineName`).
const MAX_PIPELINE_CHARS: usize = 100;

/// One execution of a pipeline, as `pipeline` and `execution` in `UserParameters` name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    pipeline: String,
    id: String,
}

impl Execution {
    /// Takes both keys out of the parameters; `None` if neither is given.
    ///
    /// # Errors
    ///
    /// [`ParametersError`] if one is given without the other, or is not valid.
    pub fn take(parameters: &mut UserParameters) -> Result<Option<Self>, ParametersError> {
        let missing = |key: &str| ParametersError::Missing {
            key: key.to_owned(),
        };
        let invalid = |key: &str, expected: &str| ParametersError::Invalid {
            key: key.to_owned(),
            expected: expected.to_owned(),
        };
        let (pipeline, id) = match (parameters.take(PIPELINE), parameters.take(EXECUTION)) {
            (None, None) => return Ok(None),
            (Some(pipeline), Some(id)) => (pipeline, id),
            (Some(_), None) => return Err(missing(EXECUTION)),
            (None, Some(_)) => return Err(missing(PIPELINE)),
        };
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '@' | '-' | '_');
        if pipeline.is_empty()
            || pipeline.len() > MAX_PIPELINE_CHARS
            || !pipeline.chars().all(named)
        {
            return Err(invalid(PIPELINE, "the name of a pipeline"));
        }
        let is_id = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if id.is_empty() || !id.chars().all(is_id) {
            return Err(invalid(EXECUTION, "`#{codepipeline.PipelineExecutionId}`"));
        }
        Ok(Some(Self { pipeline, id }))
    }

    /// The name of its pipeline.
    #[must_use]
    pub fn pipeline(&self) -> &str {
        &self.pipeline
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// Asks CodePipeline whether an execution is still running.
#[derive(Clone, Debug)]
pub struct ExecutionCheck {
    client: Client,
    execution: Option<Execution>,
}

impl ExecutionCheck {
    /// A check, which always passes if there is no execution.
    #[must_use]
    pub fn new(config: &SdkConfig, execution: Option<&Execution>) -> Self {
        Self {
            client: Client::new(config),
            execution: execution.cloned(),
        }
    }

    /// Succeeds only if the execution is still running, which means that its stage is locked and no other execution
    /// is in it. Call this directly before each change that users can see.
    ///
    /// # Errors
    ///
    /// [`ExecutionError`] if the execution has ended, or its state cannot be determined.
    pub async fn still_runs(&self) -> Result<(), ExecutionError> {
        let Some(Execution { pipeline, id }) = &self.execution else {
            return Ok(());
        };
        let sent = self
            .client
            .get_pipeline_execution()
            .pipeline_name(pipeline)
            .pipeline_execution_id(id)
            .send()
            .await;
        let answer = sent.map_err(|error| {
            let source = CallError::new("codepipeline:GetPipelineExecution", pipeline, &error);
            let missing = [
                "PipelineExecutionNotFoundException",
                "PipelineNotFoundException",
            ];
            if missing.iter().any(|code| source.is_code(code)) {
                ExecutionError::NotFound {
                    pipeline: pipeline.clone(),
                    execution: id.clone(),
                    source: Box::new(source),
                }
            } else {
                ExecutionError::Call(Box::new(source))
            }
        })?;
        let status = answer
            .pipeline_execution()
            .and_then(|execution| execution.status());
        match status {
            // `Stopping` keeps the stage's lock and lets running actions finish. An abandoned execution becomes
            // `Stopped` before another one can enter the stage.
            Some(Status::InProgress | Status::Stopping) => Ok(()),
            other => Err(ExecutionError::Ended {
                pipeline: pipeline.clone(),
                execution: id.clone(),
                status: other.map_or("unknown", Status::as_str).to_owned(),
            }),
        }
    }
}

/// Why an action must not make further changes.
#[derive(Debug, thiserror::Error)]
pub enum ExecutionError {
    /// The execution has ended, whether or not another one followed.
    #[error(
        "pipeline execution `{execution}` of `{pipeline}` has ended (status: {status}), so this job stopped \
         without further changes"
    )]
    Ended {
        /// The pipeline.
        pipeline: String,
        /// The execution's id.
        execution: String,
        /// Its status.
        status: String,
    },
    /// There is no such pipeline or execution.
    #[error("pipeline `{pipeline}` has no execution `{execution}`, so nothing was changed")]
    NotFound {
        /// The pipeline.
        pipeline: String,
        /// The execution's id.
        execution: String,
        /// CodePipeline's error.
        source: Box<CallError>,
    },
    /// The call to CodePipeline failed.
    #[error(transparent)]
    Call(Box<CallError>),
}

impl ActionError for ExecutionError {
    fn failure_type(&self) -> FailureType {
        match self {
            Self::Ended { .. } => FailureType::RevisionOutOfSync,
            Self::NotFound { .. } => FailureType::ConfigurationError,
            Self::Call(error) => error.failure_type(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Ended { .. } => Some(
                "the job came late; if its release is still wanted and not live, retry its stage \
                 (`delivery retry`) or release the commit again (`delivery start --revision COMMIT`)"
                    .to_owned(),
            ),
            Self::NotFound { .. } => Some(
                "set `pipeline` in `UserParameters` to the name of the pipeline that this action is in, and \
                 `execution` to `#{codepipeline.PipelineExecutionId}`"
                    .to_owned(),
            ),
            Self::Call(error) => error.hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;
    use crate::failure::{Failure, chain};
    use delivery_testing::events::JobEvent;
    use delivery_testing::world::World;

    const ID: &str = "0a1b2c3d-1111-2222-3333-444455556666";

    fn taken(text: &str) -> Result<Option<Execution>, ParametersError> {
        Execution::take(&mut UserParameters::parse(Some(text)).unwrap())
    }

    async fn world() -> World {
        let world = World::start().await;
        let parameters = format!("pipeline=greeter&execution={ID}");
        let event = JobEvent::new().user_parameters(&parameters).build();
        world.code_pipeline().add_job(&event);
        world
    }

    async fn check(world: &World, text: &str) -> Result<(), ExecutionError> {
        let execution = taken(text).unwrap();
        ExecutionCheck::new(&world.config(), execution.as_ref())
            .still_runs()
            .await
    }

    #[test_case("pipeline=greeter", "`UserParameters` lacks `execution`"; "pipeline alone")]
    #[test_case("execution=0a-1b", "`UserParameters` lacks `pipeline`"; "execution alone")]
    #[test_case("pipeline=a/b&execution=0a-1b", "`pipeline` in `UserParameters` is not valid: expected the name of a pipeline"; "no name")]
    #[test_case("pipeline=a&execution=%23%7Bx%7D", "`execution` in `UserParameters` is not valid: expected `#{codepipeline.PipelineExecutionId}`"; "not resolved")]
    fn what_is_wrong_is_named(text: &str, message: &str) {
        assert_eq!(taken(text).unwrap_err().to_string(), message);
    }

    #[tokio::test]
    async fn without_an_execution_nothing_is_asked() {
        let world = World::start().await;
        check(&world, "").await.unwrap();
        assert_eq!(world.calls(), []);
    }

    #[test_case("InProgress")]
    #[test_case("Stopping")]
    #[tokio::test]
    async fn what_still_runs_passes(status: &str) {
        let world = world().await;
        world.code_pipeline().set_execution(ID, status);
        let text = format!("pipeline=greeter&execution={ID}");
        check(&world, &text).await.unwrap();
    }

    #[test_case("Succeeded")]
    #[test_case("Failed")]
    #[test_case("Stopped")]
    #[test_case("Superseded")]
    #[test_case("Cancelled")]
    #[test_case("SomethingNew")]
    #[tokio::test]
    async fn what_has_ended_does_not(status: &str) {
        let world = world().await;
        world.code_pipeline().set_execution(ID, status);
        let text = format!("pipeline=greeter&execution={ID}");
        let error = check(&world, &text).await.unwrap_err();
        assert_eq!(error.failure_type(), FailureType::RevisionOutOfSync);
        let expected = format!(
            "pipeline execution `{ID}` of `greeter` has ended (status: {status}), so this job stopped without \
             further changes"
        );
        assert_eq!(chain(&error), expected);
    }

    #[test_case("pipeline=greeter&execution=0a-1b", "pipeline `greeter` has no execution `0a-1b`, so nothing was changed: "; "execution")]
    #[test_case("pipeline=other&execution=0a-1b", "pipeline `other` has no execution `0a-1b`, so nothing was changed: "; "pipeline")]
    #[tokio::test]
    async fn what_is_not_there_is_an_error_of_the_configuration(text: &str, message: &str) {
        let failure = Failure::new(&check(&world().await, text).await.unwrap_err());
        assert_eq!(failure.failure_type, FailureType::ConfigurationError);
        assert!(failure.cause.starts_with(message), "{}", failure.cause);
        assert!(failure.hint.unwrap().starts_with("set `pipeline`"));
    }

    #[tokio::test]
    async fn a_missing_permission_is_named() {
        let world = world().await;
        world.deny("codepipeline:GetPipelineExecution");
        let text = format!("pipeline=greeter&execution={ID}");
        let failure = Failure::new(&check(&world, &text).await.unwrap_err());
        assert_eq!(failure.failure_type, FailureType::PermissionError);
        assert_eq!(
            failure.hint.as_deref(),
            Some("allow `codepipeline:GetPipelineExecution` on `greeter` for this function's role")
        );
    }
}
