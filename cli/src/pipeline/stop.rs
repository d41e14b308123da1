//! `delivery stop`.

use aws_sdk_codepipeline::operation::stop_pipeline_execution::StopPipelineExecutionError;
use aws_sdk_codepipeline::types::{PipelineExecutionStatus, PipelineExecutionSummary};
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::Global;
use crate::args::pipeline::Stop;
use crate::error::{CliError, Explained};
use crate::exit::Exit;
use crate::follow::Pipeline;
use crate::output::answer::{self, CommandAnswer};
use crate::output::text::short;
use crate::stack::pipelines::Attempt;

use super::state::{Revision, short_form};
use super::target::Target;
use super::{executions, listed, read};

/// An execution that was asked to stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stopping {
    /// The execution.
    execution: String,
    /// CodePipeline's word for its status by now.
    status: String,
    /// What it delivers.
    revision: Option<Revision>,
    /// Whether the actions in progress were given up.
    abandoned: bool,
    /// The actions that are in progress still.
    running: Vec<String>,
    /// The command to go on with.
    next: String,
}

impl CommandAnswer for Stopping {
    const TYPE: &'static str = "stop";

    fn text(&self) -> String {
        let what = match (self.abandoned, self.running.as_slice()) {
            (true, _) => "was stopped; its actions were abandoned and continue".to_owned(),
            (false, []) => "is stopped".to_owned(),
            (false, running) => format!("stops when {} ended", have(running)),
        };
        format!(
            "■ execution {} of {} {what}\nnext: {}\n",
            short(&self.execution),
            short_form(self.revision.as_ref()),
            self.next
        )
    }
}

fn have(running: &[String]) -> String {
    let verb = if running.len() == 1 { "has" } else { "have" };
    format!("{} {verb}", listed(running))
}

pub(crate) async fn stop(global: &Global, arguments: &Stop) -> Result<Exit, CliError> {
    let target = Target::find(global).await?;
    let pipelines = target.meant(arguments.choice.pipeline.as_deref())?;
    let (pipeline, execution) = match &arguments.execution {
        Some(given) => executions::find(&target, pipelines, given).await?,
        None => running(&target, pipelines).await?,
    };
    let sent = pipeline
        .client()
        .stop_pipeline_execution()
        .pipeline_name(pipeline.name())
        .pipeline_execution_id(&execution)
        .abandon(arguments.abandon)
        .set_reason(arguments.message.clone())
        .send()
        .await;
    if let Err(error) = sent {
        return Err(match error.as_service_error() {
            Some(StopPipelineExecutionError::DuplicatedStopRequestException(_)) => {
                StopError::StopsAlready { execution }.into()
            }
            Some(StopPipelineExecutionError::PipelineExecutionNotStoppableException(_)) => {
                not_stoppable(&pipeline, execution).await?
            }
            _ => pipeline.refused("codepipeline:StopPipelineExecution")(error),
        });
    }
    let now = pipeline.look(&execution).await?;
    let stopping = Stopping {
        status: now.status.clone(),
        revision: now
            .revision
            .as_ref()
            .map(|id| Revision::new(id, now.summary.as_deref(), None)),
        abandoned: arguments.abandon,
        running: now.running(),
        next: if now.is_over() {
            "delivery start".to_owned()
        } else {
            "delivery status".to_owned()
        },
        execution,
    };
    answer::print(global.json, &stopping);
    Ok(Exit::Success)
}

async fn not_stoppable(pipeline: &Pipeline, execution: String) -> Result<CliError, CliError> {
    let found = read::find(pipeline, &execution).await?;
    let status = found.as_ref().and_then(|found| found.status());
    Ok(match status {
        Some(status) => StopError::Over {
            status: status.as_str().to_owned(),
            execution,
        }
        .into(),
        None => StopError::Unknown { execution }.into(),
    })
}

/// The execution in progress, with its pipeline.
async fn running(
    target: &Target,
    pipelines: Vec<Pipeline>,
) -> Result<(Pipeline, String), CliError> {
    let mut attempts = Vec::new();
    for pipeline in pipelines {
        let running = the_only_one(&read::executions(&pipeline).await?);
        attempts.push(Attempt {
            pipeline: pipeline.name().to_owned(),
            found: running.map(|execution| (pipeline, execution)),
        });
    }
    target.only(attempts, |error| {
        matches!(error, StopError::SeveralRun { .. })
    })
}

/// The execution in progress, where there is one only.
fn the_only_one(executions: &[PipelineExecutionSummary]) -> Result<String, StopError> {
    let running: Vec<&PipelineExecutionSummary> = executions
        .iter()
        .filter(|execution| {
            matches!(
                execution.status(),
                Some(PipelineExecutionStatus::InProgress | PipelineExecutionStatus::Stopping)
            )
        })
        .collect();
    let id = |execution: &PipelineExecutionSummary| {
        execution
            .pipeline_execution_id()
            .unwrap_or_default()
            .to_owned()
    };
    match running.as_slice() {
        [execution] => Ok(id(execution)),
        [] => Err(StopError::NothingRuns),
        several => Err(StopError::SeveralRun {
            executions: several
                .iter()
                .map(|execution| {
                    let revision = read::listed_revision(execution);
                    format!("{} ({})", id(execution), short_form(revision.as_ref()))
                })
                .collect(),
        }),
    }
}

/// Why nothing was stopped.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum StopError {
    /// No execution is in progress.
    #[error("no execution of the pipeline is in progress")]
    NothingRuns,
    /// More than one is.
    #[error("more than one execution is in progress: {}", listed(.executions))]
    SeveralRun { executions: Vec<String> },
    /// It is being stopped already.
    #[error("execution {} is already stopping: it is waiting for its actions in progress", short(.execution))]
    StopsAlready { execution: String },
    /// It has ended.
    #[error("execution {} has already ended: {status}", short(.execution))]
    Over { execution: String, status: String },
    /// There is none of this id.
    #[error("the pipeline has no execution `{execution}`")]
    Unknown { execution: String },
}

impl Explained for StopError {
    fn exit(&self) -> Exit {
        match self {
            Self::NothingRuns | Self::Unknown { .. } => Exit::NotFound,
            Self::SeveralRun { .. } => Exit::Usage,
            Self::StopsAlready { .. } | Self::Over { .. } => Exit::Failed,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::NothingRuns => "nothing-runs",
            Self::SeveralRun { .. } => "usage",
            Self::StopsAlready { .. } => "stopping",
            Self::Over { .. } => "over",
            Self::Unknown { .. } => "not-found",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NothingRuns | Self::Over { .. } | Self::Unknown { .. } => {
                "see what the pipeline does: `delivery status`".to_owned()
            }
            Self::SeveralRun { .. } => {
                "give one, by the beginning of its id: `delivery stop ID`".to_owned()
            }
            Self::StopsAlready { execution } => format!(
                "to abandon them: `delivery stop {} --abandon`",
                short(execution)
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_codepipeline::types::SourceRevision;

    use super::*;

    fn execution(id: &str, status: PipelineExecutionStatus) -> PipelineExecutionSummary {
        let revision = SourceRevision::builder()
            .action_name("Source")
            .revision_id("8130db3d2f6d0e78")
            .revision_summary("Greet in French")
            .build()
            .unwrap();
        PipelineExecutionSummary::builder()
            .pipeline_execution_id(id)
            .status(status)
            .source_revisions(revision)
            .build()
    }

    #[test]
    fn the_execution_in_progress_is_meant_where_there_is_one_only() {
        let over = execution("a", PipelineExecutionStatus::Succeeded);
        let running = execution("b", PipelineExecutionStatus::InProgress);
        let stopping = execution("c", PipelineExecutionStatus::Stopping);
        assert_eq!(the_only_one(&[over.clone(), running.clone()]).unwrap(), "b");
        assert_eq!(
            the_only_one(std::slice::from_ref(&over)).unwrap_err(),
            StopError::NothingRuns
        );
        assert_eq!(
            the_only_one(&[running, stopping]).unwrap_err().to_string(),
            "more than one execution is in progress: b (8130db3d Greet in French) and c (8130db3d Greet in French)"
        );
    }

    #[test]
    fn what_is_in_progress_is_named() {
        let stopping = |abandoned, running: &[&str]| {
            Stopping {
                execution: "3f2a6c1e-0000".to_owned(),
                status: "Stopping".to_owned(),
                revision: None,
                abandoned,
                running: running.iter().map(|name| (*name).to_owned()).collect(),
                next: "delivery status".to_owned(),
            }
            .text()
        };
        insta::assert_snapshot!(stopping(false, &["Commit / a", "Commit / b"]), @r"
        ■ execution 3f2a6c1e of an unknown commit stops when Commit / a and Commit / b have ended
        next: delivery status
        ");
        insta::assert_snapshot!(stopping(true, &[]), @r"
        ■ execution 3f2a6c1e of an unknown commit was stopped; its actions were abandoned and continue
        next: delivery status
        ");
    }
}
