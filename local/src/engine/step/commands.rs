//! `Commands` actions: what is handed to the shell, and what becomes of its result.

use std::collections::BTreeMap;

use crate::engine::change::ArtifactLocation;
use crate::engine::commands::{CommandsRequest, InputArtifact, OutputArtifact};
use crate::engine::declaration::Provider;
use crate::engine::execution::{ActionStatus, ErrorDetails};
use crate::engine::identity::ActionExecutionId;
use crate::engine::message::{Effect, Reply, Timer};
use crate::engine::variables::{VariableError, resolve_text};

use super::Step;
use super::actions::lookup;
use super::jobs::MAX_OUTPUT_VARIABLE_BYTES;

impl Step<'_> {
    /// Hands an action's commands to the shell, unless a variable that they use has no value.
    pub(super) fn start_commands(&mut self, id: &ActionExecutionId) {
        match self.commands_request(id) {
            Ok(request) => {
                self.effects.push(Effect::RunCommands(Box::new(request)));
                let time = Timer::ActionTime { action: id.clone() };
                self.wake(self.state.durations.commands_action, time);
            }
            Err(error) => {
                let error = configuration_error(error.to_string());
                self.end_action(id, ActionStatus::Failed, Some(error));
            }
        }
    }

    fn commands_request(&self, id: &ActionExecutionId) -> Result<CommandsRequest, VariableError> {
        let action = self.action(id);
        let execution = self.execution(&action.execution);
        let lookup = lookup(execution);
        let declared = &action.action;
        let commands = declared.commands.iter();
        let commands = commands.map(|command| resolve_text("commands", command, &lookup));
        let variables = declared.environment_variables.iter().map(|variable| {
            let value = resolve_text("environmentVariables", &variable.value, &lookup)?;
            Ok((variable.name.clone(), value))
        });
        let inputs = action.inputs.iter().map(|artifact| InputArtifact {
            location: ArtifactLocation::from(artifact),
            revision: artifact.revision.clone(),
        });
        // The outputs of an action are in the order of its declaration.
        let declared_outputs = declared.output_artifacts.iter();
        let output = declared_outputs.zip(&action.outputs).next();
        let store = execution.declaration.store(&self.state.region);
        Ok(CommandsRequest {
            action: id.clone(),
            pipeline: execution.pipeline.clone(),
            commands: commands.collect::<Result<_, _>>()?,
            environment: variables.collect::<Result<_, VariableError>>()?,
            output_variables: declared.output_variables.clone(),
            inputs: inputs.collect(),
            output: output.map(|(declared, stored)| OutputArtifact {
                location: ArtifactLocation::from(stored),
                files: declared.files.clone(),
            }),
            encryption_key: store
                .and_then(|store| store.encryption_key.as_ref())
                .map(|key| key.id.clone()),
            start_time: self.now,
        })
    }

    /// What came of the commands; a result that comes after the action has ended is ignored.
    pub(super) fn commands_finished(
        &mut self,
        id: &ActionExecutionId,
        result: Result<BTreeMap<String, String>, ErrorDetails>,
    ) -> Reply {
        let action = self.state.actions.get(id);
        if action.is_none_or(|action| action.status != ActionStatus::InProgress) {
            return Reply::Nothing;
        }
        match result.and_then(within_limit) {
            Ok(variables) => {
                self.action_mut(id).output_variables = variables;
                self.complete(id, ActionStatus::Succeeded, None);
            }
            Err(error) => self.complete(id, ActionStatus::Failed, Some(error)),
        }
        Reply::Nothing
    }

    /// Ends what an action that has ended may still run.
    pub(super) fn end_commands(&mut self, id: &ActionExecutionId) {
        if self.action(id).action.provider() == Some(Provider::Commands) {
            let action = id.clone();
            self.effects.push(Effect::EndCommands { action });
        }
    }

    /// Ends what the actions of a pipeline run that is being deleted.
    pub(super) fn end_commands_of_pipeline(&mut self, name: &str) {
        let Some(pipeline) = self.state.pipelines.get(name) else {
            return;
        };
        let actions = pipeline.actions.iter().filter(|id| {
            let action = self.state.actions.get(id);
            action.is_some_and(|action| action.status == ActionStatus::InProgress)
        });
        for id in actions.cloned().collect::<Vec<_>>() {
            self.end_commands(&id);
        }
    }
}

fn within_limit(
    variables: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, ErrorDetails> {
    let lengths = variables.iter().map(|(key, value)| key.len() + value.len());
    let size: usize = lengths.sum();
    if size > MAX_OUTPUT_VARIABLE_BYTES {
        return Err(configuration_error(format!(
            "the output variables are {size} bytes; the limit is {MAX_OUTPUT_VARIABLE_BYTES}"
        )));
    }
    Ok(variables)
}

fn configuration_error(message: String) -> ErrorDetails {
    ErrorDetails {
        code: "ConfigurationError".to_owned(),
        message,
    }
}
