//! One line for people for each change.

use std::fmt::Write as _;

use std::collections::BTreeMap;

use crate::event::{ActionReport, Event, Failure, Finding, RunResult, Severity, StageUrls, Step};
use crate::output::foreign;
use crate::output::style::{BAD, DIM, GOOD, ID, WAITING};

/// As many characters of an id or a commit as tell one from another.
const SHORT_ID: usize = 8;

/// The event for people; `None` where it says nothing new to them. `whose` names the execution that an
/// action belongs to, where there are several at the same time.
pub(crate) fn line(event: &Event, whose: Option<&str>) -> Option<String> {
    Some(match event {
        Event::Step {
            step,
            done,
            seconds,
            detail,
        } => step_line(*step, *done, *seconds, detail),
        Event::Pipeline { .. } | Event::Environment { .. } => return None,
        Event::Execution {
            execution,
            status,
            revision,
            summary,
        } => execution_line(execution, status, revision.as_deref(), summary.as_deref()),
        Event::Action(action) => action_line(action, whose),
        Event::Finding(finding) => finding_line(finding),
        Event::Addresses { urls } => addresses(urls),
        Event::Log {
            stage,
            action,
            lines,
        } => log_lines(stage, action, lines),
        Event::Failure(failure) => failure_lines(failure),
        Event::Approval {
            stage,
            action,
            command,
            ..
        } => format!(
            "{WAITING}• Waiting     {WAITING:#} {stage} / {action} waits for approval:\n  {ID}help{ID:#}: {command}"
        ),
        Event::Heartbeat { running, seconds } => format!(
            "{DIM}… after {}: {}{DIM:#}",
            duration(*seconds),
            if running.is_empty() {
                "waiting".to_owned()
            } else {
                running.join(", ")
            }
        ),
        Event::Notice { message } => message.clone(),
        Event::Result(result) => result_line(result),
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
pub(crate) fn action_line(action: &ActionReport, whose: Option<&str>) -> String {
    let whose = whose.map(|whose| format!("{ID}{whose}{ID:#} "));
    let mut text = format!(
        "{} {}{} / {}",
        mark(&action.status),
        whose.unwrap_or_default(),
        action.stage,
        action.action
    );
    if action.status != "InProgress" {
        let _infallible = write!(text, " {DIM}{}{DIM:#}", duration(action.seconds));
    }
    if action.status != "Failed"
        && let Some(summary) = action.summary.as_deref().and_then(gist)
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

/// Where each stage answers.
fn addresses(urls: &BTreeMap<String, StageUrls>) -> String {
    let mut text = "where it answers:".to_owned();
    for (stage, urls) in urls {
        for (what, url) in [("site", &urls.site), ("API", &urls.api)] {
            if let Some(url) = url {
                let _infallible = write!(text, "\n  {stage} {what:<4}  {ID}{url}{ID:#}");
            }
        }
    }
    text
}

fn log_lines(stage: &str, action: &str, lines: &[String]) -> String {
    let lines = lines.iter().map(|line| {
        let line = foreign::quoted(line);
        format!("{DIM}{stage} / {action} {line}{DIM:#}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A summary's first line, without the place of the log that ends it.
fn gist(summary: &str) -> Option<&str> {
    let line = summary.lines().next()?;
    Some(line.rsplit_once(" (log: ").map_or(line, |(gist, _)| gist))
}

/// Each thing once: the cause, what the program wrote (or, where it wrote nothing, the end of the action's
/// log), the hint, and where more is.
fn failure_lines(failure: &Failure) -> String {
    let cause = &failure.cause;
    let mut text = format!(
        "{BAD}error[{}]{BAD:#}: action {} failed in stage {}\n",
        failure.code, failure.action, failure.stage
    );
    let mut lines = cause.message.lines();
    let _infallible = writeln!(text, "  {}", lines.next().unwrap_or_default());
    for line in lines.chain(cause.output.iter().map(String::as_str)) {
        let _infallible = writeln!(text, "    {DIM}{}{DIM:#}", foreign::quoted(line));
    }
    if cause.output.is_empty() && !failure.log.is_empty() {
        let group = failure.log_group.as_deref().unwrap_or("the action");
        let _infallible = writeln!(text, "  {DIM}the end of the log {group}:{DIM:#}");
        for line in &failure.log {
            let _infallible = writeln!(text, "    {DIM}{}{DIM:#}", foreign::quoted(line));
        }
    }
    if let Some(hint) = &cause.hint {
        let _infallible = writeln!(text, "  {ID}hint{ID:#}: {}", hint.replace('\n', "\n    "));
    }
    let _infallible = write!(text, "  {ID}help{ID:#}: {}", failure.help);
    text
}

fn result_line(result: &RunResult) -> String {
    let took = duration(result.seconds);
    match (&result.error, result.status) {
        // Told by the failure's own lines already.
        (Some(error), _) if error.kind == "pipeline-failed" && result.failed_actions() > 0 => {
            format!("{BAD}✗ not delivered{BAD:#} {DIM}after {took}{DIM:#}")
        }
        (Some(error), "interrupted") => {
            format!(
                "{WAITING}• {}{WAITING:#} {DIM}after {took}{DIM:#}",
                error.message
            )
        }
        (Some(error), _) => format!("{BAD}error{BAD:#}: {}", error.message),
        (None, "success") => format!("{GOOD}✓ delivered{GOOD:#} {DIM}in {took}{DIM:#}"),
        (None, status) => format!("{WAITING}• {status}{WAITING:#} {DIM}after {took}{DIM:#}"),
    }
}

/// Symbol and word, so that colour is never the only sign.
pub(crate) fn mark(status: &str) -> String {
    let (symbol, style) = match status {
        "Succeeded" => ("✓", GOOD),
        "Failed" | "Abandoned" => ("✗", BAD),
        "Superseded" | "Cancelled" => ("⊘", WAITING),
        "Stopped" | "Stopping" => ("■", WAITING),
        "InProgress" => ("•", ID),
        _ => ("·", DIM),
    };
    format!("{style}{symbol} {status:<11}{style:#}")
}

/// The beginning of an id, enough to tell it from others.
pub(crate) fn short(id: &str) -> &str {
    let end = id
        .char_indices()
        .nth(SHORT_ID)
        .map_or(id.len(), |(end, _)| end);
    &id[..end]
}

/// A duration as a person reads it: `0.4 s`, `12.0 s`, `2 m 05 s`.
pub(crate) fn duration(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    format!(
        "{} m {:02} s",
        (seconds / 60.0).floor(),
        (seconds % 60.0).floor()
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::event::{Cause, ResultError, StageShape};
    use crate::exit::Exit;

    fn action(action: &str, status: &str, seconds: f64, summary: Option<&str>) -> ActionReport {
        ActionReport {
            execution: "3f2a6c1e-0000-4000-8000-000000000000".to_owned(),
            stage: "Commit".to_owned(),
            action: action.to_owned(),
            status: status.to_owned(),
            seconds,
            summary: summary.map(str::to_owned),
            failure: None,
        }
    }

    fn failure() -> Failure {
        let message = "1 of 2 tests failed: `greetings greets the world`\nhint: run `npx gulp package`\n\
                       last lines of output:\n  1 failing\n::error::injected\nlog: /aws/lambda/x y";
        Failure {
            execution: "3f2a6c1e-0000-4000-8000-000000000000".to_owned(),
            stage: "Commit".to_owned(),
            action: "TestAndPackage".to_owned(),
            code: "JobFailed".to_owned(),
            message: message.to_owned(),
            cause: Cause::read("JobFailed", message),
            log_group: Some("/aws/lambda/test-and-package".to_owned()),
            log: vec!["  1 failing".to_owned()],
            help: "fix it, commit, and run `delivery run` again".to_owned(),
        }
    }

    /// One event of each kind.
    #[expect(clippy::too_many_lines, reason = "a list")]
    pub(crate) fn examples() -> Vec<Event> {
        let urls = StageUrls {
            site: Some("http://127.0.0.1:4566/site/".to_owned()),
            api: Some("http://127.0.0.1:4566/api/prod".to_owned()),
        };
        let execution = "3f2a6c1e-0000-4000-8000-000000000000".to_owned();
        vec![
            Event::Step {
                step: Step::Functions,
                done: false,
                seconds: None,
                detail: "building 6 with cargo".to_owned(),
            },
            Event::Step {
                step: Step::LocalAws,
                done: true,
                seconds: Some(4.25),
                detail: "on port 4566".to_owned(),
            },
            Event::Pipeline {
                name: "greeter".to_owned(),
                stages: vec![StageShape {
                    name: "Source".to_owned(),
                    actions: vec!["Source".to_owned()],
                }],
            },
            Event::Execution {
                execution: execution.clone(),
                status: "InProgress".to_owned(),
                revision: Some("8130db3d2f6d0e78130db3d2f6d0e78130db3d2f".to_owned()),
                summary: Some("greet in French\n\nlong".to_owned()),
            },
            Event::Action(action("NpmInstall", "InProgress", 0.1, None)),
            Event::Action(action(
                "NpmInstall",
                "Succeeded",
                125.4,
                Some("290 packages (log: g s)"),
            )),
            Event::Failure(failure()),
            Event::Failure(Failure {
                cause: Cause::read("JobFailed", "no lock file"),
                ..failure()
            }),
            Event::Finding(Finding {
                severity: Severity::Note,
                message: "2 changed files are not committed and are not delivered".to_owned(),
                help: None,
            }),
            Event::Finding(Finding {
                severity: Severity::Error,
                message: "`node` was not found on PATH".to_owned(),
                help: Some("install Node.js".to_owned()),
            }),
            Event::Log {
                stage: "Commit".to_owned(),
                action: "npm-install".to_owned(),
                lines: vec!["added 290 packages".to_owned()],
            },
            Event::Addresses {
                urls: BTreeMap::from([("Production".to_owned(), urls.clone())]),
            },
            Event::Approval {
                execution: execution.clone(),
                stage: "Production".to_owned(),
                action: "Approve".to_owned(),
                command: "delivery approve 8130db3d".to_owned(),
            },
            Event::Heartbeat {
                running: vec!["Commit / NpmInstall".to_owned()],
                seconds: 30.0,
            },
            Event::Environment {
                variables: BTreeMap::from([("AWS_REGION".to_owned(), "us-east-1".to_owned())]),
            },
            Event::Notice {
                message: "the functions are taken from `dist`".to_owned(),
            },
            Event::Result(RunResult {
                execution: Some(execution),
                urls: BTreeMap::from([("Production".to_owned(), urls)]),
                actions: vec![action("NpmInstall", "Succeeded", 8.0, None)],
                seconds: 61.0,
                ..RunResult::new(Exit::Success)
            }),
            Event::Result(RunResult {
                seconds: 3.0,
                error: Some(ResultError {
                    kind: "tool-missing".to_owned(),
                    message: "`cargo` is not installed".to_owned(),
                }),
                ..RunResult::new(Exit::Failed)
            }),
            Event::Result(RunResult {
                seconds: 3.0,
                ..RunResult::new(Exit::Superseded)
            }),
        ]
    }

    #[test]
    fn every_change_is_a_line_that_needs_no_colour() {
        let lines: Vec<String> = examples()
            .iter()
            .filter_map(|event| line(event, None))
            .collect();
        insta::assert_snapshot!(anstream::adapter::strip_str(&lines.join("\n")).to_string());
    }

    #[test]
    fn an_action_says_whose_it_is_where_there_are_several_executions() {
        let event = Event::Action(action("NpmInstall", "InProgress", 0.1, None));
        let text = line(&event, Some("8130db3d")).unwrap();
        let text = anstream::adapter::strip_str(&text).to_string();
        assert_eq!(text, "• InProgress  8130db3d Commit / NpmInstall");
    }

    #[test]
    fn no_line_of_others_begins_a_line() {
        for event in examples() {
            for line in line(&event, None).unwrap_or_default().lines() {
                let line = anstream::adapter::strip_str(line).to_string();
                assert!(!line.trim_start().starts_with("::"), "{line}");
            }
        }
    }

    #[test]
    fn a_short_id_of_any_script_is_cut_between_characters() {
        assert_eq!(short("äöüäöüäöüäöü"), "äöüäöüäö");
        assert_eq!(short("abc"), "abc");
    }
}
