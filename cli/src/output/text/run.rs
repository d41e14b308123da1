//! A run's messages as text.

use std::fmt::Write as _;

use std::collections::BTreeMap;

use super::{duration, heartbeat, mark, short};
use crate::message::{ActionReport, Finding, RunMessage, RunResult, Severity, StageUrls, Step};
use crate::output::foreign;
use crate::output::style::{BAD, DIM, GOOD, ID, WAITING};

/// The line for people; `None` where it tells them nothing new. `execution` names the execution of an
/// action, where there are several at the same time.
pub(super) fn line(message: &RunMessage, execution: Option<&str>) -> Option<String> {
    Some(match message {
        RunMessage::Step {
            step,
            done,
            seconds,
            detail,
        } => step_line(*step, *done, *seconds, detail),
        RunMessage::Run { .. }
        | RunMessage::Pipeline { .. }
        | RunMessage::Progress(_)
        | RunMessage::Environment { .. } => return None,
        RunMessage::Execution {
            execution,
            status,
            revision,
            summary,
        } => execution_line(execution, status, revision.as_deref(), summary.as_deref()),
        RunMessage::Action(action) => action_line(action, execution),
        RunMessage::Finding(finding) => finding_line(finding),
        RunMessage::Addresses { urls } => addresses(urls)?,
        RunMessage::Log {
            stage,
            action,
            lines,
            ..
        } => log_lines(stage, action, lines),
        RunMessage::Failure(failure) => super::failure::lines(failure),
        RunMessage::Approval {
            stage,
            action,
            command,
            ..
        } => format!(
            "{WAITING}• Waiting     {WAITING:#} {stage} / {action} waits for approval:\n  {ID}help{ID:#}: {command}"
        ),
        RunMessage::Heartbeat { running, seconds } => heartbeat("after", *seconds, running),
        RunMessage::Notice { message: text } => text.clone(),
        RunMessage::Result(result) => match &result.page {
            Some(page) => format!(
                "{}\n{DIM}page:{DIM:#} {}",
                result_line(result),
                foreign::line(&page.display().to_string())
            ),
            None => result_line(result),
        },
    })
}

fn step_line(step: Step, done: bool, seconds: Option<f64>, detail: &str) -> String {
    let name = match step {
        Step::Functions => "functions",
        Step::LocalAws => "local AWS",
        Step::Stack => "stack",
    };
    let mark = if done {
        mark("Succeeded")
    } else {
        mark("InProgress")
    };
    let took = seconds
        .map(|seconds| format!(" ({})", duration(seconds)))
        .unwrap_or_default();
    format!("{mark} {name}: {detail}{DIM}{took}{DIM:#}")
}

fn execution_line(id: &str, status: &str, revision: Option<&str>, summary: Option<&str>) -> String {
    let mut text = format!("{} execution {ID}{}{ID:#}", mark(status), short(id));
    if let Some(revision) = revision {
        let _infallible = write!(text, " of {ID}{}{ID:#}", short(revision));
    }
    if let Some(summary) = summary.and_then(|summary| summary.lines().next()) {
        let _infallible = write!(text, " {DIM}{summary}{DIM:#}");
    }
    text
}

/// An action with its mark, its word and its time. Why it failed follows on lines of its own.
pub(crate) fn action_line(action: &ActionReport, execution: Option<&str>) -> String {
    let execution = execution.map(|name| format!("{ID}{name}{ID:#} "));
    let mut text = format!(
        "{} {}{} / {}",
        mark(&action.status),
        execution.unwrap_or_default(),
        action.stage,
        action.action
    );
    if action.status != "InProgress" {
        let _infallible = write!(text, " {DIM}{}{DIM:#}", duration(action.seconds));
    }
    if action.status != "Failed"
        && let Some(summary) = action.summary.as_deref().and_then(short_summary)
    {
        let _infallible = write!(text, "  {DIM}{summary}{DIM:#}");
    }
    text
}

fn finding_line(finding: &Finding) -> String {
    let (style, word) = match finding.severity {
        Severity::Error => (BAD, "error"),
        Severity::Note => (WAITING, "note"),
    };
    let help = finding.help.as_ref();
    let help = help.map(|help| format!("\n  {ID}help{ID:#}: {help}"));
    format!(
        "{style}{word}{style:#}: {}{}",
        finding.message,
        help.unwrap_or_default()
    )
}

/// Where each stage answers; none where no stage has an address.
fn addresses(urls: &BTreeMap<String, StageUrls>) -> Option<String> {
    let mut text = "addresses:".to_owned();
    for (stage, urls) in urls {
        for (what, url) in urls.named() {
            let _infallible = write!(text, "\n  {stage} {what:<4}  {ID}{url}{ID:#}");
        }
    }
    text.contains('\n').then_some(text)
}

fn log_lines(stage: &str, action: &str, lines: &[String]) -> String {
    let lines = lines.iter().map(|line| {
        let line = foreign::quoted(line);
        format!("{DIM}{stage} / {action} {line}{DIM:#}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A summary's first line, without the place of the log that ends it.
pub(crate) fn short_summary(summary: &str) -> Option<&str> {
    let line = summary.lines().next()?;
    Some(line.rsplit_once(" (log: ").map_or(line, |(short, _)| short))
}

fn result_line(result: &RunResult) -> String {
    let took = duration(result.seconds);
    match (&result.error, result.status.as_str()) {
        // The failure's own lines said why already.
        (Some(error), _) if error.kind == "pipeline-failed" && result.failed_actions() > 0 => {
            format!("{BAD}✗ not delivered{BAD:#} {DIM}after {took}{DIM:#}")
        }
        // The time belongs to the interruption, not to what it means.
        (Some(error), "interrupted") => {
            let (what, means) = match error.message.split_once("; ") {
                Some((what, means)) => (what, format!("; {means}")),
                None => (error.message.as_str(), String::new()),
            };
            format!("{WAITING}• {what}{WAITING:#} {DIM}after {took}{DIM:#}{means}")
        }
        (Some(error), _) => format!("{BAD}error{BAD:#}: {}", error.message),
        (None, "success") => format!("{GOOD}✓ delivered{GOOD:#} {DIM}in {took}{DIM:#}"),
        (None, status) => format!("{WAITING}• {status}{WAITING:#} {DIM}after {took}{DIM:#}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use crate::message::{ResultError, run_action, run_examples};

    #[test]
    fn every_change_is_a_line_that_needs_no_colour() {
        let lines: Vec<String> = run_examples()
            .iter()
            .filter_map(|message| line(message, None))
            .collect();
        insta::assert_snapshot!(anstream::adapter::strip_str(&lines.join("\n")).to_string());
    }

    #[test]
    fn the_time_of_an_interruption_is_not_that_of_its_end() {
        let interrupted = |message: &str| {
            let result = RunResult {
                seconds: 22.0,
                error: Some(ResultError {
                    kind: "interrupted".to_owned(),
                    message: message.to_owned(),
                }),
                ..RunResult::new(Exit::Interrupted)
            };
            anstream::adapter::strip_str(&result_line(&result)).to_string()
        };
        assert_eq!(
            interrupted("interrupted; everything that was started has been stopped"),
            "• interrupted after 22.0 s; everything that was started has been stopped"
        );
        assert_eq!(
            interrupted("stopped watching"),
            "• stopped watching after 22.0 s"
        );
    }

    #[test]
    fn an_action_says_whose_it_is_where_there_are_several_executions() {
        let message = RunMessage::Action(run_action("NpmInstall", "InProgress", 0.1, None));
        let text = line(&message, Some("8130db3d")).unwrap();
        let text = anstream::adapter::strip_str(&text).to_string();
        assert_eq!(text, "• InProgress  8130db3d Commit / NpmInstall");
    }

    #[test]
    fn no_quoted_line_begins_a_line() {
        for message in run_examples() {
            for line in line(&message, None).unwrap_or_default().lines() {
                let line = anstream::adapter::strip_str(line).to_string();
                assert!(!line.trim_start().starts_with("::"), "{line}");
            }
        }
    }
}
