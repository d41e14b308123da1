//! What changed between two looks at an execution. Pure: times and answers come from outside.

use std::collections::BTreeMap;

use crate::message::{ActionReport, Cause, RunMessage};

/// One execution as CodePipeline described it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Snapshot {
    /// The execution's id.
    pub(crate) execution: String,
    /// CodePipeline's word for its status; empty before it is known.
    pub(crate) status: String,
    /// The revision that Source fetched.
    pub(crate) revision: Option<String>,
    /// What the revision says of itself.
    pub(crate) summary: Option<String>,
    /// The action executions, oldest first.
    pub(crate) actions: Vec<ActionSnapshot>,
}

/// One action execution as CodePipeline described it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ActionSnapshot {
    /// The action execution's id: a retried action has several.
    pub(crate) id: String,
    /// The stage.
    pub(crate) stage: String,
    /// The action.
    pub(crate) action: String,
    /// CodePipeline's word for its status.
    pub(crate) status: String,
    /// When it began, in seconds since the epoch.
    pub(crate) started: f64,
    /// How long it took, or has taken so far.
    pub(crate) seconds: f64,
    /// What the action says of its result.
    pub(crate) summary: Option<String>,
    /// The variables that it left for later actions.
    pub(crate) outputs: BTreeMap<String, String>,
    /// The request id of the invocation that ended it.
    pub(crate) request: Option<String>,
    /// The failure's type and message.
    pub(crate) error: Option<(String, String)>,
}

impl Snapshot {
    /// Whether the execution is over.
    pub(crate) fn is_over(&self) -> bool {
        matches!(
            self.status.as_str(),
            "Succeeded" | "Failed" | "Stopped" | "Superseded" | "Cancelled"
        )
    }

    /// The actions as they are reported.
    pub(crate) fn reports(&self) -> Vec<ActionReport> {
        self.actions
            .iter()
            .map(|action| report(&self.execution, action))
            .collect()
    }

    /// The actions in progress, as people read them.
    pub(crate) fn running(&self) -> Vec<String> {
        self.actions
            .iter()
            .filter(|action| action.status == "InProgress")
            .map(|action| format!("{} / {}", action.stage, action.action))
            .collect()
    }

    /// The actions that failed.
    pub(crate) fn failed(&self) -> impl Iterator<Item = &ActionSnapshot> {
        self.actions
            .iter()
            .filter(|action| action.status == "Failed")
    }
}

fn report(execution: &str, action: &ActionSnapshot) -> ActionReport {
    ActionReport {
        execution: execution.to_owned(),
        stage: action.stage.clone(),
        action: action.action.clone(),
        status: action.status.clone(),
        seconds: action.seconds,
        summary: action.summary.clone(),
        outputs: action.outputs.clone(),
        failure: action
            .error
            .as_ref()
            .map(|(kind, message)| Cause::read(kind, message)),
    }
}

/// The messages for the difference of two snapshots. An action that began and ended between them is reported
/// once, with its end. The end of the execution comes last, so that a reader may stop there.
pub(crate) fn changes(before: &Snapshot, now: &Snapshot) -> Vec<RunMessage> {
    let execution = || RunMessage::Execution {
        execution: now.execution.clone(),
        status: now.status.clone(),
        revision: now.revision.clone(),
        summary: now.summary.clone(),
    };
    let known = before.actions.iter();
    let known: BTreeMap<&str, &ActionSnapshot> =
        known.map(|action| (action.id.as_str(), action)).collect();
    let has_changed = before.status != now.status || before.revision != now.revision;

    let mut events = Vec::new();
    if has_changed && !now.is_over() {
        events.push(execution());
    }
    for action in &now.actions {
        let report = || report(&now.execution, action);
        match known.get(action.id.as_str()) {
            Some(known) if known.status == action.status => {
                if action.status == "InProgress" && known.summary != action.summary {
                    events.push(RunMessage::Progress(report()));
                }
            }
            _ => events.push(RunMessage::Action(report())),
        }
    }
    if has_changed && now.is_over() {
        events.push(execution());
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(id: &str, action: &str, status: &str) -> ActionSnapshot {
        ActionSnapshot {
            id: id.to_owned(),
            stage: "Commit".to_owned(),
            action: action.to_owned(),
            status: status.to_owned(),
            started: 0.0,
            seconds: 1.0,
            summary: None,
            outputs: BTreeMap::new(),
            request: None,
            error: None,
        }
    }

    fn snapshot(status: &str, actions: Vec<ActionSnapshot>) -> Snapshot {
        Snapshot {
            execution: "e".to_owned(),
            status: status.to_owned(),
            actions,
            ..Snapshot::default()
        }
    }

    fn printed(before: &Snapshot, now: &Snapshot) -> Vec<String> {
        changes(before, now)
            .into_iter()
            .map(|event| match event {
                RunMessage::Execution { status, .. } => format!("execution {status}"),
                RunMessage::Action(action) => format!("{} {}", action.action, action.status),
                other => panic!("unexpected {other:?}"),
            })
            .collect()
    }

    #[test]
    fn the_first_look_tells_everything() {
        let now = snapshot("InProgress", vec![action("1", "Install", "InProgress")]);
        assert_eq!(
            printed(&Snapshot::default(), &now),
            ["execution InProgress", "Install InProgress"]
        );
    }

    #[test]
    fn nothing_is_told_twice() {
        let now = snapshot("InProgress", vec![action("1", "Install", "InProgress")]);
        assert_eq!(printed(&now, &now), [""; 0]);
    }

    #[test]
    fn what_an_action_in_progress_says_anew_is_told() {
        let saying = |summary: &str| {
            let action = ActionSnapshot {
                summary: Some(summary.to_owned()),
                ..action("1", "deploy-app", "InProgress")
            };
            snapshot("InProgress", vec![action])
        };
        let told = changes(&saying("10 %"), &saying("50 %"));
        let [RunMessage::Progress(report)] = told.as_slice() else {
            panic!("{told:?}");
        };
        assert_eq!(report.summary.as_deref(), Some("50 %"));
        assert_eq!(changes(&saying("50 %"), &saying("50 %")), []);
    }

    #[test]
    fn the_end_of_the_execution_is_told_after_its_actions() {
        let before = snapshot("InProgress", vec![action("1", "Install", "InProgress")]);
        let now = snapshot("Failed", vec![action("1", "Install", "Failed")]);
        assert_eq!(
            printed(&before, &now),
            ["Install Failed", "execution Failed"]
        );
    }

    #[test]
    fn a_retried_action_is_has_changed() {
        let before = snapshot("InProgress", vec![action("1", "Install", "Failed")]);
        let now = snapshot(
            "InProgress",
            vec![
                action("1", "Install", "Failed"),
                action("2", "Install", "InProgress"),
            ],
        );
        assert_eq!(printed(&before, &now), ["Install InProgress"]);
    }

    #[test]
    fn the_revision_is_told_as_soon_as_it_is_known() {
        let before = snapshot("InProgress", Vec::new());
        let now = Snapshot {
            revision: Some("8130db3".to_owned()),
            ..before.clone()
        };
        assert_eq!(printed(&before, &now), ["execution InProgress"]);
    }
}
