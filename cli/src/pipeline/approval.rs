//! `delivery approve` and `delivery reject`.
//!
//! What is answered is the very run of the action that was shown: its token belongs to no other.

mod choice;

use aws_sdk_codepipeline::operation::put_approval_result::PutApprovalResultError;
use aws_sdk_codepipeline::types::{ApprovalResult, ApprovalStatus};
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::Global;
use crate::args::pipeline::Answer;
use crate::error::CliError;
use crate::exit::Exit;
use crate::follow::Pipeline;
use crate::output::answer::{self, CommandAnswer};
use crate::output::reporter::can_ask;
use crate::output::text::short;
use crate::output::write_stderr;
use crate::stack::pipelines::Attempt;
use crate::stack::question;

use super::read;
use super::state::{PipelineState, Revision, Waiting, short_form};
use super::target::Target;
use choice::{AnswerError, choose};

/// An approval that was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answered {
    /// `Approved` or `Rejected`.
    answer: &'static str,
    /// The stage.
    stage: String,
    /// The action.
    action: String,
    /// The execution.
    execution: Option<String>,
    /// What it delivers.
    revision: Option<Revision>,
    /// The command to go on with.
    next: &'static str,
}

impl CommandAnswer for Answered {
    const TYPE: &'static str = "approval";

    fn text(&self) -> String {
        let sign = if self.answer == "Approved" {
            "✓"
        } else {
            "✗"
        };
        format!(
            "{sign} {} {} in {} / {} (execution {})\nnext: {}\n",
            self.answer,
            short_form(self.revision.as_ref()),
            self.stage,
            self.action,
            self.execution.as_deref().map_or("unknown", short),
            self.next,
        )
    }
}

pub(crate) async fn approve(global: &Global, arguments: &Answer) -> Result<Exit, CliError> {
    answer(global, arguments, &ApprovalStatus::Approved).await
}

pub(crate) async fn reject(global: &Global, arguments: &Answer) -> Result<Exit, CliError> {
    answer(global, arguments, &ApprovalStatus::Rejected).await
}

async fn answer(
    global: &Global,
    arguments: &Answer,
    status: &ApprovalStatus,
) -> Result<Exit, CliError> {
    let (verb, done, next) = match status {
        ApprovalStatus::Approved => ("approve", "Approved", "delivery log --follow"),
        _ => ("reject", "Rejected", "delivery status"),
    };
    let target = Target::find(global).await?;
    let mut shown = Vec::new();
    let given = arguments.choice.pipeline.as_deref();
    let mut pipelines = target.meant(given)?;
    if given.is_none() {
        pipelines.extend(target.applying());
    }
    for pipeline in pipelines {
        let state = read::state(&pipeline).await?;
        shown.push((pipeline, state));
    }
    let (pipeline, waiting) = waiting(&target, &shown, arguments)?;
    if arguments.commit.is_none() && !arguments.yes {
        ask(global, verb, &waiting)?;
    }
    put(
        pipeline,
        &waiting,
        arguments.message.as_deref(),
        status,
        verb,
    )
    .await?;
    let answered = Answered {
        answer: done,
        stage: waiting.stage.name.clone(),
        action: waiting.action.name.clone(),
        execution: waiting.stage.execution.clone(),
        revision: waiting.stage.revision.clone(),
        next,
    };
    answer::print(global.json, &answered);
    Ok(Exit::Success)
}

/// The approval that is meant, and its pipeline.
fn waiting<'a>(
    target: &Target,
    shown: &'a [(Pipeline, PipelineState)],
    arguments: &Answer,
) -> Result<(&'a Pipeline, Waiting<'a>), CliError> {
    let attempts = shown.iter().map(|(pipeline, state)| {
        let waiting = choose(
            state,
            arguments.stage.as_deref(),
            arguments.commit.as_deref(),
        );
        Attempt {
            pipeline: pipeline.name().to_owned(),
            found: waiting.map(|waiting| (pipeline, waiting)),
        }
    });
    target.only(attempts.collect(), |error| {
        matches!(error, AnswerError::SeveralWait { .. })
    })
}

/// Shows what waits and asks. Where nobody can be asked that is an error: what waits may be another commit
/// than the one that is meant.
fn ask(global: &Global, verb: &'static str, waiting: &Waiting<'_>) -> Result<(), AnswerError> {
    let refusal = || AnswerError::CannotAsk {
        verb,
        waiting: short_form(waiting.stage.revision.as_ref()),
        commit: waiting
            .stage
            .revision
            .as_ref()
            .map(|found| short(&found.id).to_owned()),
    };
    if global.json || !can_ask() {
        return Err(refusal());
    }
    let since = waiting
        .action
        .changed
        .as_deref()
        .unwrap_or("an unknown time");
    write_stderr(&format!(
        "{} / {} has been waiting since {since} for approval of\n  {}\n  in execution {}",
        waiting.stage.name,
        waiting.action.name,
        short_form(waiting.stage.revision.as_ref()),
        waiting.stage.execution.as_deref().unwrap_or("unknown"),
    ));
    let question = match verb {
        "approve" => "Approve it?",
        _ => "Reject it?",
    };
    match question::confirm(question) {
        question::Answer::Yes => Ok(()),
        question::Answer::No => Err(AnswerError::Declined),
        question::Answer::Interrupted => Err(AnswerError::Interrupted),
        question::Answer::NotATerminal => Err(refusal()),
    }
}

async fn put(
    pipeline: &Pipeline,
    waiting: &Waiting<'_>,
    message: Option<&str>,
    status: &ApprovalStatus,
    verb: &'static str,
) -> Result<(), CliError> {
    let summary = message.map_or_else(|| format!("answered by `delivery {verb}`"), str::to_owned);
    let result = ApprovalResult::builder()
        .summary(summary)
        .status(status.clone())
        .build()
        .expect("summary and status are set");
    let sent = pipeline
        .client()
        .put_approval_result()
        .pipeline_name(pipeline.name())
        .stage_name(&waiting.stage.name)
        .action_name(&waiting.action.name)
        .set_token(waiting.action.token.clone())
        .result(result)
        .send()
        .await;
    let Err(error) = sent else { return Ok(()) };
    match error.as_service_error() {
        Some(
            PutApprovalResultError::ApprovalAlreadyCompletedException(_)
            | PutApprovalResultError::InvalidApprovalTokenException(_),
        ) => Err(AnswerError::AlreadyAnswered {
            stage: waiting.stage.name.clone(),
            commit: short_form(waiting.stage.revision.as_ref()),
        }
        .into()),
        _ => Err(pipeline.refused("codepipeline:PutApprovalResult")(error)),
    }
}
