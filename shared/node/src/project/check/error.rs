//! What is wrong with a project, all of it as one error.

use delivery_action::failure::{ActionError, FailureType};

use super::{Finding, Severity};

/// Errors found before the job did anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckError {
    errors: Vec<Finding>,
}

impl CheckError {
    /// The notes among findings, one line each.
    ///
    /// # Errors
    ///
    /// [`CheckError`] if there are errors among them.
    pub fn notes_of(findings: Vec<Finding>) -> Result<Vec<String>, Self> {
        let (errors, others): (Vec<_>, Vec<_>) = findings
            .into_iter()
            .partition(|finding| finding.severity == Severity::Error);
        if !errors.is_empty() {
            return Err(Self { errors });
        }
        Ok(others
            .into_iter()
            .filter(|finding| finding.severity == Severity::Note)
            .map(|finding| finding.what)
            .collect())
    }
}

impl std::error::Error for CheckError {}

impl std::fmt::Display for CheckError {
    /// The one error; or `3 errors: (1) a; (2) b; (3) c`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let [error] = &self.errors[..] {
            return f.write_str(&error.what);
        }
        let errors = self.errors.iter().map(|error| error.what.as_str());
        write!(f, "{} errors: {}", self.errors.len(), numbered(errors))
    }
}

impl ActionError for CheckError {
    fn failure_type(&self) -> FailureType {
        FailureType::ConfigurationError
    }

    fn hint(&self) -> Option<String> {
        if let [error] = &self.errors[..] {
            return error.hint.clone();
        }
        let hints = self.errors.iter().map(|error| error.hint.as_deref());
        Some(numbered(hints.map(Option::unwrap_or_default)))
    }
}

fn numbered<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    texts
        .enumerate()
        .map(|(index, text)| format!("({}) {text}", index + 1))
        .collect::<Vec<_>>()
        .join("; ")
}
