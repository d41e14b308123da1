//! Pipelines: their creation, update and deletion, and their tags.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::engine::declaration::{ExecutionMode, PipelineDeclaration, Tag};
use crate::engine::execution::{Trigger, TriggerType};
use crate::engine::message::{Refusal, Reply, Start};
use crate::engine::pipeline::Pipeline;
use crate::engine::structure;

use super::Step;

/// Pipelines of one account and region (User Guide, quotas: 1,000).
const MAX_PIPELINES: usize = 1_000;

/// Tags of one pipeline (`API_TagResource`: 50).
const MAX_TAGS: usize = 50;

/// Prefix that AWS keeps for its own tags.
const RESERVED_TAG_PREFIX: &str = "aws:";

impl Step<'_> {
    /// Creates a pipeline and starts its first execution, as the service does.
    pub(super) fn create(
        &mut self,
        mut declaration: PipelineDeclaration,
        tags: Vec<Tag>,
    ) -> Result<Reply, Refusal> {
        let name = declaration.name.clone();
        if self.state.pipelines.contains_key(&name) {
            let account = self.state.account_id.clone();
            return Err(Refusal::PipelineNameInUse {
                account,
                pipeline: name,
            });
        }
        if self.state.pipelines.len() >= MAX_PIPELINES {
            return Err(Refusal::LimitExceeded(MAX_PIPELINES));
        }
        structure::check(&declaration, &self.state.region)?;
        let tags = merged_tags(&[], tags)?;
        declaration.version = 1;
        structure::complete(&mut declaration);
        let startable = declaration
            .variables
            .iter()
            .all(|known| known.default_value.is_some());
        let pipeline = Pipeline {
            versions: vec![Arc::new(declaration)],
            created: self.now,
            updated: self.now,
            tags,
            stages: BTreeMap::new(),
            executions: Vec::new(),
            active: BTreeSet::new(),
            actions: Vec::new(),
            request_tokens: BTreeMap::new(),
        };
        self.state.pipelines.insert(name.clone(), pipeline);
        // A variable without a default can only come from someone who asks.
        if startable {
            let trigger = Trigger {
                trigger_type: TriggerType::CreatePipeline,
                trigger_detail: self.state.caller_arn(),
            };
            self.start(Start {
                pipeline: name,
                trigger,
                variables: BTreeMap::new(),
                request_token: None,
                overrides: Vec::new(),
            })?;
        }
        Ok(Reply::Nothing)
    }

    /// A new version; executions that share stages are cancelled, those of `PARALLEL` mode go on.
    pub(super) fn update(
        &mut self,
        mut declaration: PipelineDeclaration,
    ) -> Result<Reply, Refusal> {
        let name = declaration.name.clone();
        // The API declares no error for this case; code and text are those that moto's tests quote.
        let unknown = |_| Refusal::ResourceNotFound(self.state.not_included(&name));
        let version = self
            .state
            .pipeline(&name)
            .map_err(unknown)?
            .current()
            .version
            + 1;
        structure::check(&declaration, &self.state.region)?;
        declaration.version = version;
        structure::complete(&mut declaration);
        let now = self.now;
        let pipeline = self.pipeline_mut(&name);
        pipeline.versions.push(Arc::new(declaration));
        pipeline.updated = now;
        let mut active: Vec<_> = pipeline.active.iter().cloned().collect();
        active.sort_by_key(|id| self.execution(id).place);
        for id in active {
            let execution = self.execution(&id);
            if execution.mode != ExecutionMode::Parallel {
                self.cancel(&id);
            }
        }
        Ok(Reply::Nothing)
    }

    /// Deletes a pipeline with all that belongs to it; late reports find no job any more.
    pub(super) fn delete(&mut self, name: &str) -> Reply {
        self.end_commands_of_pipeline(name);
        self.state.pipelines.remove(name);
        self.state
            .executions
            .retain(|_, execution| execution.pipeline != name);
        let executions = &self.state.executions;
        self.state
            .actions
            .retain(|_, action| executions.contains_key(&action.execution));
        let actions = &self.state.actions;
        self.state
            .jobs
            .retain(|_, job| actions.contains_key(&job.action_execution));
        self.state
            .approvals
            .retain(|_, action| actions.contains_key(action));
        Reply::Nothing
    }

    pub(super) fn tag(&mut self, arn: &str, tags: Vec<Tag>) -> Result<Reply, Refusal> {
        let name = self.state.pipeline_of_arn(arn)?;
        let pipeline = self.pipeline_mut(&name);
        pipeline.tags = merged_tags(&pipeline.tags, tags)?;
        Ok(Reply::Nothing)
    }

    pub(super) fn untag(&mut self, arn: &str, keys: &[String]) -> Result<Reply, Refusal> {
        let name = self.state.pipeline_of_arn(arn)?;
        self.pipeline_mut(&name)
            .tags
            .retain(|tag| !keys.contains(&tag.key));
        Ok(Reply::Nothing)
    }
}

fn merged_tags(old: &[Tag], new: Vec<Tag>) -> Result<Vec<Tag>, Refusal> {
    let mut tags = old.to_vec();
    for (index, tag) in new.iter().enumerate() {
        if tag
            .key
            .to_ascii_lowercase()
            .starts_with(RESERVED_TAG_PREFIX)
        {
            return Err(Refusal::InvalidTags(format!(
                "tag key `{}` begins with `{RESERVED_TAG_PREFIX}`, which is reserved for AWS",
                tag.key
            )));
        }
        if new[..index].iter().any(|earlier| earlier.key == tag.key) {
            return Err(Refusal::InvalidTags(format!(
                "tag key `{}` is given twice",
                tag.key
            )));
        }
    }
    for tag in new {
        tags.retain(|known| known.key != tag.key);
        tags.push(tag);
    }
    if tags.len() > MAX_TAGS {
        return Err(Refusal::TooManyTags(MAX_TAGS));
    }
    Ok(tags)
}
