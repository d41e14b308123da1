//! One pipeline, asked through CodePipeline's own API.

use aws_sdk_codepipeline::Client;
use aws_sdk_codepipeline::config::http::HttpResponse;
use aws_sdk_codepipeline::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_codepipeline::operation::stop_pipeline_execution::StopPipelineExecutionError;
use aws_sdk_codepipeline::primitives::DateTime;
use aws_sdk_codepipeline::types::{
    ActionExecutionDetail, ActionExecutionFilter, PipelineExecutionStatus, PipelineVariable,
    SourceRevisionOverride, StageDeclaration, TriggerType,
};
use delivery_action::aws::CallError;

use super::changes::{ActionSnapshot, Snapshot};
use super::commands;
use crate::error::CliError;
use crate::message::StageShape;
use crate::output::foreign;
use crate::pipeline::environment_of;

/// The pipeline that a run follows.
#[derive(Clone, Debug)]
pub(crate) struct Pipeline {
    client: Client,
    name: String,
}

/// A pipeline's shape, and which function each of its actions invokes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Its stages.
    pub(crate) stages: Vec<StageShape>,
    /// Stage, action, and the function's name.
    pub(crate) functions: Vec<(String, String, String)>,
    /// Stage, action, and the function of the application that it deploys.
    pub(crate) deployed: Vec<(String, String, String)>,
    /// Stage and action of what runs commands, and the folder that these go to first: `.` is the source's own.
    pub(crate) commands: Vec<(String, String, String)>,
    /// Stage, and the environment that it delivers to.
    pub(crate) environments: Vec<(String, String)>,
}

impl Shape {
    /// The function that an action invokes, if it invokes one.
    pub(crate) fn function(&self, stage: &str, action: &str) -> Option<&str> {
        let mut functions = self.functions.iter();
        let found = functions.find(|(of_stage, name, _)| of_stage == stage && name == action);
        found.map(|(_, _, function)| function.as_str())
    }

    /// The function of the application that an action deploys, if it deploys one.
    pub(crate) fn deployed_function(&self, stage: &str, action: &str) -> Option<&str> {
        let mut deployed = self.deployed.iter();
        let found = deployed.find(|(of_stage, name, _)| of_stage == stage && name == action);
        found.map(|(_, _, function)| function.as_str())
    }

    /// The environment that a stage delivers to, if it delivers to one.
    pub(crate) fn environment(&self, stage: &str) -> Option<&str> {
        let mut environments = self.environments.iter();
        let found = environments.find(|(of_stage, _)| of_stage == stage);
        found.map(|(_, environment)| environment.as_str())
    }

    /// The folder that an action's commands go to first, if it runs commands: their log is the pipeline's.
    pub(crate) fn folder_of_commands(&self, stage: &str, action: &str) -> Option<&str> {
        let mut commands = self.commands.iter();
        let found = commands.find(|(of_stage, name, _)| of_stage == stage && name == action);
        found.map(|(_, _, folder)| folder.as_str())
    }
}

impl Pipeline {
    pub(crate) fn new(client: Client, name: impl Into<String>) -> Self {
        Self {
            client,
            name: name.into(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The client that it is asked with.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// What a call on this pipeline did not succeed with.
    pub(crate) fn refused<E>(
        &self,
        action: &'static str,
    ) -> impl Fn(SdkError<E, HttpResponse>) -> CliError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let resource = self.name.clone();
        move |error| CallError::new(action, &resource, &error).into()
    }

    /// Starts an execution, of the revisions that are given instead of the newest, and returns its id.
    pub(crate) async fn start(
        &self,
        revisions: Option<Vec<SourceRevisionOverride>>,
    ) -> Result<String, CliError> {
        self.start_with(revisions, None).await
    }

    /// The same, with values of the pipeline's variables.
    pub(crate) async fn start_with(
        &self,
        revisions: Option<Vec<SourceRevisionOverride>>,
        variables: Option<Vec<PipelineVariable>>,
    ) -> Result<String, CliError> {
        let started = self
            .client
            .start_pipeline_execution()
            .name(&self.name)
            .set_source_revisions(revisions)
            .set_variables(variables)
            .send()
            .await
            .map_err(self.refused("codepipeline:StartPipelineExecution"))?;
        Ok(started
            .pipeline_execution_id()
            .unwrap_or_default()
            .to_owned())
    }

    /// The execution that the pipeline's creation started, if that was not before this time and is in progress: a
    /// pipeline that is created runs at once.
    pub(crate) async fn begun_by_creation(
        &self,
        since: DateTime,
    ) -> Result<Option<String>, CliError> {
        let listed = self
            .client
            .list_pipeline_executions()
            .pipeline_name(&self.name)
            .send()
            .await
            .map_err(self.refused("codepipeline:ListPipelineExecutions"))?;
        let begun = listed
            .pipeline_execution_summaries()
            .iter()
            .find(|execution| {
                execution.status() == Some(&PipelineExecutionStatus::InProgress)
                    && execution.start_time().is_some_and(|time| *time >= since)
                    && execution
                        .trigger()
                        .and_then(|trigger| trigger.trigger_type())
                        == Some(&TriggerType::CreatePipeline)
            });
        Ok(begun
            .and_then(|execution| execution.pipeline_execution_id())
            .map(str::to_owned))
    }

    /// Stops an execution and abandons its actions, unless it is over.
    pub(crate) async fn abandon(&self, execution: &str, reason: &str) -> Result<(), CliError> {
        let sent = self
            .client
            .stop_pipeline_execution()
            .pipeline_name(&self.name)
            .pipeline_execution_id(execution)
            .abandon(true)
            .reason(reason)
            .send()
            .await;
        match sent {
            Err(error)
                if !error.as_service_error().is_some_and(
                    StopPipelineExecutionError::is_pipeline_execution_not_stoppable_exception,
                ) =>
            {
                Err(self.refused("codepipeline:StopPipelineExecution")(error))
            }
            _ => Ok(()),
        }
    }

    /// The pipeline's stages as they are declared.
    pub(crate) async fn stages(&self) -> Result<Vec<StageDeclaration>, CliError> {
        let answer = self
            .client
            .get_pipeline()
            .name(&self.name)
            .send()
            .await
            .map_err(self.refused("codepipeline:GetPipeline"))?;
        Ok(answer
            .pipeline
            .map(|found| found.stages)
            .unwrap_or_default())
    }

    /// The pipeline's stages and actions.
    pub(crate) async fn shape(&self) -> Result<Shape, CliError> {
        let mut shape = Shape::default();
        for stage in self.stages().await? {
            let mut actions: Vec<_> = stage.actions().iter().collect();
            actions.sort_by_key(|action| action.run_order());
            for action in &actions {
                let function = action
                    .configuration()
                    .and_then(|values| values.get("FunctionName"));
                if let Some(function) = function {
                    let names = (
                        stage.name().to_owned(),
                        action.name().to_owned(),
                        function.clone(),
                    );
                    shape.functions.push(names);
                }
                let parameters = action
                    .configuration()
                    .and_then(|values| values.get("UserParameters"));
                let deployed = parameters.and_then(|parameters| deployed_function(parameters));
                if let Some(deployed) = deployed {
                    let names = (
                        stage.name().to_owned(),
                        action.name().to_owned(),
                        deployed.to_owned(),
                    );
                    shape.deployed.push(names);
                }
                let kind = action.action_type_id();
                if kind.is_some_and(|kind| kind.provider() == "Commands") {
                    let names = (
                        stage.name().to_owned(),
                        action.name().to_owned(),
                        commands::folder(action.commands()),
                    );
                    shape.commands.push(names);
                }
            }
            if let Some(environment) = environment_of(&stage) {
                let names = (stage.name().to_owned(), environment);
                shape.environments.push(names);
            }
            shape.stages.push(StageShape {
                name: stage.name().to_owned(),
                actions: actions
                    .iter()
                    .map(|action| action.name().to_owned())
                    .collect(),
            });
        }
        Ok(shape)
    }

    /// An execution as it is now.
    pub(crate) async fn look(&self, execution: &str) -> Result<Snapshot, CliError> {
        let answer = self
            .client
            .get_pipeline_execution()
            .pipeline_name(&self.name)
            .pipeline_execution_id(execution)
            .send()
            .await
            .map_err(self.refused("codepipeline:GetPipelineExecution"))?;
        let found = answer.pipeline_execution();
        let status = found
            .and_then(|found| found.status())
            .map(|status| status.as_str().to_owned());
        let revision = found.and_then(|found| found.artifact_revisions().first());
        Ok(Snapshot {
            execution: execution.to_owned(),
            status: status.unwrap_or_default(),
            revision: revision
                .and_then(|revision| revision.revision_id())
                .map(str::to_owned),
            summary: revision
                .and_then(|revision| revision.revision_summary())
                .map(foreign::text),
            actions: self.actions(execution).await?,
        })
    }

    async fn actions(&self, execution: &str) -> Result<Vec<ActionSnapshot>, CliError> {
        let filter = ActionExecutionFilter::builder()
            .pipeline_execution_id(execution)
            .build();
        let mut pages = self
            .client
            .list_action_executions()
            .pipeline_name(&self.name)
            .filter(filter)
            .into_paginator()
            .items()
            .send();
        let mut actions = Vec::new();
        while let Some(detail) = pages.next().await {
            actions.push(snapshot(
                &detail.map_err(self.refused("codepipeline:ListActionExecutions"))?,
            ));
        }
        // The service lists the newest first.
        actions.reverse();
        actions.sort_by(|a: &ActionSnapshot, b| a.started.total_cmp(&b.started));
        Ok(actions)
    }

    /// The newest action executions of all executions, as many as one page holds (100).
    pub(crate) async fn newest_actions(&self) -> Result<Vec<ActionSnapshot>, CliError> {
        let listed = self
            .client
            .list_action_executions()
            .pipeline_name(&self.name)
            .send()
            .await
            .map_err(self.refused("codepipeline:ListActionExecutions"))?;
        let details = listed.action_execution_details();
        Ok(details.iter().map(snapshot).collect())
    }

    /// The token with which an approval that waits is answered.
    pub(crate) async fn approval_token(&self, stage: &str, action: &str) -> Option<String> {
        let pipeline = self
            .client
            .get_pipeline_state()
            .name(&self.name)
            .send()
            .await
            .ok()?;
        let mut stages = pipeline.stage_states().iter();
        let mut actions = stages
            .find(|state| state.stage_name() == Some(stage))?
            .action_states()
            .iter();
        let waiting = actions.find(|state| state.action_name() == Some(action))?;
        waiting.latest_execution()?.token().map(str::to_owned)
    }
}

/// The function that deploy-app is told to deploy.
fn deployed_function(user_parameters: &str) -> Option<&str> {
    let mut pairs = user_parameters.split('&');
    pairs.find_map(|pair| pair.strip_prefix("function="))
}

fn snapshot(detail: &ActionExecutionDetail) -> ActionSnapshot {
    let seconds = |time: Option<&DateTime>| time.map_or(0.0, DateTime::as_secs_f64);
    let status = detail
        .status()
        .map_or("", |status| status.as_str())
        .to_owned();
    let started = seconds(detail.start_time());
    let until = if status == "InProgress" {
        delivery_action::clock::timestamp()
            .as_duration()
            .as_secs_f64()
    } else {
        seconds(detail.last_update_time())
    };
    let result = detail.output().and_then(|output| output.execution_result());
    let error = result.and_then(|result| result.error_details());
    ActionSnapshot {
        id: detail.action_execution_id().unwrap_or_default().to_owned(),
        stage: detail.stage_name().unwrap_or_default().to_owned(),
        action: detail.action_name().unwrap_or_default().to_owned(),
        status,
        started,
        seconds: round((until - started).max(0.0)),
        summary: result
            .and_then(|result| result.external_execution_summary())
            .map(foreign::text),
        outputs: detail
            .output()
            .and_then(|output| output.output_variables())
            .into_iter()
            .flatten()
            .map(|(name, value)| (foreign::line(name), foreign::line(value)))
            .collect(),
        request: result
            .and_then(|result| result.external_execution_id())
            .map(str::to_owned),
        error: error.map(|error| {
            (
                error.code().unwrap_or("JobFailed").to_owned(),
                foreign::text(error.message().unwrap_or_default()),
            )
        }),
    }
}

/// Milliseconds are as exact as anyone reads.
pub(crate) fn round(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}
