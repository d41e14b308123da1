//! Lines of logs as text.

use anstyle::Style;

use super::{duration, mark, short};
use crate::message::LogLine;
use crate::output::foreign;
use crate::output::style::{BAD, DIM};

/// A line for people.
pub(super) fn line(line: &LogLine) -> String {
    match line {
        LogLine::StackLog {
            at,
            stack,
            resource,
            resource_type,
            status,
            reason,
        } => {
            let style = if status.ends_with("_FAILED") || status.contains("ROLLBACK") {
                BAD
            } else {
                Style::new()
            };
            let reason = reason.as_ref().map(|reason| format!("  {reason}"));
            format!(
                "{DIM}{at}{DIM:#}  {style}{status:<28}{style:#}  {stack} / {resource} {DIM}({resource_type}){DIM:#}{}",
                reason.unwrap_or_default()
            )
        }
        LogLine::ActionLog {
            execution,
            stage,
            action,
            status,
            seconds,
            log_group,
            error,
        } => {
            let mut lines = vec![format!(
                "{} {stage} / {action} {DIM}{}, execution {}{DIM:#}",
                mark(status),
                duration(*seconds),
                short(execution)
            )];
            if let Some(error) = error {
                lines.push(format!("{BAD}error[{}]{BAD:#}:", error.code));
                lines.extend(
                    error
                        .message
                        .lines()
                        .map(|line| format!("  {}", foreign::quoted(line))),
                );
            }
            if let Some(group) = log_group {
                lines.push(format!("{DIM}log of {group}:{DIM:#}"));
            }
            lines.join("\n")
        }
        LogLine::FunctionLog { at, message, .. } => {
            format!("  {DIM}{at}{DIM:#}  {}", foreign::quoted(message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::log_examples;

    #[test]
    fn the_failure_comes_before_the_lines() {
        let lines: Vec<String> = log_examples().iter().map(line).collect();
        insta::assert_snapshot!(anstream::adapter::strip_str(&lines.join("\n")).to_string());
    }
}
