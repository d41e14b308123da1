//! Actions: what happens right before one starts, and when it ends.

use std::collections::BTreeMap;

use crate::engine::change::{ActionChange, ArtifactLocation, ChangeState, Subject};
use crate::engine::declaration::{ActionDeclaration, Provider};
use crate::engine::execution::{
    ActionExecution, ActionStatus, Details, ErrorDetails, Execution, JobStatus, SourceRevision,
    StoredArtifact,
};
use crate::engine::identity::{ActionExecutionId, ExecutionId};
use crate::engine::message::Reply;
use crate::engine::message::{Effect, SourceOutput, SourceRequest, Timer};
use crate::engine::variables::{
    self, EXECUTION_ID_KEY, EXECUTION_NAMESPACE, PIPELINE_NAMESPACE, VariableError,
};

use super::Step;

impl Step<'_> {
    /// Starts an action of the stage that an execution is in. It may fail at once.
    pub(super) fn start_action(&mut self, id: &ExecutionId, name: &str) {
        let execution = self.execution(id);
        let Some(stage) = execution.stage() else {
            return;
        };
        let Some(action) = stage.actions.iter().find(|action| action.name == name) else {
            return;
        };
        let (action, stage) = (action.clone(), stage.name.clone());
        let resolved = resolve(execution, &action);
        let inputs = inputs(execution, &action);
        let outputs = self.outputs(id, &action);
        let action_id = ActionExecutionId::from(self.ids.uuid());
        let error = resolved.as_ref().err().map(ToString::to_string);
        let error = error.or_else(|| inputs.as_ref().err().cloned());
        let action_execution = ActionExecution {
            id: action_id.clone(),
            execution: id.clone(),
            place: 0,
            stage: stage.clone(),
            action,
            status: ActionStatus::InProgress,
            start_time: self.now,
            last_update: self.now,
            resolved: resolved.unwrap_or_default(),
            inputs: inputs.unwrap_or_default(),
            outputs,
            output_variables: BTreeMap::new(),
            details: Details::default(),
            error: None,
            revision: None,
            token: None,
            last_updated_by: None,
            job: None,
            last_report: self.now,
        };
        self.record(id, &stage, action_execution);
        self.announce_action(&action_id, ChangeState::Started);
        match error {
            Some(message) => {
                let error = ErrorDetails {
                    code: "ConfigurationError".to_owned(),
                    message,
                };
                self.end_action(&action_id, ActionStatus::Failed, Some(error));
            }
            None => self.dispatch(&action_id),
        }
    }

    fn record(&mut self, id: &ExecutionId, stage: &str, mut action_execution: ActionExecution) {
        let action_id = action_execution.id.clone();
        let name = action_execution.action.name.clone();
        let pipeline = self.execution(id).pipeline.clone();
        let actions = &mut self.pipeline_mut(&pipeline).actions;
        action_execution.place = actions.len();
        actions.push(action_id.clone());
        self.state
            .actions
            .insert(action_id.clone(), action_execution);
        let execution = self.execution_mut(id);
        execution.actions.push(action_id.clone());
        if let Some(run) = execution.stage_runs.get_mut(stage) {
            run.latest.insert(name.clone(), action_id.clone());
        }
        if !execution.is_parallel() {
            self.stage_state(&pipeline, stage)
                .latest_actions
                .insert(name, action_id);
        }
    }

    /// Hands an action's work to its provider.
    fn dispatch(&mut self, id: &ActionExecutionId) {
        let durations = self.state.durations;
        let action_execution = self.action(id);
        let time = Timer::ActionTime { action: id.clone() };
        match action_execution.action.provider() {
            Some(Provider::Connection) => {
                let request = self.source_request(id);
                self.effects.push(Effect::FetchSource(request));
                self.wake(durations.source_action, time);
            }
            Some(Provider::Lambda) => {
                self.start_job(id, None);
                self.wake(
                    durations.silence,
                    Timer::Silence {
                        action: id.clone(),
                        last_report: self.now,
                    },
                );
                self.wake(durations.lambda_action, time);
            }
            Some(Provider::Manual) => self.ask_for_approval(id),
            Some(Provider::Commands) => self.start_commands(id),
            None => {
                let error = ErrorDetails {
                    code: "ConfigurationError".to_owned(),
                    message: "the local engine does not support this action's provider".to_owned(),
                };
                self.end_action(id, ActionStatus::Failed, Some(error));
            }
        }
    }

    fn source_request(&self, id: &ActionExecutionId) -> SourceRequest {
        let action = self.action(id);
        let execution = self.execution(&action.execution);
        let store = execution.declaration.store(&self.state.region);
        SourceRequest {
            action: id.clone(),
            configuration: action.resolved.clone(),
            revision: execution.overrides.get(&action.action.name).cloned(),
            outputs: action.outputs.clone(),
            encryption_key: store.and_then(|store| store.encryption_key.clone()),
        }
    }

    /// A source action's outcome; one that comes after the action has ended is ignored.
    pub(super) fn source_finished(
        &mut self,
        id: &ActionExecutionId,
        result: Result<SourceOutput, ErrorDetails>,
    ) -> Reply {
        let running = self.state.actions.get(id).is_some_and(|action| {
            action.status == ActionStatus::InProgress
                && action.action.provider() == Some(Provider::Connection)
        });
        if !running {
            return Reply::Nothing;
        }
        match result {
            Ok(output) => {
                self.note_revision(id, &output);
                let action = self.action_mut(id);
                action.output_variables = output.variables;
                action.details.summary = output.summary;
                for artifact in &mut action.outputs {
                    artifact.revision = Some(output.revision.clone());
                }
                self.complete(id, ActionStatus::Succeeded, None);
            }
            Err(error) => self.complete(id, ActionStatus::Failed, Some(error)),
        }
        Reply::Nothing
    }

    fn note_revision(&mut self, id: &ActionExecutionId, output: &SourceOutput) {
        let action = self.action(id);
        let (name, execution) = (action.action.name.clone(), action.execution.clone());
        let artifact = action.outputs.first().map(|artifact| artifact.name.clone());
        let created = self.now;
        let revisions = &mut self.execution_mut(&execution).revisions;
        revisions.retain(|revision| revision.action != name);
        revisions.push(SourceRevision {
            action: name,
            artifact,
            revision: output.revision.clone(),
            summary: output.summary.clone(),
            url: None,
            created,
        });
    }

    /// Ends an action and lets its execution go on.
    pub(super) fn complete(
        &mut self,
        id: &ActionExecutionId,
        status: ActionStatus,
        error: Option<ErrorDetails>,
    ) {
        self.end_action(id, status, error);
        let execution = self.action(id).execution.clone();
        self.advance(&execution);
    }

    /// Ends an action: its job can report no more, and what it made is there for others.
    pub(super) fn end_action(
        &mut self,
        id: &ActionExecutionId,
        status: ActionStatus,
        error: Option<ErrorDetails>,
    ) {
        let action = self.action_mut(id);
        action.status = status;
        action.error = error;
        let job = action.job.clone();
        let execution = action.execution.clone();
        let outputs = action.outputs.clone();
        let namespace = action.action.namespace.clone();
        let variables = action.output_variables.clone();
        if let Some(job) = job.and_then(|job| self.state.jobs.get_mut(&job))
            && job.status == JobStatus::InProgress
        {
            job.status = match status {
                ActionStatus::Succeeded | ActionStatus::InProgress => JobStatus::Succeeded,
                ActionStatus::Failed => JobStatus::Failed,
                ActionStatus::Abandoned => JobStatus::Abandoned,
            };
        }
        if status == ActionStatus::Succeeded {
            let execution = self.execution_mut(&execution);
            let named = outputs
                .into_iter()
                .map(|artifact| (artifact.name.clone(), artifact));
            execution.artifacts.extend(named);
            if let Some(namespace) = namespace {
                execution.outputs.insert(namespace, variables);
            }
        }
        if status != ActionStatus::Succeeded {
            self.end_commands(id);
        }
        let state = match status {
            ActionStatus::Succeeded => ChangeState::Succeeded,
            ActionStatus::Failed => ChangeState::Failed,
            ActionStatus::Abandoned => ChangeState::Abandoned,
            ActionStatus::InProgress => ChangeState::Started,
        };
        self.announce_action(id, state);
    }

    fn announce_action(&mut self, id: &ActionExecutionId, state: ChangeState) {
        let action = self.action(id);
        let outputs = if state == ChangeState::Succeeded {
            &*action.outputs
        } else {
            &[]
        };
        let change = ActionChange {
            stage: action.stage.clone(),
            action: action.action.name.clone(),
            action_execution_id: id.clone(),
            state,
            action_type: action.action.action_type_id.clone(),
            function: action.resolved.get("FunctionName").cloned(),
            region: self.state.region.clone(),
            inputs: action.inputs.iter().map(ArtifactLocation::from).collect(),
            outputs: outputs.iter().map(ArtifactLocation::from).collect(),
            details: action.details.clone(),
            error: action.error.clone(),
        };
        let execution = action.execution.clone();
        self.announce(&execution, Subject::Action(Box::new(change)));
    }

    /// Fresh places for an action's output artifacts: no two action executions share a key.
    fn outputs(&mut self, id: &ExecutionId, action: &ActionDeclaration) -> Vec<StoredArtifact> {
        let execution = self.execution(id);
        let pipeline = execution.pipeline.clone();
        let store = execution.declaration.store(&self.state.region);
        let bucket = store
            .map(|store| store.location.clone())
            .unwrap_or_default();
        let place = |artifact: &crate::engine::declaration::ArtifactName| StoredArtifact {
            name: artifact.name.clone(),
            revision: None,
            bucket: bucket.clone(),
            key: self.ids.artifact_key(&pipeline, &artifact.name),
        };
        action.output_artifacts.iter().map(place).collect()
    }
}

fn resolve(
    execution: &Execution,
    action: &ActionDeclaration,
) -> Result<BTreeMap<String, String>, VariableError> {
    variables::resolve(&action.configuration, lookup(execution))
}

/// Looks a variable up by its namespace and key.
pub(super) fn lookup<'e>(execution: &'e Execution) -> impl Fn(&str, &str) -> Option<&'e str> {
    move |space, key| match (space, key) {
        (EXECUTION_NAMESPACE, EXECUTION_ID_KEY) => Some(execution.id.as_str()),
        (PIPELINE_NAMESPACE, _) => execution.variables.get(key).map(String::as_str),
        _ => execution.outputs.get(space)?.get(key).map(String::as_str),
    }
}

fn inputs(
    execution: &Execution,
    action: &ActionDeclaration,
) -> Result<Vec<StoredArtifact>, String> {
    let stored = |name: &str| {
        let artifact = execution.artifacts.get(name).cloned();
        artifact.ok_or_else(|| format!("no action has produced the input artifact `{name}`"))
    };
    action
        .input_artifacts
        .iter()
        .map(|input| stored(&input.name))
        .collect()
}
