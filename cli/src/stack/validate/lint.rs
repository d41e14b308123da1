//! cfn-lint, where it is installed.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;
use tokio::process::Command;

use super::{Finding, Severity};
use crate::error::CliError;
use crate::preflight::is_on_path;

const PROGRAM: &str = "cfn-lint";

/// A match as cfn-lint writes it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Match {
    filename: String,
    level: String,
    message: String,
    rule: Rule,
    location: Location,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Rule {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Location {
    start: Place,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Place {
    line_number: u32,
}

/// The one that is installed with the local AWS, else the one on the path.
pub(super) fn program(home: &Path) -> Option<PathBuf> {
    let installed = home.join("tools/bin").join(PROGRAM);
    if installed.exists() {
        return Some(installed);
    }
    // Looked for, because an attempt to start what is not there costs a copy of this process.
    is_on_path(PROGRAM).then(|| PROGRAM.into())
}

/// Runs it on these files.
pub(super) async fn run(program: &Path, templates: &[PathBuf]) -> Result<Vec<Finding>, CliError> {
    let output = Command::new(program)
        .args(["--format", "json", "--"])
        .args(templates)
        .stdin(Stdio::null())
        .output()
        .await;
    let output = output.map_err(|source| CliError::Program {
        program: PROGRAM,
        source,
    })?;
    // It ends with another code for what it found, and then prints it all the same.
    match read(&output.stdout) {
        Some(findings) => Ok(findings),
        None => Err(CliError::Program {
            program: PROGRAM,
            source: std::io::Error::other(
                String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            ),
        }),
    }
}

fn read(printed: &[u8]) -> Option<Vec<Finding>> {
    if printed.trim_ascii().is_empty() {
        return None;
    }
    let matches: Vec<Match> = serde_json::from_slice(printed).ok()?;
    let finding = |one: Match| Finding {
        severity: if one.level == "Error" {
            Severity::Error
        } else {
            Severity::Warning
        },
        message: format!(
            "line {}: {} ({})",
            one.location.start.line_number, one.message, one.rule.id
        ),
        file: one.filename,
        help: None,
    };
    Some(matches.into_iter().map(finding).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_prints_is_read() {
        let printed = br#"[{"Filename":"a.yaml","Level":"Error","Message":"no such type","Rule":{"Id":"E3006"},
            "Location":{"Start":{"LineNumber":3,"ColumnNumber":1},"End":{"LineNumber":3,"ColumnNumber":9}}}]"#;
        let found = read(printed).unwrap();
        assert_eq!(
            found,
            [Finding {
                file: "a.yaml".to_owned(),
                severity: Severity::Error,
                message: "line 3: no such type (E3006)".to_owned(),
                help: None,
            }]
        );
        assert_eq!(read(b"[]").unwrap(), []);
        assert_eq!(read(b""), None);
    }
}
