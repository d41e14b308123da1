//! `delivery wait`: waits until the operation on the stack, and an execution of its pipeline, have ended.
//!
//! It follows by polling, like all commands here: neither CloudFormation nor CodePipeline pushes events to a command
//! line. A timeout or Ctrl-C ends only the waiting, never the operation.

use std::time::Duration;

use aws_sdk_cloudformation::Client as Stacks;
use aws_sdk_codepipeline::Client as Pipelines;
use aws_sdk_codepipeline::types::{ActionExecutionStatus, PipelineExecutionStatus};
use delivery_action::aws::CallError;
use delivery_stack::description::Description;
use delivery_stack::events::{Follower, latest_operation};
use delivery_stack::state::State;
use tokio::time::{sleep, sleep_until};

use super::description;
use super::follow::{Followed, WaitLimits, conclude, follow};
use crate::args::Global;
use crate::args::stack::Wait;
use crate::cloud::Cloud;
use crate::error::{CliError, Explained};
use crate::exit::Exit;
use crate::follow::outage::{AWS_OUTAGE_LIMIT, Outage};
use crate::message::StackMessage;
use crate::output::Reporter;
use crate::pipeline::find_execution;
use crate::pipeline::target::Target;
use crate::settings::Settings;

/// Polling interval; CodePipeline moves its actions every few seconds.
const ASK_EVERY: Duration = Duration::from_secs(2);

/// Stands for the pipeline's newest execution.
const LATEST: &str = "latest";

/// Why waiting for an execution did not end well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WaitError {
    /// The pipeline never ran, or does not know the execution.
    #[error("the pipeline `{pipeline}` has no execution{}", .id.as_ref().map(|id| format!(" `{id}`")).unwrap_or_default())]
    NoExecution {
        /// The pipeline's name.
        pipeline: String,
        /// The execution that was named.
        id: Option<String>,
    },
    /// The execution ended badly.
    #[error("the execution {id} of `{pipeline}` is {status}{}", .what.as_ref().map(|what| format!(": {what}")).unwrap_or_default())]
    Failed {
        /// The pipeline's name.
        pipeline: String,
        /// The execution.
        id: String,
        /// CodePipeline's word.
        status: String,
        /// The action that failed first, and its message.
        what: Option<String>,
    },
    /// The time ran out.
    #[error("the execution {id} of `{pipeline}` is still {status} after {}", humantime::format_duration(*.after))]
    TimedOut {
        /// The pipeline's name.
        pipeline: String,
        /// The execution.
        id: String,
        /// CodePipeline's word.
        status: String,
        /// How long was waited.
        after: Duration,
    },
}

impl Explained for WaitError {
    fn exit(&self) -> Exit {
        match self {
            Self::NoExecution { .. } => Exit::NotFound,
            Self::Failed { status, .. } if status == "Superseded" => Exit::Superseded,
            Self::Failed { .. } => Exit::PipelineFailed,
            Self::TimedOut { .. } => Exit::TimedOut,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::NoExecution { .. } => "not-found",
            Self::Failed { status, .. } if status == "Superseded" => "superseded",
            Self::Failed { .. } => "pipeline",
            Self::TimedOut { .. } => "timeout",
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NoExecution { .. } => {
                "start one with `delivery start`; `delivery status` shows the newest"
            }
            Self::Failed { status, .. } if status == "Superseded" => {
                "a newer execution took its place: `delivery wait --execution latest`"
            }
            Self::Failed { .. } => "`delivery log --failed` shows the log of what failed",
            Self::TimedOut { .. } => "it continues; wait longer with `--timeout`",
        };
        Some(text.to_owned())
    }
}

/// The command.
pub(crate) async fn wait(global: &Global, arguments: &Wait) -> Result<Exit, CliError> {
    let settings = Settings::load(global)?;
    let mut limits = WaitLimits::new(arguments.timeout)?;
    let cloud = Cloud::connect(&settings).await?;
    let reporter = Reporter::new(global);
    let client = cloud.cloudformation();
    let found = description::find(&client, &settings.stack_name, cloud.region()).await?;
    if found.state() == State::Review {
        reporter.notice("the stack has only a change set that was never executed; `delivery up` continues with a new \
         one");
        return Err(CliError::from(description::NoStack {
            stack: settings.stack_name.clone(),
            region: cloud.region().to_owned(),
        }));
    }
    let stack = match ended(&client, &reporter, found, &mut limits).await? {
        Followed::Ended(stack, events) => {
            conclude(&reporter, &stack, &events)?;
            stack
        }
        Followed::TimedOut(stack) => return Err(limits.timed_out(&stack).into()),
        Followed::Interrupted => return Ok(Exit::Interrupted),
    };
    match &arguments.execution {
        Some(id) => {
            let client = cloud.codepipeline();
            let target = Target { cloud, stack };
            let given = arguments.choice.pipeline.as_deref();
            let (pipeline, id) = meant(&client, &target, given, id).await?;
            execution(&client, &reporter, &pipeline, id, &mut limits).await
        }
        None => Ok(Exit::Success),
    }
}

/// Follows the stack's operation to its end; the events of one that has ended are not reported again.
async fn ended(
    client: &Stacks,
    reporter: &Reporter,
    found: Description,
    limits: &mut WaitLimits,
) -> Result<Followed, CliError> {
    if !found.state().is_in_progress() {
        let events = latest_operation(client, &found.id).await?;
        return Ok(Followed::Ended(found, events));
    }
    let mut follower = Follower::of_the_latest(client, &found.id).await?;
    follow(client, reporter, &mut follower, &found.id, limits).await
}

/// The execution that is meant, and its pipeline: of several the one that has it.
async fn meant(
    client: &Pipelines,
    target: &Target,
    given: Option<&str>,
    id: &str,
) -> Result<(String, String), CliError> {
    if id == LATEST {
        let pipeline = target.the_only(given)?.name().to_owned();
        let id = latest(client, &pipeline).await?;
        return Ok((pipeline, id));
    }
    let (pipeline, id) = find_execution(target, target.meant(given)?, id).await?;
    Ok((pipeline.name().to_owned(), id))
}

/// Waits for an execution.
async fn execution(
    client: &Pipelines,
    reporter: &Reporter,
    pipeline: &str,
    id: String,
    limits: &mut WaitLimits,
) -> Result<Exit, CliError> {
    let mut shown = None;
    let mut outage = Outage::new(AWS_OUTAGE_LIMIT);
    loop {
        let answer = look(client, pipeline, &id).await;
        if let Some(now) = outage.tolerate(answer)? {
            if shown.as_ref() != Some(&now) {
                reporter.report(StackMessage::ExecutionStatus {
                    execution: id.clone(),
                    status: now.status.clone(),
                    waiting: now.waiting.clone(),
                });
            }
            if now.status == PipelineExecutionStatus::Succeeded.as_str() {
                reporter.clear_progress();
                return Ok(Exit::Success);
            }
            if !matches!(now.status.as_str(), "InProgress" | "Stopping") {
                return Err(failed(client, pipeline, id, now.status).await?.into());
            }
            reporter.show_progress(&format!("execution {id} {}", now.status));
            shown = Some(now);
        }
        tokio::select! {
            () = sleep(ASK_EVERY) => {}
            () = sleep_until(limits.deadline()), if shown.is_some() => {
                let Some(Now { status, .. }) = shown else { continue };
                reporter.clear_progress();
                let (pipeline, after) = (pipeline.to_owned(), limits.timeout);
                return Err(WaitError::TimedOut { pipeline, id, status, after }.into());
            }
            () = limits.interrupt.received() => {
                reporter.clear_progress();
                return Ok(Exit::Interrupted);
            }
        }
    }
}

/// The error of an execution that ended without success.
async fn failed(
    client: &Pipelines,
    pipeline: &str,
    id: String,
    status: String,
) -> Result<WaitError, CliError> {
    let what = first_failed(client, pipeline, &id).await?;
    Ok(WaitError::Failed {
        pipeline: pipeline.to_owned(),
        id,
        status,
        what,
    })
}

async fn latest(client: &Pipelines, pipeline: &str) -> Result<String, CliError> {
    let listed = client
        .list_pipeline_executions()
        .pipeline_name(pipeline)
        .max_results(1)
        .send()
        .await
        .map_err(|error| CallError::new("codepipeline:ListPipelineExecutions", pipeline, &error))?;
    let newest = listed.pipeline_execution_summaries().first();
    let newest = newest.and_then(|summary| summary.pipeline_execution_id.clone());
    newest.ok_or_else(|| {
        WaitError::NoExecution {
            pipeline: pipeline.to_owned(),
            id: None,
        }
        .into()
    })
}

/// An execution as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Now {
    status: String,
    waiting: Vec<String>,
}

async fn look(client: &Pipelines, pipeline: &str, id: &str) -> Result<Now, CliError> {
    let found = client
        .get_pipeline_execution()
        .pipeline_name(pipeline)
        .pipeline_execution_id(id)
        .send()
        .await;
    let found = found.map_err(|error| {
        let error = CallError::new("codepipeline:GetPipelineExecution", pipeline, &error);
        if error.is_code("PipelineExecutionNotFoundException") {
            CliError::from(WaitError::NoExecution {
                pipeline: pipeline.to_owned(),
                id: Some(id.to_owned()),
            })
        } else {
            error.into()
        }
    })?;
    let status = found
        .pipeline_execution
        .and_then(|execution| execution.status);
    let status = status.map_or_else(String::new, |status| status.as_str().to_owned());
    Ok(Now {
        waiting: if status == "InProgress" {
            approvals(client, pipeline, id).await?
        } else {
            Vec::new()
        },
        status,
    })
}

/// The approvals that an execution waits for.
async fn approvals(client: &Pipelines, pipeline: &str, id: &str) -> Result<Vec<String>, CliError> {
    let state = client
        .get_pipeline_state()
        .name(pipeline)
        .send()
        .await
        .map_err(|error| CallError::new("codepipeline:GetPipelineState", pipeline, &error))?;
    let mut waiting = Vec::new();
    for stage in state.stage_states() {
        let here = stage.latest_execution();
        if here.is_none_or(|execution| execution.pipeline_execution_id() != id) {
            continue;
        }
        for action in stage.action_states() {
            // An approval is an action in progress with a token: no other action has one.
            let waits = action.latest_execution().is_some_and(|execution| {
                execution.token().is_some()
                    && execution.status() == Some(&ActionExecutionStatus::InProgress)
            });
            if waits {
                let place = stage.stage_name().unwrap_or_default();
                waiting.push(format!(
                    "{place} / {}",
                    action.action_name().unwrap_or_default()
                ));
            }
        }
    }
    Ok(waiting)
}

/// The action of an execution that failed first, and its message.
async fn first_failed(
    client: &Pipelines,
    pipeline: &str,
    id: &str,
) -> Result<Option<String>, CliError> {
    let filter = aws_sdk_codepipeline::types::ActionExecutionFilter::builder()
        .pipeline_execution_id(id)
        .build();
    let mut pages = client
        .list_action_executions()
        .pipeline_name(pipeline)
        .filter(filter)
        .into_paginator()
        .send();
    let mut failed = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| {
            CallError::new("codepipeline:ListActionExecutions", pipeline, &error)
        })?;
        let details = page.action_execution_details.unwrap_or_default();
        failed.extend(details.into_iter().filter(|detail| {
            detail
                .status
                .as_ref()
                .is_some_and(|status| status.as_str() == "Failed")
        }));
    }
    // They come newest first, and the first failure is the cause of the others.
    Ok(failed.last().map(|detail| {
        let place = format!(
            "{} / {}",
            detail.stage_name().unwrap_or_default(),
            detail.action_name().unwrap_or_default()
        );
        let message = detail
            .output()
            .and_then(|output| output.execution_result())
            .and_then(|result| result.error_details())
            .and_then(|error| error.message());
        match message {
            Some(message) => format!("{place} failed: {message}"),
            None => format!("{place} failed"),
        }
    }))
}
