//! `delivery retry`.

use aws_sdk_codepipeline::operation::retry_stage_execution::RetryStageExecutionError;
use aws_sdk_codepipeline::types::StageRetryMode;
use delivery_definition::names::Family;
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::Global;
use crate::args::pipeline::Retry;
use crate::error::{CliError, Explained};
use crate::exit::Exit;
use crate::follow::Pipeline;
use crate::follow::repair::helps_to_retry;
use crate::output::answer::{self, CommandAnswer};
use crate::output::text::short;
use crate::output::write_stderr;
use crate::stack::pipelines::Attempt;

use super::start::Following;
use super::state::{NoStage, PipelineState, Revision, StageState, short_form};
use super::target::Target;
use super::{listed, read};

/// A stage that is retried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Retried {
    /// The stage.
    stage: String,
    /// The execution; it stays the same.
    execution: String,
    /// What it delivers.
    revision: Option<Revision>,
    /// `FAILED_ACTIONS` or `ALL_ACTIONS`.
    mode: String,
    /// The command to go on with.
    next: &'static str,
}

impl CommandAnswer for Retried {
    const TYPE: &'static str = "retry";

    fn text(&self) -> String {
        let what = if self.mode == "ALL_ACTIONS" {
            "all actions"
        } else {
            "the failed actions"
        };
        format!(
            "• retrying {what} of {} for {} (execution {})\nnext: {}\n",
            self.stage,
            short_form(self.revision.as_ref()),
            short(&self.execution),
            self.next
        )
    }
}

pub(crate) async fn retry(global: &Global, arguments: &Retry) -> Result<Exit, CliError> {
    let target = Target::find(global).await?;
    let mut states = Vec::new();
    for pipeline in target.meant(arguments.choice.pipeline.as_deref())? {
        let state = read::state(&pipeline).await?;
        states.push((pipeline, state));
    }
    keep_failed(&mut states, arguments.stage.as_deref());
    let attempts = states.iter().map(|(pipeline, state)| Attempt {
        pipeline: pipeline.name().to_owned(),
        found: choose(state, arguments.stage.as_deref()).map(|chosen| (pipeline, chosen)),
    });
    let (pipeline, (stage, execution)) = target.only(attempts.collect(), |error| {
        matches!(error, RetryError::SeveralFailed { .. })
    })?;
    if let Some(note) = doubt(stage) {
        write_stderr(&note);
    }
    let mode = mode(&stage.name, arguments.all);
    // Before the retry: afterwards nobody could tell its end from the earlier one.
    let following = if arguments.waiting.wait {
        Some(Following::prepare_retry(pipeline, execution).await?)
    } else {
        None
    };
    send(pipeline, &stage.name, execution, &mode).await?;
    let retried = Retried {
        stage: stage.name.clone(),
        execution: execution.to_owned(),
        revision: stage.revision.clone(),
        mode: mode.as_str().to_owned(),
        next: "delivery log --follow --failed",
    };
    answer::print(global.json, &retried);
    let Some(following) = following else {
        return Ok(Exit::Success);
    };
    let timeout = arguments.waiting.timeout;
    let next = format!("delivery log --follow{}", target.choice(pipeline));
    following
        .follow(global, &target, pipeline.clone(), execution, timeout, &next)
        .await
}

async fn send(
    pipeline: &Pipeline,
    stage: &str,
    execution: &str,
    mode: &StageRetryMode,
) -> Result<(), CliError> {
    let sent = pipeline
        .client()
        .retry_stage_execution()
        .pipeline_name(pipeline.name())
        .stage_name(stage)
        .pipeline_execution_id(execution)
        .retry_mode(mode.clone())
        .send()
        .await;
    let Err(error) = sent else {
        return Ok(());
    };
    let stage = stage.to_owned();
    Err(match error.as_service_error() {
        Some(RetryStageExecutionError::NotLatestPipelineExecutionException(_)) => {
            RetryError::Newer { stage }.into()
        }
        Some(RetryStageExecutionError::StageNotRetryableException(why)) => {
            RetryError::NotRetryable {
                stage,
                why: why.message.clone().unwrap_or_default(),
            }
            .into()
        }
        _ => pipeline.refused("codepipeline:RetryStageExecution")(error),
    })
}

/// Which actions are retried. When the stage of an execution's own environment fails, the environment is removed: its tests alone
/// would find nothing.
fn mode(stage: &str, all: bool) -> StageRetryMode {
    if all || stage.eq_ignore_ascii_case(Family::Execution.word()) {
        StageRetryMode::AllActions
    } else {
        StageRetryMode::FailedActions
    }
}

/// Pipelines have stages of the same names: one that failed is meant, where there is one.
fn keep_failed(states: &mut Vec<(Pipeline, PipelineState)>, stage: Option<&str>) {
    let Some(name) = stage else { return };
    let has_failed =
        |(_, state): &(Pipeline, PipelineState)| state.stage(name).is_ok_and(StageState::is_failed);
    if states.iter().any(has_failed) {
        states.retain(has_failed);
    }
}

/// The stage to retry, and its execution.
fn choose<'a>(
    shown: &'a PipelineState,
    stage: Option<&str>,
) -> Result<(&'a StageState, &'a str), RetryError> {
    let stage = if let Some(name) = stage {
        shown.stage(name)?
    } else {
        the_failed_one(shown)?
    };
    match (&stage.execution, stage.is_held()) {
        (None, _) => Err(RetryError::NeverEntered {
            stage: stage.name.clone(),
        }),
        // Actions of a stage in which one has failed already may be in progress; only CodePipeline knows
        // whether these can be retried.
        (Some(execution), true) if !has_failed_action(stage) => Err(RetryError::Running {
            stage: stage.name.clone(),
            execution: format!(
                "execution {} of {}",
                short(execution),
                short_form(stage.revision.as_ref())
            ),
        }),
        (Some(_), _) if stage.lacks_release() => Err(RetryError::NoRelease {
            stage: stage.name.clone(),
        }),
        (Some(execution), _) => Ok((stage, execution)),
    }
}

/// Why a retry is likely to fail in the same way. It is sent all the same: what was missing may have been made since.
fn doubt(stage: &StageState) -> Option<String> {
    let code = stage.failure_code()?;
    (!helps_to_retry(code)).then(|| {
        format!(
            "note: the stage failed by {code}, and a retry goes on with the same pipeline, parameters and commit as before; `delivery \
             start` begins a new execution"
        )
    })
}

fn the_failed_one(shown: &PipelineState) -> Result<&StageState, RetryError> {
    let stages = shown.stages.iter();
    let failed: Vec<&StageState> = stages.filter(|stage| stage.is_failed()).collect();
    match failed.as_slice() {
        [stage] => Ok(*stage),
        [] => Err(RetryError::NothingFailed),
        several => Err(RetryError::SeveralFailed {
            stages: several.iter().map(|stage| stage.name.clone()).collect(),
        }),
    }
}

fn has_failed_action(stage: &StageState) -> bool {
    let mut actions = stage.actions.iter();
    actions.any(|action| {
        !stage.has_not_reached(action)
            && matches!(action.status.as_deref(), Some("Failed" | "Abandoned"))
    })
}

/// Why nothing is retried.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum RetryError {
    /// The stage does not exist.
    #[error(transparent)]
    NoStage(#[from] NoStage),
    /// No stage failed.
    #[error("no stage of the pipeline has failed")]
    NothingFailed,
    /// More than one stage failed.
    #[error("more than one stage has failed: {}", listed(.stages))]
    SeveralFailed { stages: Vec<String> },
    /// No execution came to the stage yet.
    #[error("no execution has reached stage {stage} yet")]
    NeverEntered { stage: String },
    /// An execution is in the stage, perhaps the one that is being retried already.
    #[error("nothing to retry in stage {stage}: {execution} is running in it and has not failed")]
    Running { stage: String, execution: String },
    /// The same execution would lack it again.
    #[error(
        "stage {stage} failed since its execution was started without a release, which a retry does not give it"
    )]
    NoRelease { stage: String },
    /// A newer execution has entered the stage.
    #[error(
        "stage {stage} can no longer be retried for this execution, because a newer one has entered it"
    )]
    Newer { stage: String },
    /// CodePipeline says why not.
    #[error("stage {stage} cannot be retried: {why}")]
    NotRetryable { stage: String, why: String },
}

impl Explained for RetryError {
    fn exit(&self) -> Exit {
        match self {
            Self::NoStage { .. } | Self::NothingFailed | Self::NeverEntered { .. } => {
                Exit::NotFound
            }
            Self::SeveralFailed { .. } => Exit::Usage,
            Self::Running { .. }
            | Self::NoRelease { .. }
            | Self::Newer { .. }
            | Self::NotRetryable { .. } => Exit::Failed,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::NoStage { .. } => "not-found",
            Self::NothingFailed | Self::NeverEntered { .. } => "nothing-failed",
            Self::SeveralFailed { .. } => "usage",
            Self::Running { .. } => "running",
            Self::Newer { .. } => "newer-execution",
            Self::NoRelease { .. } | Self::NotRetryable { .. } => "not-retryable",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::NoStage(error) => return Some(error.hint()),
                Self::Running { .. } => "follow it: `delivery log --follow`",
                Self::NothingFailed | Self::NeverEntered { .. } => {
                    "see what the pipeline does: `delivery status`"
                }
                Self::SeveralFailed { .. } => "name the stage: `delivery retry STAGE`",
                Self::Newer { .. } => {
                    "see how the newer one is doing (`delivery status`); to deliver the earlier commit instead: \
                     `delivery start --revision COMMIT`"
                }
                Self::NoRelease { .. } => {
                    "start the pipeline with one: `delivery promote FROM TO` or `delivery rollback ENV`"
                }
                Self::NotRetryable { .. } => "start again: `delivery start`",
            }
            .to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::state::{ActionFailure, ActionState};

    fn stage(name: &str, status: Option<&str>, action: &str) -> StageState {
        StageState {
            name: name.to_owned(),
            status: status.map(str::to_owned),
            execution: status.map(|_| "3f2a6c1e-0000".to_owned()),
            actions: vec![ActionState {
                name: "a".to_owned(),
                status: Some(action.to_owned()),
                ..ActionState::default()
            }],
            ..StageState::default()
        }
    }

    fn printed(stages: Vec<StageState>, named: Option<&str>) -> String {
        let shown = PipelineState {
            name: "p".to_owned(),
            stages,
        };
        match choose(&shown, named) {
            Ok((stage, _)) => stage.name.clone(),
            Err(error) => format!("{}: {error}", error.exit().code()),
        }
    }

    #[test]
    fn the_stage_that_failed_is_retried() {
        let stages = vec![
            stage("Commit", Some("Succeeded"), "Succeeded"),
            stage("Acceptance", Some("Failed"), "Failed"),
        ];
        assert_eq!(printed(stages, None), "Acceptance");
    }

    #[test]
    fn a_stage_whose_environment_is_removed_is_retried_as_a_whole() {
        assert_eq!(mode("qa", false), StageRetryMode::AllActions);
        assert_eq!(mode("int", false), StageRetryMode::FailedActions);
        assert_eq!(mode("int", true), StageRetryMode::AllActions);
    }

    #[test]
    fn a_retry_that_lacks_its_release_again_is_refused_and_one_that_may_fail_is_noted() {
        let failed = |message: &str| {
            let mut stage = stage("prod", Some("Failed"), "Failed");
            stage.actions[0].error = Some(ActionFailure {
                code: "ConfigurationError".to_owned(),
                message: message.to_owned(),
            });
            stage
        };
        let without = failed("no release is given: start this pipeline with `delivery promote`");
        assert_eq!(
            printed(vec![without], None),
            "1: stage prod failed since its execution was started without a release, which a retry does not give it"
        );
        let wrong = failed("the bucket does not exist");
        assert!(doubt(&wrong).unwrap().contains("ConfigurationError"));
        assert_eq!(printed(vec![wrong], None), "prod");
        assert_eq!(doubt(&stage("prod", Some("Failed"), "Failed")), None);
    }

    #[test]
    fn of_two_that_failed_one_has_to_be_named() {
        let failed = |name| stage(name, Some("Failed"), "Failed");
        let stages = vec![failed("Commit"), failed("Acceptance")];
        assert_eq!(
            printed(stages.clone(), None),
            "2: more than one stage has failed: Commit and Acceptance"
        );
        assert_eq!(printed(stages, Some("Commit")), "Commit");
    }

    #[test]
    fn a_stage_that_is_running_is_not_retried() {
        let running = || vec![stage("Commit", Some("InProgress"), "InProgress")];
        assert_eq!(
            printed(running(), Some("Commit")),
            "1: nothing to retry in stage Commit: execution 3f2a6c1e of an unknown commit is running in it and \
             has not failed"
        );
        assert_eq!(
            printed(running(), None),
            "5: no stage of the pipeline has failed"
        );
        let beside = vec![stage("Commit", Some("InProgress"), "Failed")];
        assert_eq!(printed(beside, Some("Commit")), "Commit");
        let never = vec![stage("Commit", None, "Failed")];
        assert_eq!(
            printed(never, Some("Commit")),
            "5: no execution has reached stage Commit yet"
        );
    }
}
