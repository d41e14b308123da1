//! `delivery status`.

mod text;

use std::collections::BTreeMap;

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
use crate::settings::Settings;
use crate::stack::connection::find;

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
    /// The environments that have stacks of services, by name.
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
    let (target, environments) = match Target::of(&settings).await {
        Ok(target) => {
            let client = target.cloud.cloudformation();
            let environments = environments::find(&client, &settings.application()).await?;
            (target, environments)
        }
        Err(error) => return without_pipeline(global, &settings, error).await,
    };
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
    answer::print(global.json, &shown);
    Ok(if arguments.exit_status {
        shown.exit()
    } else {
        Exit::Success
    })
}

/// The environments of developers, where there is no stack with a pipeline; else the error that says so.
async fn without_pipeline(
    global: &Global,
    settings: &Settings,
    error: CliError,
) -> Result<Exit, CliError> {
    if error.exit() != Exit::NotFound {
        return Err(error);
    }
    let cloud = Cloud::connect(settings).await?;
    let application = settings.application();
    let environments = environments::find(&cloud.cloudformation(), &application).await?;
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

    /// The pipelines, whether there is one or several.
    pub(super) fn all_pipelines(&self) -> impl Iterator<Item = &PipelineState> {
        self.pipeline.iter().chain(&self.pipelines)
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

    /// The option that names a pipeline, where there are several.
    pub(super) fn choice(&self, pipeline: &PipelineState) -> String {
        if self.pipelines.is_empty() {
            return String::new();
        }
        let stack = &self.stack.name;
        let name = pipeline.name.strip_prefix(stack.as_str());
        let name = name.and_then(|name| name.strip_prefix('-'));
        format!(" --pipeline {}", name.unwrap_or(&pipeline.name))
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::pipeline::state::{
        ActionFailure, ActionState, Closed, Inbound, Revision, StageState,
    };

    fn revision(letter: &str, message: &str) -> Revision {
        Revision {
            id: letter.repeat(40),
            message: Some(message.to_owned()),
            url: None,
        }
    }

    fn execution(letter: &str) -> String {
        format!("{}-0000-4000-8000-000000000000", letter.repeat(8))
    }

    fn action(name: &str, status: &str, of: &str, seconds: f64) -> ActionState {
        ActionState {
            name: name.to_owned(),
            status: Some(status.to_owned()),
            execution: Some(execution(of)),
            changed: Some("2026-11-21T09:40:11Z".to_owned()),
            seconds: Some(seconds),
            ..ActionState::default()
        }
    }

    fn stage(name: &str, status: &str, of: &str, actions: Vec<ActionState>) -> StageState {
        StageState {
            name: name.to_owned(),
            status: Some(status.to_owned()),
            execution: Some(execution(of)),
            revision: Some(revision(of, "Greet in French")),
            actions,
            ..StageState::default()
        }
    }

    fn stack(status: &str) -> StackState {
        let outputs = [
            ("Pipeline", "greeter-Delivery-ABC"),
            ("ProdApiUrl", "https://example.com/prod"),
        ];
        StackState {
            name: "greeter".to_owned(),
            status: status.to_owned(),
            reason: None,
            changed: Some("2026-11-21T09:00:00Z".to_owned()),
            outputs: outputs
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
        }
    }

    fn connection(status: &str) -> Connection {
        Connection::new(
            "arn:aws:codeconnections:eu-west-1:111122223333:connection/c",
            Some(status.to_owned()),
            "eu-west-1",
        )
    }

    #[test]
    fn a_retry_is_offered_where_it_can_help() {
        let next = |code: &str| {
            let mut failed = action("size-budget", "Failed", "b", 1.0);
            failed.error = Some(ActionFailure {
                code: code.to_owned(),
                message: "maxBytes is missing".to_owned(),
            });
            let pipeline = PipelineState {
                name: "greeter".to_owned(),
                stages: vec![stage("Acceptance", "Failed", "b", vec![failed])],
            };
            StatusDocument::new(stack("UPDATE_COMPLETE"), vec![pipeline], None).next
        };
        let log = "delivery log --failed";
        assert_eq!(
            next("SystemUnavailable"),
            [log, "delivery retry Acceptance"]
        );
        assert_eq!(
            next("ConfigurationError"),
            [log, "delivery up", "delivery start"]
        );
        assert_eq!(next("RevisionUnavailable"), [log, "delivery start"]);
    }

    /// Everything that can be seen at once.
    #[expect(clippy::too_many_lines, reason = "a list")]
    pub(crate) fn busy() -> StatusDocument {
        let mut failed = action("test-and-package", "Failed", "b", 8.25);
        failed.error = Some(ActionFailure {
            code: "JobFailed".to_owned(),
            message: "1 test failed: greetings greets the world\nhint: run `npx gulp package`"
                .to_owned(),
        });
        let mut approve = action("approve", "InProgress", "a", 125.0);
        approve.waits_for_approval = true;
        approve.token = Some("t".to_owned());
        let mut commit = stage(
            "Commit",
            "Failed",
            "b",
            vec![action("npm-install", "Succeeded", "b", 12.0), failed],
        );
        commit.inbound = vec![Inbound {
            execution: execution("c"),
            revision: Some(revision("c", "Greet in German")),
            waits_for: None,
        }];
        commit.closed = Some(Closed {
            reason: Some("release freeze".to_owned()),
            since: Some("2026-11-21T09:30:00Z".to_owned()),
            by: Some("arn:aws:iam::111122223333:user/ann".to_owned()),
        });
        let mut approval = stage("Approval", "InProgress", "a", vec![approve]);
        approval.inbound = vec![Inbound {
            execution: execution("d"),
            revision: None,
            waits_for: Some(execution("a")),
        }];
        let pipeline = PipelineState {
            name: "greeter-Delivery-ABC".to_owned(),
            stages: vec![
                stage(
                    "Source",
                    "Succeeded",
                    "c",
                    vec![action("Source", "Succeeded", "c", 2.0)],
                ),
                commit,
                approval,
                stage(
                    "Production",
                    "InProgress",
                    "d",
                    vec![
                        action("deploy-app", "InProgress", "d", 3.0),
                        action("deploy-site", "Succeeded", "a", 4.0),
                        ActionState {
                            name: "e2e".to_owned(),
                            ..ActionState::default()
                        },
                    ],
                ),
            ],
        };
        StatusDocument::new(
            stack("UPDATE_COMPLETE"),
            vec![pipeline],
            Some(connection("AVAILABLE")),
        )
    }

    fn quiet() -> StatusDocument {
        let pipeline = PipelineState {
            name: "greeter-Delivery-ABC".to_owned(),
            stages: vec![stage(
                "Source",
                "Succeeded",
                "a",
                vec![action("Source", "Succeeded", "a", 2.0)],
            )],
        };
        StatusDocument::new(
            stack("CREATE_COMPLETE"),
            vec![pipeline],
            Some(connection("AVAILABLE")),
        )
    }

    fn shown(document: &StatusDocument) -> String {
        anstream::adapter::strip_str(&document.text()).to_string()
    }

    #[test]
    fn a_busy_pipeline_says_who_waits_for_whom() {
        insta::assert_snapshot!(shown(&busy()));
    }

    #[test]
    fn a_pipeline_at_rest_is_short() {
        insta::assert_snapshot!(shown(&quiet()));
    }

    #[test]
    fn several_pipelines_are_shown_one_after_the_other_and_named_in_commands() {
        let mut failed = action("deploy-stack-database", "Failed", "a", 3.0);
        failed.error = Some(ActionFailure {
            code: "JobFailed".to_owned(),
            message: "the stack `shop-int-database` cannot be updated".to_owned(),
        });
        let mut approve = action("approve", "InProgress", "b", 125.0);
        approve.waits_for_approval = true;
        let pipeline = |name: &str, stages| PipelineState {
            name: name.to_owned(),
            stages,
        };
        let pipelines = vec![
            pipeline(
                "greeter-infra",
                vec![stage("int", "Failed", "a", vec![failed])],
            ),
            pipeline(
                "greeter-app",
                vec![stage("approval-prd", "InProgress", "b", vec![approve])],
            ),
        ];
        let document = StatusDocument::new(stack("UPDATE_COMPLETE"), pipelines, None);
        assert_eq!(document.exit(), Exit::PipelineFailed);
        insta::assert_snapshot!(shown(&document));
    }

    #[test]
    fn a_stack_without_a_pipeline_says_what_it_is() {
        let mut stack = stack("ROLLBACK_COMPLETE");
        stack.outputs.clear();
        stack.reason = Some("The following resource(s) failed to create: [Role].".to_owned());
        let document = StatusDocument::new(stack, Vec::new(), Some(connection("PENDING")));
        insta::assert_snapshot!(shown(&document));
    }

    #[test]
    fn the_exit_status_follows_what_is_shown() {
        assert_eq!(quiet().exit(), Exit::Success);
        assert_eq!(busy().exit(), Exit::PipelineFailed);
        let mut waits = busy();
        if let Some(pipeline) = &mut waits.pipeline {
            pipeline.stages.remove(1);
        }
        assert_eq!(waits.exit(), Exit::Pending);
        let pending = StatusDocument::new(
            stack("CREATE_COMPLETE"),
            Vec::new(),
            Some(connection("PENDING")),
        );
        assert_eq!(pending.exit(), Exit::Pending);
        let rolled_back = StatusDocument::new(stack("UPDATE_ROLLBACK_COMPLETE"), Vec::new(), None);
        assert_eq!(rolled_back.exit(), Exit::PipelineFailed);
    }
}
