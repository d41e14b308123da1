//! `delivery status`.

#[cfg(test)]
pub(crate) mod tests;
mod text;

use std::collections::BTreeMap;

use aws_sdk_codepipeline::types::{PipelineExecutionStatus, TriggerType};
use delivery_release::repository::Repository;
use delivery_stack::description::Description;
use delivery_stack::state::State;
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::Global;
use crate::args::pipeline::Status;
use crate::cloud::Cloud;
use crate::error::CliError;
use crate::exit::Exit;
use crate::follow::repair::helps_to_retry;
use crate::output::answer::{self, CommandAnswer};
use crate::release::{application_of, find_repository};
use crate::settings::Settings;
use crate::stack::connection::find;
use crate::stack::pipelines::short;

use super::connection::{self, Connection};
use super::environments::{self, EnvironmentState, Environments};
use super::read;
use super::state::{PipelineState, StageState};
use super::target::Target;

/// What `delivery status` shows.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StatusDocument {
    /// The stack.
    pub(crate) stack: StackState,
    /// Its pipeline; `null` as long as there is none, and where there are several.
    pub(crate) pipeline: Option<PipelineState>,
    /// Its pipelines, where there are several, in the order in which they deliver.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) pipelines: Vec<PipelineState>,
    /// The pipelines that are applying a release to an environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) applying: Vec<PipelineState>,
    /// The environments that have stacks of services, or releases, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) environments: Vec<EnvironmentState>,
    /// What Source reads through.
    pub(crate) connection: Option<Connection>,
    /// The commands to go on with, the most urgent first.
    pub(crate) next: Vec<String>,
}

/// A stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StackState {
    /// Its name.
    pub(crate) name: String,
    /// CloudFormation's word for its status.
    pub(crate) status: String,
    /// What CloudFormation says of the status.
    pub(crate) reason: Option<String>,
    /// When it was changed last (RFC 3339).
    pub(crate) changed: Option<String>,
    /// Its outputs.
    pub(crate) outputs: BTreeMap<String, String>,
}

impl From<&Description> for StackState {
    fn from(stack: &Description) -> Self {
        let changed = stack.updated.or(stack.created);
        let changed = changed.and_then(|time| jiff::Timestamp::from_second(time.as_second()).ok());
        Self {
            name: stack.name.clone(),
            status: stack.status.clone(),
            reason: stack.reason.clone(),
            changed: changed.map(|time| time.to_string()),
            outputs: stack.outputs.clone(),
        }
    }
}

pub(crate) async fn status(global: &Global, arguments: &Status) -> Result<Exit, CliError> {
    let settings = Settings::load(global)?;
    let target = match Target::of(&settings).await {
        Ok(target) => target,
        Err(error) => return without_pipeline(global, &settings, error).await,
    };
    let shown = look(&settings, &target).await?;
    answer::print(global.json, &shown);
    Ok(if arguments.exit_status {
        shown.exit()
    } else {
        Exit::Success
    })
}

/// Reads everything that is shown.
pub(crate) async fn look(settings: &Settings, target: &Target) -> Result<StatusDocument, CliError> {
    let client = target.cloud.cloudformation();
    let repository = find_repository(&target.cloud, &target.stack);
    let application = application(settings, repository.as_ref()).await?;
    let mut environments = environments::find(&client, settings, &application).await?;
    if let Some(repository) = repository {
        let added = environments::add_releases(&repository, &mut environments).await;
        unless_denied(added)?;
    }
    environments::add_sites(
        &target.stack.outputs,
        settings.definition(),
        &mut environments,
    );
    let pipelines = target.pipelines();
    let mut looks = Vec::new();
    for pipeline in &pipelines {
        looks.push(read::state(pipeline).await?);
    }
    let connection = match connection::arn(&target.stack, pipelines.first()).await? {
        Some(arn) => {
            // Who may see the pipeline need not be allowed to see the connection.
            let found = find(&target.cloud.codeconnections(), &arn).await.ok();
            let status = found
                .map(|found| found.status)
                .filter(|status| !status.is_empty());
            Some(Connection::new(&arn, status, target.cloud.region()))
        }
        None => None,
    };
    let mut shown = StatusDocument::new((&target.stack).into(), looks, connection);
    shown.environments = environments;
    shown.applying = applying(target).await?;
    shown.next = shown.next_commands();
    Ok(shown)
}

/// Who may see a pipeline need not be allowed to read the releases.
fn unless_denied(added: Result<(), CliError>) -> Result<(), CliError> {
    match added {
        Err(error) if error.exit() != Exit::Denied => Err(error),
        _ => Ok(()),
    }
}

/// The pipelines that are applying a release. The execution that a pipeline's creation started has no release, and is not
/// shown.
async fn applying(target: &Target) -> Result<Vec<PipelineState>, CliError> {
    let mut found = Vec::new();
    for pipeline in target.applying() {
        let executions = match read::executions(&pipeline).await {
            Ok(executions) => executions,
            // Who may see what delivers need not be allowed to see what applies.
            Err(error) if error.exit() == Exit::Denied => continue,
            Err(error) => return Err(error),
        };
        let is_applying = executions.iter().any(|execution| {
            let trigger = execution.trigger().and_then(|one| one.trigger_type());
            let status = execution.status();
            let is_under_way = [
                PipelineExecutionStatus::InProgress,
                PipelineExecutionStatus::Stopping,
            ];
            trigger != Some(&TriggerType::CreatePipeline)
                && status.is_some_and(|status| is_under_way.contains(status))
        });
        if is_applying {
            found.push(read::state(&pipeline).await?);
        }
    }
    Ok(found)
}

/// The application: outside its repository that of its releases, if who asks may read them.
async fn application(
    settings: &Settings,
    repository: Option<&Repository>,
) -> Result<String, CliError> {
    if settings.definition().application().is_none()
        && let Some(repository) = repository
    {
        match application_of(repository).await {
            Ok(Some(application)) => return Ok(application),
            Ok(None) => {}
            Err(error) => unless_denied(Err(error))?,
        }
    }
    Ok(settings.application())
}

/// The environments of developers, where there is no stack with a pipeline; else the error that says so.
async fn without_pipeline(
    global: &Global,
    settings: &Settings,
    error: CliError,
) -> Result<Exit, CliError> {
    // The environments are those of the application here.
    if error.exit() != Exit::NotFound || settings.is_of_another_stack {
        return Err(error);
    }
    let cloud = Cloud::connect(settings).await?;
    let application = settings.application();
    let client = cloud.cloudformation();
    let environments = environments::find(&client, settings, &application).await?;
    if environments.is_empty() {
        return Err(error);
    }
    let shown = Environments {
        application,
        environments,
    };
    answer::print(global.json, &shown);
    Ok(Exit::Success)
}

impl StatusDocument {
    pub(crate) fn new(
        stack: StackState,
        mut pipelines: Vec<PipelineState>,
        connection: Option<Connection>,
    ) -> Self {
        let pipeline = match pipelines.len() {
            1 => pipelines.pop(),
            _ => None,
        };
        let mut shown = Self {
            stack,
            pipeline,
            pipelines,
            applying: Vec::new(),
            environments: Vec::new(),
            connection,
            next: Vec::new(),
        };
        shown.next = shown.next_commands();
        shown
    }

    /// A connection that waits comes first: nothing else can go on before. Then what failed, then an
    /// approval that waits.
    fn exit(&self) -> Exit {
        if self.connection_waits() {
            Exit::Pending
        } else if self.stack_failed() || self.failed_stages().next().is_some() {
            Exit::PipelineFailed
        } else if self.approvals_wait() {
            Exit::Pending
        } else {
            Exit::Success
        }
    }

    fn connection_waits(&self) -> bool {
        self.connection.as_ref().is_some_and(Connection::is_pending)
    }

    fn stack_failed(&self) -> bool {
        State::of(&self.stack.status).is_failure()
    }

    /// The pipelines, whether there is one or several, and those that are applying a release.
    pub(crate) fn all_pipelines(&self) -> impl Iterator<Item = &PipelineState> {
        let delivering = self.pipeline.iter().chain(&self.pipelines);
        delivering.chain(&self.applying)
    }

    fn failed_stages(&self) -> impl Iterator<Item = &StageState> {
        let stages = self.all_pipelines().flat_map(|pipeline| &pipeline.stages);
        stages.filter(|stage| stage.is_failed())
    }

    fn approvals_wait(&self) -> bool {
        let mut pipelines = self.all_pipelines();
        pipelines.any(|pipeline| !pipeline.approvals().is_empty())
    }

    fn next_commands(&self) -> Vec<String> {
        let mut next = Vec::new();
        if State::of(&self.stack.status).is_in_progress() {
            add(&mut next, "delivery wait".to_owned());
        }
        if self.stack_failed() {
            add(&mut next, "delivery log --failed".to_owned());
            add(&mut next, "delivery up".to_owned());
        }
        for pipeline in self.all_pipelines() {
            self.next_of_failures(pipeline, &mut next);
        }
        for pipeline in self.all_pipelines() {
            self.next_of_approvals(pipeline, &mut next);
        }
        let stages = self.all_pipelines().flat_map(|pipeline| &pipeline.stages);
        let reasons = stages.filter_map(|stage| stage.closed.as_ref()?.reason.as_deref());
        for command in reasons.filter_map(super::rollback::resume_command) {
            add(&mut next, command);
        }
        for pipeline in self.all_pipelines() {
            let mut running = pipeline.stages.iter().filter(|stage| stage.is_held());
            let all_wait = running.all(|stage| {
                let mut actions = stage.actions.iter();
                actions.any(|action| action.waits_for_approval)
            });
            if !all_wait {
                let choice = self.choice(pipeline);
                add(&mut next, format!("delivery log --follow{choice}"));
            }
        }
        if next.is_empty()
            && let Some(pipeline) = self.all_pipelines().next()
        {
            next.push(format!("delivery start{}", self.choice(pipeline)));
        }
        next
    }

    fn next_of_failures(&self, pipeline: &PipelineState, next: &mut Vec<String>) {
        let choice = self.choice(pipeline);
        for stage in pipeline.stages.iter().filter(|stage| stage.is_failed()) {
            add(next, "delivery log --failed".to_owned());
            match stage.failure_code() {
                Some("ConfigurationError") => {
                    add(next, "delivery up".to_owned());
                    add(next, format!("delivery start{choice}"));
                }
                Some(code) if !helps_to_retry(code) => add(next, format!("delivery start{choice}")),
                _ => add(next, format!("delivery retry {}{choice}", stage.name)),
            }
        }
    }

    fn next_of_approvals(&self, pipeline: &PipelineState, next: &mut Vec<String>) {
        let choice = self.choice(pipeline);
        for waiting in pipeline.approvals() {
            if let Some(revision) = &waiting.stage.revision {
                let id = crate::output::text::short(&revision.id);
                add(next, format!("delivery approve {id}{choice}"));
                add(next, format!("delivery reject {id}{choice}"));
            }
        }
    }

    /// The option that names a pipeline, where it has to be named.
    pub(crate) fn choice(&self, pipeline: &PipelineState) -> String {
        let is_the_only = self
            .pipeline
            .as_ref()
            .is_some_and(|one| one.name == pipeline.name);
        if is_the_only {
            return String::new();
        }
        format!(" --pipeline {}", short(&self.stack.name, &pipeline.name))
    }
}

/// Adds a command once.
fn add(next: &mut Vec<String>, command: String) {
    if !next.contains(&command) {
        next.push(command);
    }
}

impl CommandAnswer for StatusDocument {
    const TYPE: &'static str = "status";

    fn text(&self) -> String {
        text::text(self)
    }
}
