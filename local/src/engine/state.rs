//! All that the engine knows, and the one way to change it: [`State::apply`].

use std::collections::BTreeMap;

use super::durations::Durations;
use super::execution::{ActionExecution, Execution, Job};
use super::identity::{ActionExecutionId, ExecutionId, Ids, JobId, Stamp};
use super::message::{Applied, Effect, Event, Refusal};
use super::pipeline::Pipeline;
use super::step::Step;

/// Pipelines, executions, action executions and jobs of one account and region.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State {
    pub(crate) region: String,
    pub(crate) account_id: String,
    pub(crate) durations: Durations,
    pub(crate) pipelines: BTreeMap<String, Pipeline>,
    pub(crate) executions: BTreeMap<ExecutionId, Execution>,
    pub(crate) actions: BTreeMap<ActionExecutionId, ActionExecution>,
    pub(crate) jobs: BTreeMap<JobId, Job>,
    /// Approvals, answered ones too, by their token.
    pub(crate) approvals: BTreeMap<String, ActionExecutionId>,
}

impl State {
    pub(crate) fn new(region: &str, account_id: &str, durations: Durations) -> Self {
        Self {
            region: region.to_owned(),
            account_id: account_id.to_owned(),
            durations,
            pipelines: BTreeMap::new(),
            executions: BTreeMap::new(),
            actions: BTreeMap::new(),
            jobs: BTreeMap::new(),
            approvals: BTreeMap::new(),
        }
    }

    /// One step of the machine: applies an event and returns the effects. A refused
    /// event changes nothing.
    pub(crate) fn apply(&mut self, stamp: Stamp, event: Event) -> Result<Applied, Refusal> {
        let mut step = Step::new(self, stamp.now, Ids::new(stamp.seed));
        let reply = step.handle(event)?;
        let effects: Vec<Effect> = step.into_effects();
        Ok(Applied { reply, effects })
    }

    pub(crate) fn pipeline(&self, name: &str) -> Result<&Pipeline, Refusal> {
        self.pipelines
            .get(name)
            .ok_or_else(|| Refusal::PipelineNotFound {
                account: self.account_id.clone(),
                pipeline: name.to_owned(),
            })
    }

    /// An execution of a pipeline.
    pub(crate) fn execution(
        &self,
        pipeline: &str,
        id: &ExecutionId,
    ) -> Result<&Execution, Refusal> {
        self.pipeline(pipeline)?;
        self.executions
            .get(id)
            .filter(|execution| execution.pipeline == pipeline)
            .ok_or_else(|| Refusal::ExecutionNotFound(id.clone()))
    }

    /// The caller of the API: always the account itself, since the engine does not authenticate.
    pub(crate) fn caller_arn(&self) -> String {
        format!("arn:aws:iam::{}:root", self.account_id)
    }

    /// The service's words for a pipeline that cannot be started or updated because it is unknown.
    pub(crate) fn not_included(&self, pipeline: &str) -> String {
        let account = &self.account_id;
        format!(
            "The account with id '{account}' does not include a pipeline with the name '{pipeline}'"
        )
    }

    pub(crate) fn pipeline_arn(&self, pipeline: &str) -> String {
        format!(
            "arn:aws:codepipeline:{}:{}:{pipeline}",
            self.region, self.account_id
        )
    }

    /// The pipeline of an ARN.
    pub(crate) fn pipeline_of_arn(&self, arn: &str) -> Result<String, Refusal> {
        let prefix = self.pipeline_arn("");
        let name = arn.strip_prefix(&prefix).unwrap_or_default();
        if self.pipelines.contains_key(name) {
            return Ok(name.to_owned());
        }
        Err(Refusal::ResourceNotFound(format!(
            "there is no resource `{arn}`"
        )))
    }
}
