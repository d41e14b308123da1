//! `delivery start`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use aws_sdk_codepipeline::types::{
    ActionCategory, SourceRevisionOverride, SourceRevisionType, StageDeclaration,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::Global;
use crate::args::pipeline::Start;
use crate::error::{CliError, Explained};
use crate::exit::Exit;
use crate::follow::outcome::{self, Outcome, Progress};
use crate::follow::{self, BeforeRetry, Clients, Explainer, Location, Pipeline, Shape, round};
use crate::interrupt::Interrupt;
use crate::message::RunMessage;
use crate::output::Reporter;
use crate::output::answer::{self, CommandAnswer};
use crate::output::text::short;

use super::target::Target;

/// An execution that was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Started {
    /// The pipeline.
    pipeline: String,
    /// The execution's id.
    execution: String,
    /// The commit, where one was named; else the branch's newest is taken.
    revision: Option<String>,
    /// The command to go on with.
    next: &'static str,
}

impl CommandAnswer for Started {
    const TYPE: &'static str = "start";

    fn text(&self) -> String {
        let of = self
            .revision
            .as_ref()
            .map(|id| format!(" of {}", short(id)))
            .unwrap_or_default();
        format!(
            "• execution {}{of} has started\nnext: {}\n",
            self.execution, self.next
        )
    }
}

pub(crate) async fn start(global: &Global, arguments: &Start) -> Result<Exit, CliError> {
    if let Some(revision) = arguments.revision.as_ref().filter(|text| !is_commit(text)) {
        return Err(NotACommit {
            revision: revision.clone(),
        }
        .into());
    }
    let target = Target::find(global).await?;
    let pipeline = target.the_only(arguments.choice.pipeline.as_deref())?;
    let revisions = match &arguments.revision {
        Some(commit) => Some(vec![overriding(&pipeline, commit).await?]),
        None => None,
    };
    if arguments.waiting.wait {
        let timeout = arguments.waiting.timeout;
        return wait(global, &target, pipeline, revisions, timeout).await;
    }
    let started = Started {
        execution: pipeline.start(revisions).await?,
        pipeline: pipeline.name().to_owned(),
        revision: arguments.revision.clone(),
        next: "delivery status",
    };
    answer::print(global.json, &started);
    Ok(Exit::Success)
}

/// Follows the execution as `run` does, and ends as it did.
async fn wait(
    global: &Global,
    target: &Target,
    pipeline: Pipeline,
    revisions: Option<Vec<SourceRevisionOverride>>,
    timeout: Duration,
) -> Result<Exit, CliError> {
    let following = Following::prepare(&pipeline).await?;
    let execution = pipeline.start(revisions).await?;
    let next = "delivery log --follow";
    following
        .follow(global, target, pipeline, &execution, timeout, next)
        .await
}

/// What follows an execution. It is prepared before the execution is started, so that nothing is missed.
pub(crate) struct Following {
    since: Instant,
    shape: Shape,
    interrupt: Interrupt,
    before: BeforeRetry,
}

impl Following {
    /// Looks at the pipeline, and listens for signals.
    pub(crate) async fn prepare(pipeline: &Pipeline) -> Result<Self, CliError> {
        Ok(Self {
            since: Instant::now(),
            shape: pipeline.shape().await?,
            interrupt: Interrupt::listen().map_err(|source| CliError::Program {
                program: "delivery",
                source,
            })?,
            before: BeforeRetry::default(),
        })
    }

    /// The same for an execution that is about to be retried.
    pub(crate) async fn prepare_retry(
        pipeline: &Pipeline,
        execution: &str,
    ) -> Result<Self, CliError> {
        Ok(Self {
            before: BeforeRetry::of(&pipeline.look(execution).await?),
            ..Self::prepare(pipeline).await?
        })
    }

    /// Follows the execution until it has ended. `next` is the command that follows it after an interruption.
    pub(crate) async fn follow(
        mut self,
        global: &Global,
        target: &Target,
        pipeline: Pipeline,
        execution: &str,
        timeout: Duration,
        next: &str,
    ) -> Result<Exit, CliError> {
        let reporter = Reporter::new(global);
        let shape = self.shape.clone();
        reporter.report(RunMessage::Pipeline {
            name: pipeline.name().to_owned(),
            stages: shape.stages.clone(),
        });
        let clients = Clients {
            lambda: target.cloud.lambda(),
            logs: target.cloud.logs(),
            cloudformation: target.cloud.cloudformation(),
        };
        let here = PathBuf::from(".");
        let explainer = Explainer::new(pipeline, shape, clients, Location::Aws, here);
        let mut progress = Progress::default();
        let meaning = format!("interrupted; the execution continues: follow it with `{next}`");
        progress.interrupted = Some(meaning.into());
        let outcome = tokio::select! {
            outcome = follow::to_the_end(&explainer, execution, self.before, Some(timeout), &reporter, &mut progress) => outcome,
            () = self.interrupt.received() => Ok(Outcome::Interrupted),
        };
        let seconds = round(self.since.elapsed().as_secs_f64());
        reporter.report(RunMessage::Result(outcome::result(
            &outcome, &progress, seconds,
        )));
        Ok(outcome::exit(&outcome, &progress))
    }
}

/// What makes Source fetch this commit.
pub(crate) async fn overriding(
    pipeline: &Pipeline,
    commit: &str,
) -> Result<SourceRevisionOverride, CliError> {
    let stages = pipeline.stages().await?;
    let mut actions = stages.iter().flat_map(StageDeclaration::actions);
    let source = actions.find(|action| {
        let id = action.action_type_id();
        id.is_some_and(|id| *id.category() == ActionCategory::Source)
    });
    let Some(source) = source else {
        return Err(NoSource {
            pipeline: pipeline.name().to_owned(),
        }
        .into());
    };
    Ok(SourceRevisionOverride::builder()
        .action_name(source.name())
        .revision_type(SourceRevisionType::CommitId)
        .revision_value(commit)
        .build()
        .expect("all fields are set"))
}

/// The fewest digits that git abbreviates a commit's id to by itself.
const MIN_COMMIT_CHARS: usize = 7;

/// The digits of a commit's id in a repository of SHA-256.
const MAX_COMMIT_CHARS: usize = 64;

/// Whether a text can be a commit's id, or the beginning of it.
pub(crate) fn is_commit(text: &str) -> bool {
    (MIN_COMMIT_CHARS..=MAX_COMMIT_CHARS).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A branch or a tag was named: the Source action fetches commits by their ids alone.
#[derive(Debug, thiserror::Error)]
#[error("`{revision}` is not a commit id")]
struct NotACommit {
    revision: String,
}

impl Explained for NotACommit {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn kind(&self) -> &'static str {
        "usage"
    }

    fn hint(&self) -> Option<String> {
        Some(format!(
            "give the commit id that `git rev-parse {}` prints; without `--revision` the newest commit of the branch \
             is delivered",
            self.revision
        ))
    }
}

/// A commit was named, and nothing would fetch it.
#[derive(Debug, thiserror::Error)]
#[error("the pipeline `{pipeline}` has no Source action that can fetch a commit")]
struct NoSource {
    pipeline: String,
}

impl Explained for NoSource {
    fn exit(&self) -> Exit {
        Exit::Failed
    }

    fn kind(&self) -> &'static str {
        "no-source"
    }

    fn hint(&self) -> Option<String> {
        Some("start it without `--revision`".to_owned())
    }
}
