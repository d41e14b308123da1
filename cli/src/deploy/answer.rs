//! What `delivery plan` answers.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;

use crate::message::{Change, StackMessage};
use crate::output::answer::CommandAnswer;
use crate::output::text::text;

/// What a deployment would change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeploymentPlan {
    /// The environment.
    pub(crate) environment: String,
    /// Its services, in the order in which they are deployed.
    pub(crate) services: Vec<PlannedService>,
}

/// What would change in a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlannedService {
    /// The service.
    pub(crate) service: String,
    /// Its stack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stack: Option<String>,
    /// Whether the stack would be created.
    pub(crate) creates: bool,
    /// What would change in it.
    pub(crate) changes: Vec<Change>,
    /// What holds data and would be replaced or removed without being named in `allow`: the deployment would be refused.
    pub(crate) refused: Vec<String>,
    /// What else is to be known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

impl PlannedService {
    /// Nothing is known of it yet.
    pub(super) fn new(service: &str) -> Self {
        Self {
            service: service.to_owned(),
            stack: None,
            creates: false,
            changes: Vec::new(),
            refused: Vec::new(),
            note: None,
        }
    }

    pub(super) fn with_note(self, note: &str) -> Self {
        Self {
            note: Some(note.to_owned()),
            ..self
        }
    }

    fn summary(&self) -> String {
        match (&self.note, self.creates, self.changes.len()) {
            (Some(note), _, _) => note.clone(),
            (None, true, _) => "the stack would be created".to_owned(),
            (None, false, 0) => "unchanged".to_owned(),
            (None, false, 1) => "1 change".to_owned(),
            (None, false, count) => format!("{count} changes"),
        }
    }
}

impl DeploymentPlan {
    /// Whether a deployment would be refused.
    pub(super) fn is_refused(&self) -> bool {
        self.services.iter().any(|one| !one.refused.is_empty())
    }
}

impl CommandAnswer for DeploymentPlan {
    const TYPE: &'static str = "plan";

    fn text(&self) -> String {
        let mut lines = format!("a deployment of this folder to {}:\n", self.environment);
        for service in &self.services {
            let _infallible = writeln!(lines, "{}: {}", service.service, service.summary());
            for change in &service.changes {
                let message = StackMessage::Change(change.clone()).into();
                let line = text(&message, None).unwrap_or_default();
                let _infallible = writeln!(lines, "{line}");
            }
            for refused in &service.refused {
                let _infallible = writeln!(
                    lines,
                    "  refused: {refused} holds data; name it in `allow` to let it go with its data"
                );
            }
        }
        lines
    }
}
