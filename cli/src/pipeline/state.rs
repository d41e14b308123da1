//! The pipeline as it is now: each stage, who is in it, and who waits for it.

use delivery_stack::template::nearest;
use schemars::JsonSchema;
use serde::Serialize;

use crate::follow::repair::{helps_to_retry, lacks_release};
use crate::output::foreign;

/// A pipeline.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PipelineState {
    /// Its name.
    pub(crate) name: String,
    /// Its stages, in their order.
    pub(crate) stages: Vec<StageState>,
}

/// A stage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StageState {
    /// Its name.
    pub(crate) name: String,
    /// CodePipeline's word for how its latest execution is doing; `null` before the first one.
    pub(crate) status: Option<String>,
    /// The execution that is in it, or was in it last.
    pub(crate) execution: Option<String>,
    /// What that execution delivers.
    pub(crate) revision: Option<Revision>,
    /// The executions that wait to enter it.
    pub(crate) inbound: Vec<Inbound>,
    /// Why it lets nothing in, where its entrance is closed.
    pub(crate) closed: Option<Closed>,
    /// Its actions, by run order.
    pub(crate) actions: Vec<ActionState>,
}

/// An execution that waits to enter a stage.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Inbound {
    /// The execution.
    pub(crate) execution: String,
    /// What it delivers.
    pub(crate) revision: Option<Revision>,
    /// The execution that it waits for; `null` where none holds the stage.
    pub(crate) waits_for: Option<String>,
}

/// A stage's closed entrance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Closed {
    /// The reason that was given.
    pub(crate) reason: Option<String>,
    /// Since when (RFC 3339).
    pub(crate) since: Option<String>,
    /// Who closed it.
    pub(crate) by: Option<String>,
}

/// An action.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ActionState {
    /// Its name.
    pub(crate) name: String,
    /// CodePipeline's word for how its latest run is doing; `null` before the first one.
    pub(crate) status: Option<String>,
    /// The execution that its latest run belongs to: an older one where the stage's has not come to it yet.
    pub(crate) execution: Option<String>,
    /// When the status changed last (RFC 3339).
    pub(crate) changed: Option<String>,
    /// How long it took, or has taken so far.
    pub(crate) seconds: Option<f64>,
    /// How much of it is done, where it says so.
    pub(crate) percent_complete: Option<i32>,
    /// What it says of its result.
    pub(crate) summary: Option<String>,
    /// Why it failed.
    pub(crate) error: Option<ActionFailure>,
    /// Whether it waits for a person.
    pub(crate) waits_for_approval: bool,
    /// What answers the approval: it belongs to this very run.
    #[serde(skip)]
    pub(crate) token: Option<String>,
}

/// Why an action failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct ActionFailure {
    /// CodePipeline's failure type.
    pub(crate) code: String,
    /// What the action reported.
    pub(crate) message: String,
}

/// A version of the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Revision {
    /// The commit's id.
    pub(crate) id: String,
    /// The commit's message, its first line.
    pub(crate) message: Option<String>,
    /// Where it can be seen.
    pub(crate) url: Option<String>,
}

impl Revision {
    /// A revision as CodePipeline describes it. Through a connection the summary is JSON that holds the
    /// commit's message.
    pub(crate) fn new(id: &str, summary: Option<&str>, url: Option<&str>) -> Self {
        let message = summary.map(|summary| {
            let read: Option<serde_json::Value> = serde_json::from_str(summary).ok();
            let message = read
                .as_ref()
                .and_then(|read| read["CommitMessage"].as_str());
            foreign::text(message.unwrap_or(summary))
        });
        let first = |text: String| text.lines().next().map(str::to_owned);
        Self {
            id: id.to_owned(),
            message: message.and_then(first).filter(|text| !text.is_empty()),
            url: url.filter(|url| !url.is_empty()).map(str::to_owned),
        }
    }

    /// The beginning of the id and the message.
    pub(crate) fn short_form(&self) -> String {
        let id = crate::output::text::short(&self.id);
        match &self.message {
            Some(message) => format!("{id} {message}"),
            None => id.to_owned(),
        }
    }
}

/// A revision for people, also where it is not known.
pub(crate) fn short_form(revision: Option<&Revision>) -> String {
    revision.map_or_else(|| "an unknown commit".to_owned(), Revision::short_form)
}

/// A stage was named that the pipeline does not have.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the pipeline has no stage `{stage}`; it has {known}")]
pub(crate) struct NoStage {
    stage: String,
    meant: Option<String>,
    known: String,
}

impl NoStage {
    /// What to do next.
    pub(crate) fn hint(&self) -> String {
        self.meant.as_ref().map_or_else(
            || "choose one of these".to_owned(),
            |meant| format!("did you mean `{meant}`?"),
        )
    }
}

/// An approval that waits for a person.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Waiting<'a> {
    pub(crate) stage: &'a StageState,
    pub(crate) action: &'a ActionState,
}

impl PipelineState {
    /// The approvals that wait.
    pub(crate) fn approvals(&self) -> Vec<Waiting<'_>> {
        self.stages
            .iter()
            .flat_map(|stage| {
                let waits = stage
                    .actions
                    .iter()
                    .filter(|action| action.waits_for_approval);
                waits.map(move |action| Waiting { stage, action })
            })
            .collect()
    }

    /// The stage of a name.
    pub(crate) fn stage(&self, name: &str) -> Result<&StageState, NoStage> {
        let found = self.stages.iter().find(|stage| stage.name == name);
        found.ok_or_else(|| {
            let names: Vec<String> = self.stages.iter().map(|stage| stage.name.clone()).collect();
            NoStage {
                stage: name.to_owned(),
                meant: nearest(name, names.iter().map(String::as_str)).map(str::to_owned),
                known: super::listed(&names),
            }
        })
    }
}

impl StageState {
    /// Whether its latest execution did not get through it.
    pub(crate) fn is_failed(&self) -> bool {
        matches!(
            self.status.as_deref(),
            Some("Failed" | "Stopped" | "Cancelled")
        )
    }

    /// The failure type of the action that failed in it: one that a retry cannot help with before the others.
    pub(crate) fn failure_code(&self) -> Option<&str> {
        let failed = self.actions.iter().filter(|action| {
            action.status.as_deref() == Some("Failed") && !self.has_not_reached(action)
        });
        let codes: Vec<&str> = failed
            .filter_map(|action| Some(action.error.as_ref()?.code.as_str()))
            .collect();
        let hopeless = codes.iter().find(|code| !helps_to_retry(code));
        hopeless.or(codes.first()).copied()
    }

    /// Whether it failed since its execution was started without a release.
    pub(crate) fn lacks_release(&self) -> bool {
        let reached = self
            .actions
            .iter()
            .filter(|action| !self.has_not_reached(action));
        let mut errors = reached.filter_map(|action| action.error.as_ref());
        errors.any(|error| lacks_release(&error.code, &error.message))
    }

    /// Whether an execution is in it.
    pub(crate) fn is_held(&self) -> bool {
        matches!(self.status.as_deref(), Some("InProgress" | "Stopping"))
    }

    /// Whether an action's latest run belongs to an earlier execution.
    pub(crate) fn has_not_reached(&self, action: &ActionState) -> bool {
        action.execution.is_some() && action.execution != self.execution
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_in_the_wrong_case_is_suggested() {
        let stage = |name: &str| StageState {
            name: name.to_owned(),
            ..StageState::default()
        };
        let pipeline = PipelineState {
            name: "p".to_owned(),
            stages: vec![stage("Source"), stage("Commit")],
        };
        let hint = |name| pipeline.stage(name).unwrap_err().hint();
        assert_eq!(hint("commit"), "did you mean `Commit`?");
        assert_eq!(hint("x"), "choose one of these");
    }

    #[test]
    fn the_message_of_a_connection_s_commit_is_read_from_its_summary() {
        let summary =
            r#"{"ProviderType":"GitHub","CommitMessage":"Greet in French\n\nIt is asked for."}"#;
        let revision = Revision::new("8130db3d2f6d0e78", Some(summary), Some(""));
        assert_eq!(revision.short_form(), "8130db3d Greet in French");
        assert_eq!(revision.url, None);
        let hostile = "Harmless change\u{1b}[2K\u{1b}[1G\u{1b}[1A\u{1b}[2K\u{202e}\u{9b}2J";
        let hostile = Revision::new("8130db3d2f6d0e78", Some(hostile), None);
        assert_eq!(hostile.short_form(), "8130db3d Harmless change");
        let plain = Revision::new("8130db3d2f6d0e78", Some("Greet\n\nbody"), None);
        assert_eq!(plain.short_form(), "8130db3d Greet");
        assert_eq!(
            Revision::new("8130db3d2f", Some(""), None).short_form(),
            "8130db3d"
        );
    }
}
