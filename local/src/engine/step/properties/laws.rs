//! The invariants of the state machine.

use std::collections::BTreeSet;

use super::{PIPELINE, World};
use crate::engine::declaration::{ExecutionMode, Provider};
use crate::engine::execution::{ActionStatus, Execution, JobStatus, Position};
use crate::engine::identity::ExecutionId;
use crate::engine::message::Timer;

impl World {
    pub(super) fn check(&mut self, retried: Option<&ExecutionId>) {
        self.check_active();
        self.check_locks();
        self.check_order();
        self.check_run_order();
        self.check_jobs();
        self.check_shells();
        self.check_ends(retried);
        let outputs = self
            .state
            .actions
            .values()
            .flat_map(|action| &action.outputs);
        let mut keys = BTreeSet::new();
        for artifact in outputs {
            assert!(
                keys.insert(&artifact.key),
                "two action executions share a key"
            );
        }
    }

    /// A shell runs for as long as its action is in progress, and for no other.
    fn check_shells(&self) {
        let actions = self.state.actions.values();
        let running = actions.filter(|action| {
            action.status == ActionStatus::InProgress
                && action.action.provider() == Some(Provider::Commands)
        });
        let running: BTreeSet<_> = running.map(|action| action.id.clone()).collect();
        assert_eq!(running, self.shells);
    }

    pub(super) fn active(&self) -> impl Iterator<Item = &Execution> {
        let executions = &self.state.pipelines[PIPELINE].executions;
        executions
            .iter()
            .map(|id| &self.state.executions[id])
            .filter(|it| it.is_active())
    }

    fn check_active(&self) {
        let pipeline = &self.state.pipelines[PIPELINE];
        let active: BTreeSet<_> = self.active().map(|it| it.id.clone()).collect();
        assert_eq!(pipeline.active, active, "the executions in progress");
        for (place, id) in pipeline.actions.iter().enumerate() {
            assert_eq!(self.state.actions[id].place, place);
        }
    }

    fn check_locks(&self) {
        for (name, state) in &self.state.pipelines[PIPELINE].stages {
            let inside = self.active().filter(|execution| {
                !execution.is_parallel()
                    && matches!(execution.position, Position::Inside(_))
                    && execution.stage().unwrap().name == *name
            });
            let inside: Vec<_> = inside.map(|execution| &execution.id).collect();
            assert!(inside.len() <= 1, "`{name}` holds {inside:?}");
            assert_eq!(
                state.lock_holder.as_ref(),
                inside.first().copied(),
                "the lock of `{name}`"
            );
            let waiting = state.waiting.iter().map(|id| &self.state.executions[id]);
            let superseding = waiting
                .clone()
                .filter(|it| it.mode == ExecutionMode::Superseded);
            assert!(superseding.count() <= 1, "`{name}` has one place to wait");
            for execution in waiting {
                assert!(
                    execution.is_active(),
                    "an ended execution waits at `{name}`"
                );
                assert!(matches!(execution.position, Position::Waiting(_)));
            }
        }
    }

    /// No execution overtakes another: of two that share stages, the older is at least as far.
    fn check_order(&self) {
        let place = |execution: &Execution| match execution.position {
            Position::Waiting(index) => 2 * index,
            Position::Inside(index) => 2 * index + 1,
            Position::Done => usize::MAX,
        };
        let sharing: Vec<_> = self.active().filter(|it| !it.is_parallel()).collect();
        for pair in sharing.windows(2) {
            assert!(
                place(pair[0]) >= place(pair[1]),
                "a newer execution overtook an older one"
            );
        }
    }

    fn check_run_order(&self) {
        for execution in self.active() {
            let Some(stage) = execution.stage() else {
                continue;
            };
            let Some(run) = execution.stage_runs.get(&stage.name) else {
                continue;
            };
            let status = |name: &str| run.latest.get(name).map(|id| self.state.actions[id].status);
            for action in stage
                .actions
                .iter()
                .filter(|action| status(&action.name).is_some())
            {
                let mut earlier = stage
                    .actions
                    .iter()
                    .filter(|it| it.run_order < action.run_order);
                assert!(
                    earlier.all(|it| status(&it.name) == Some(ActionStatus::Succeeded)),
                    "`{}` started before its run order came",
                    action.name
                );
            }
            if execution.is_parallel() {
                let running = run.latest.keys();
                let running = running.filter(|it| status(it) == Some(ActionStatus::InProgress));
                assert!(running.count() <= 5, "more than five actions run");
            }
        }
    }

    /// Whatever runs will end: something is there that ends it.
    fn check_jobs(&self) {
        for job in self
            .state
            .jobs
            .values()
            .filter(|job| job.status == JobStatus::InProgress)
        {
            let action = &self.state.actions[&job.action_execution];
            assert_eq!(
                action.status,
                ActionStatus::InProgress,
                "an open job of an ended action"
            );
            assert_eq!(
                action.job.as_ref(),
                Some(&job.id),
                "two open jobs of one action"
            );
        }
        for action in self.state.actions.values() {
            let execution = &self.state.executions[&action.execution];
            if action.status != ActionStatus::InProgress {
                continue;
            }
            assert!(
                execution.is_active(),
                "an action runs in an ended execution"
            );
            let timer = Timer::ActionTime {
                action: action.id.clone(),
            };
            assert!(
                self.timers.iter().any(|(_, set)| *set == timer),
                "no timer ends the action"
            );
        }
    }

    fn check_ends(&mut self, retried: Option<&ExecutionId>) {
        if let Some(id) = retried {
            self.ended.remove(id);
        }
        for (id, execution) in &self.ended {
            assert_eq!(
                &self.state.executions[id], execution,
                "an ended execution changed"
            );
        }
        for execution in self.state.executions.values().filter(|it| !it.is_active()) {
            self.ended.insert(execution.id.clone(), execution.clone());
        }
    }
}
