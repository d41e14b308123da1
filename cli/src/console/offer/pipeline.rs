//! What is offered for a stage of a pipeline: to approve and reject, to retry, and to open it.

use super::{Draft, Place, line, words};
use crate::follow::repair::helps_to_retry;
use crate::pipeline::resume_command;
use crate::pipeline::state::{PipelineState, StageState, Waiting, short_form};

pub(super) fn approval(
    pipeline: &PipelineState,
    waiting: &Waiting<'_>,
    choice: &[String],
) -> Vec<Draft> {
    let stage = waiting.stage;
    // Without a commit nobody can say which one is meant.
    let Some(revision) = &stage.revision else {
        return Vec::new();
    };
    let mut options = choice.to_vec();
    options.push(format!("--stage={}", stage.name));
    let draft = |word: &'static str, verb: &str, note| Draft {
        place: Place::Stage(pipeline.name.clone(), stage.name.clone()),
        word,
        question: format!("{word} {} in {}?", revision.short_form(), stage.name),
        note,
        arguments: line(&[verb], &options, &[&revision.id]),
        preview: None,
        takes_reason: true,
        seen: format!("{:?} {}", stage.execution, waiting.action.name),
    };
    vec![
        draft(
            "Approve",
            "approve",
            "The pipeline goes on with this commit. If another one waits by then, nothing is approved.",
        ),
        draft(
            "Reject",
            "reject",
            "The stage fails for this commit. If another one waits by then, nothing is rejected.",
        ),
    ]
}

pub(super) fn retry(pipeline: &PipelineState, stage: &StageState, choice: &[String]) -> Vec<Draft> {
    let helps = stage.failure_code().is_none_or(helps_to_retry);
    if !stage.is_failed() || !helps {
        return Vec::new();
    }
    let draft = |word, what: &str, all: Option<&str>| {
        let options: Vec<_> = choice
            .iter()
            .cloned()
            .chain(all.map(str::to_owned))
            .collect();
        Draft {
            place: Place::Stage(pipeline.name.clone(), stage.name.clone()),
            word,
            question: format!(
                "Retry {what} of {} for {}?",
                stage.name,
                short_form(stage.revision.as_ref())
            ),
            note: "The same execution goes on, with the pipeline as it was.",
            arguments: line(&["retry"], &options, &[&stage.name]),
            preview: None,
            takes_reason: false,
            seen: format!("{:?}", stage.execution),
        }
    };
    vec![
        draft("Retry", "the failed actions", None),
        draft("Retry all", "all actions", Some("--all")),
    ]
}

/// What opens a stage that a rollback has closed. The reason is text that others can write, so it is read strictly.
pub(super) fn resume(pipeline: &PipelineState, stage: &StageState) -> Option<Draft> {
    let command = resume_command(stage.closed.as_ref()?.reason.as_deref()?)?;
    let command = words(&command);
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let (environment, options) = match *command.as_slice() {
        ["delivery", "resume", environment] => (environment, Vec::new()),
        ["delivery", "resume", environment, "--pipeline", name] => {
            (environment, vec![format!("--pipeline={name}")])
        }
        _ => return None,
    };
    let waiting = stage.inbound.iter();
    let waiting: Vec<_> = waiting
        .map(|one| (&one.execution, short_form(one.revision.as_ref())))
        .collect();
    let commits: Vec<_> = waiting.iter().map(|(_, commit)| commit.as_str()).collect();
    let commits = commits.join(", ");
    // Where nothing is seen to wait the command itself asks, and refuses if something waits by then.
    let (verb, question): (&[&str], _) = if waiting.is_empty() {
        (
            &["resume"],
            format!("Let the pipeline deliver to {environment} again?"),
        )
    } else {
        (
            &["resume", "--yes"],
            format!("{environment} gets what is waiting: {commits}. Open it?"),
        )
    };
    Some(Draft {
        place: Place::Closed(pipeline.name.clone(), stage.name.clone()),
        word: "Resume",
        question,
        note: "What waits for the stage is delivered then: it may be what was rolled back.",
        arguments: line(verb, &options, &[environment]),
        preview: None,
        takes_reason: false,
        seen: format!("{:?} {waiting:?}", stage.closed.as_ref()?.since),
    })
}
