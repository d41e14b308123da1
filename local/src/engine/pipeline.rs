//! A pipeline as it stands: its versions, its stages' locks and entrances, its tags.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;

use super::declaration::{PipelineDeclaration, Tag};
use super::identity::{ActionExecutionId, ExecutionId};

/// A pipeline and what its stages hold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pipeline {
    /// Every version, the first at index 0.
    pub(crate) versions: Vec<Arc<PipelineDeclaration>>,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) tags: Vec<Tag>,
    /// By stage name; a stage that an update removed stays for executions that are still in it.
    pub(crate) stages: BTreeMap<String, StageState>,
    /// Oldest first.
    pub(crate) executions: Vec<ExecutionId>,
    /// Those of them that are in progress.
    pub(crate) active: BTreeSet<ExecutionId>,
    /// All action executions, oldest first.
    pub(crate) actions: Vec<ActionExecutionId>,
    /// Executions by the client's idempotency token.
    pub(crate) request_tokens: BTreeMap<String, ExecutionId>,
}

impl Pipeline {
    pub(crate) fn current(&self) -> &Arc<PipelineDeclaration> {
        self.versions
            .last()
            .expect("a pipeline is created with its first version")
    }

    pub(crate) fn stage_state(&mut self, stage: &str) -> &mut StageState {
        self.stages.entry(stage.to_owned()).or_default()
    }
}

/// A stage's lock, its entrance and its transitions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StageState {
    /// The execution that holds the lock; only `step::stage_lock` sets it.
    pub(crate) lock_holder: Option<ExecutionId>,
    /// Executions at the entrance, first come first.
    pub(crate) waiting: VecDeque<ExecutionId>,
    /// The execution that entered last.
    pub(crate) latest: Option<ExecutionId>,
    /// The newest execution of each action.
    pub(crate) latest_actions: BTreeMap<String, ActionExecutionId>,
    pub(crate) inbound: Transition,
    pub(crate) outbound: Transition,
}

/// Whether executions may pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Transition {
    /// Why not; `None` where they may.
    pub(crate) disabled_reason: Option<String>,
    pub(crate) last_changed: Option<Timestamp>,
}

impl Transition {
    pub(crate) fn is_enabled(&self) -> bool {
        self.disabled_reason.is_none()
    }
}
