//! What the executions of a pipeline have brought to an environment, newest first.

use std::collections::BTreeMap;

use aws_sdk_codepipeline::types::{
    ActionExecutionDetail, ActionExecutionStatus, ExecutionType, PipelineExecutionFilter,
    SucceededInStageFilter,
};

use crate::error::CliError;
use crate::output::foreign;
use crate::pipeline::read;
use crate::pipeline::state::Revision;

use super::place::{App, Place};

/// How many action executions are looked at: some hundred deliveries of a pipeline of ten actions. CodePipeline keeps them
/// for twelve months.
const MOST_ACTIONS: usize = 1000;

/// An execution that succeeded in an environment's stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::pipeline) struct Delivery {
    pub(in crate::pipeline) execution: String,
    pub(in crate::pipeline) revision: Option<Revision>,
    /// Whether it rolled the stage back: CodePipeline does not roll back to such an execution.
    pub(in crate::pipeline) is_rollback: bool,
    /// The version of each function, by the action that deployed it.
    pub(in crate::pipeline) versions: BTreeMap<String, String>,
}

/// What an action did with a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::pipeline) struct AppRun {
    pub(in crate::pipeline) execution: String,
    pub(in crate::pipeline) action: String,
    /// The version that it brought, if it succeeded.
    pub(in crate::pipeline) version: Option<String>,
    /// CodePipeline's word for how it ended, or that it has not.
    pub(in crate::pipeline) status: String,
    /// What it says about its work now.
    pub(in crate::pipeline) summary: Option<String>,
    /// Why it failed.
    pub(in crate::pipeline) failure: Option<String>,
    /// Its parameters.
    pub(in crate::pipeline) user_parameters: Option<String>,
}

/// What the actions that deploy an environment's functions did, newest first.
pub(in crate::pipeline) async fn app_runs(place: &Place) -> Result<Vec<AppRun>, CliError> {
    let pipeline = &place.pipeline;
    let mut listed = pipeline
        .client()
        .list_action_executions()
        .pipeline_name(pipeline.name())
        .into_paginator()
        .items()
        .send();
    let mut runs = Vec::new();
    for _ in 0..MOST_ACTIONS {
        let Some(detail) = listed.next().await else {
            break;
        };
        let detail = detail.map_err(pipeline.refused("codepipeline:ListActionExecutions"))?;
        let is_app = |app: &App| detail.action_name() == Some(&app.action);
        if detail.stage_name() == Some(&place.stage) && place.apps.iter().any(is_app) {
            runs.push(app_run(&detail));
        }
    }
    Ok(runs)
}

fn app_run(detail: &ActionExecutionDetail) -> AppRun {
    let output = detail.output();
    let result = output.and_then(|output| output.execution_result());
    let variables = output.and_then(|output| output.output_variables());
    let succeeded = detail.status() == Some(&ActionExecutionStatus::Succeeded);
    let input = detail.input();
    let configuration = input.and_then(|input| input.resolved_configuration());
    AppRun {
        execution: detail
            .pipeline_execution_id()
            .unwrap_or_default()
            .to_owned(),
        action: detail.action_name().unwrap_or_default().to_owned(),
        version: variables
            .and_then(|variables| variables.get("FunctionVersion"))
            .filter(|_| succeeded)
            .cloned(),
        status: detail
            .status()
            .map_or("", |status| status.as_str())
            .to_owned(),
        summary: result
            .and_then(|result| result.external_execution_summary())
            .map(foreign::line),
        failure: result
            .and_then(|result| result.error_details()?.message())
            .map(foreign::line),
        user_parameters: configuration
            .and_then(|configuration| configuration.get("UserParameters"))
            .cloned(),
    }
}

/// The executions that succeeded in an environment's stage, newest first.
pub(in crate::pipeline) async fn deliveries(place: &Place) -> Result<Vec<Delivery>, CliError> {
    let pipeline = &place.pipeline;
    let stage = SucceededInStageFilter::builder().stage_name(&place.stage);
    let filter = PipelineExecutionFilter::builder().succeeded_in_stage(stage.build());
    let listed = pipeline
        .client()
        .list_pipeline_executions()
        .pipeline_name(pipeline.name())
        .filter(filter.build())
        .send()
        .await
        .map_err(pipeline.refused("codepipeline:ListPipelineExecutions"))?;
    let runs = if place.apps.is_empty() {
        Vec::new()
    } else {
        app_runs(place).await?
    };
    let listed = listed.pipeline_execution_summaries.unwrap_or_default();
    let delivery = |found: &aws_sdk_codepipeline::types::PipelineExecutionSummary| {
        let execution = found.pipeline_execution_id()?.to_owned();
        let mut versions = BTreeMap::new();
        // The newest run comes first: an older one of a retried stage does not count.
        for run in runs.iter().filter(|run| run.execution == execution) {
            if let Some(version) = &run.version {
                versions
                    .entry(run.action.clone())
                    .or_insert_with(|| version.clone());
            }
        }
        Some(Delivery {
            execution,
            revision: read::listed_revision(found),
            is_rollback: found.execution_type() == Some(&ExecutionType::Rollback),
            versions,
        })
    };
    Ok(listed.iter().filter_map(delivery).collect())
}
