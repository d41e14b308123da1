//! The logs of actions.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::args::pipeline::Log;
use crate::error::CliError;
use crate::follow::outage::{AWS_OUTAGE_LIMIT, Outage};
use crate::follow::{ActionSnapshot, Pipeline, Shape, Snapshot, repair};
use crate::function_log::{self, Entry, LogPlace};
use crate::message::LogLine;
use crate::output::text::short;
use crate::output::{Reporter, reader_is_gone};
use crate::pipeline::state::{ActionFailure, StageState};
use crate::pipeline::target::Target;
use crate::pipeline::{executions, read};

use super::selection::{Named, SelectionError, latest, runs_of};

/// How often new lines are asked for: CloudWatch Logs allows 5 `FilterLogEvents` a second, and two
/// calls are made for each action in progress.
const INTERVAL: Duration = Duration::from_secs(2);

/// Reads the logs of one pipeline's actions.
struct Reader {
    pipeline: Pipeline,
    /// The other pipelines of the stack, which have the same functions.
    others: Vec<Pipeline>,
    shape: Shape,
    lambda: aws_sdk_lambda::Client,
    logs: aws_sdk_cloudwatchlogs::Client,
    groups: BTreeMap<String, String>,
}

/// Shows the selected runs, and returns their number.
pub(super) async fn show(
    target: &Target,
    pipelines: Vec<Pipeline>,
    arguments: &Log,
    reporter: &Reporter,
) -> Result<usize, CliError> {
    let names_pipelines = pipelines.len() > 1;
    let pipelines = match &arguments.execution {
        Some(given) => vec![executions::find(target, pipelines, given).await?.0],
        None => with_the_named(pipelines, named(arguments)).await?,
    };
    let mut shown = 0;
    for pipeline in pipelines {
        let mut reader = Reader::new(target, pipeline).await?;
        let runs = reader.runs(arguments).await?;
        if names_pipelines && !runs.is_empty() {
            reporter.notice(format!("pipeline {}:", target.short(&reader.pipeline)));
        }
        for (execution, action) in &runs {
            reader.show(execution, action, reporter).await?;
        }
        shown += runs.len();
    }
    Ok(shown)
}

/// The pipelines that have the stage and the action which are named; at least one.
async fn with_the_named(
    mut pipelines: Vec<Pipeline>,
    named: Named<'_>,
) -> Result<Vec<Pipeline>, CliError> {
    if pipelines.len() == 1 {
        return Ok(pipelines); // it is checked where its state is read
    }
    let mut wrong = None;
    for place in (0..pipelines.len()).rev() {
        let state = read::state(&pipelines[place]).await?;
        if let Err(error) = named.check(&state) {
            pipelines.remove(place);
            wrong = Some(error);
        }
    }
    match wrong {
        Some(error) if pipelines.is_empty() => Err(error.into()),
        _ => Ok(pipelines),
    }
}

/// The pipeline whose execution is followed: the one that was named, else the only one in which something is in progress.
async fn followed(target: &Target, arguments: &Log) -> Result<Pipeline, CliError> {
    let mut pipelines = target.meant(arguments.choice.pipeline.as_deref())?;
    if pipelines.len() == 1 {
        return Ok(pipelines.remove(0));
    }
    if let Some(given) = &arguments.execution {
        return Ok(executions::find(target, pipelines, given).await?.0);
    }
    let mut busy = Vec::new();
    for pipeline in pipelines {
        let state = read::state(&pipeline).await?;
        if state.stages.iter().any(StageState::is_held) {
            busy.push(pipeline);
        }
    }
    match busy.len() {
        1 => Ok(busy.remove(0)),
        _ => target.the_only(None),
    }
}

/// Shows what the actions of an execution log as it comes, until the execution is over.
pub(super) async fn follow(
    target: &Target,
    arguments: &Log,
    reporter: &Reporter,
) -> Result<(), CliError> {
    let mut reader = Reader::new(target, followed(target, arguments).await?).await?;
    let execution = reader.execution(arguments).await?;
    let named = named(arguments);
    let mut seen = Seen::default();
    let mut outage = Outage::new(AWS_OUTAGE_LIMIT);
    loop {
        let looked = reader.pipeline.look(&execution).await;
        let Some(now) = outage.tolerate(looked)? else {
            tokio::time::sleep(INTERVAL).await;
            continue;
        };
        for action in runs_of(&now.actions, named, false) {
            let is_wanted = !arguments.failed || action.status == "Failed";
            if is_wanted && !seen.complete.contains(&action.id) {
                outage.tolerate(reader.show_new(&now, action, &mut seen, reporter).await)?;
            }
        }
        if reader_is_gone() {
            return Ok(());
        }
        if now.is_over() && seen.complete.len() == seen.over.len() {
            reporter.notice(format!(
                "execution {} is over: {}",
                short(&execution),
                now.status
            ));
            return Ok(());
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// What was printed already.
#[derive(Default)]
struct Seen {
    entries: BTreeSet<String>,
    /// The runs that were printed as ended.
    over: BTreeSet<String>,
    /// Those of them with a complete log.
    complete: BTreeSet<String>,
    /// The run that the last line belongs to, and its status then.
    last: Option<(String, String)>,
}

fn named(arguments: &Log) -> Named<'_> {
    Named {
        stage: arguments.stage.as_deref(),
        action: arguments.action.as_deref(),
    }
}

impl Reader {
    async fn new(target: &Target, pipeline: Pipeline) -> Result<Self, CliError> {
        let mut others = target.pipelines();
        others.retain(|other| other.name() != pipeline.name());
        Ok(Self {
            others,
            shape: pipeline.shape().await?,
            pipeline,
            lambda: target.cloud.lambda(),
            logs: target.cloud.logs(),
            groups: BTreeMap::new(),
        })
    }

    /// The runs that are meant, with their executions.
    async fn runs(&self, arguments: &Log) -> Result<Vec<(String, ActionSnapshot)>, CliError> {
        let state = read::state(&self.pipeline).await?;
        let named = named(arguments);
        named.check(&state)?;
        if let Some(given) = &arguments.execution {
            let execution = self.known(given).await?;
            let snapshot = self.pipeline.look(&execution).await?;
            let runs = runs_of(&snapshot.actions, named, arguments.failed);
            return Ok(runs
                .into_iter()
                .map(|run| (execution.clone(), run.clone()))
                .collect());
        }
        let mut looked: BTreeMap<String, Snapshot> = BTreeMap::new();
        let mut runs = Vec::new();
        for wanted in latest(&state, named, arguments.failed) {
            if !looked.contains_key(&wanted.execution) {
                let snapshot = self.pipeline.look(&wanted.execution).await?;
                looked.insert(wanted.execution.clone(), snapshot);
            }
            let mut attempts = looked[&wanted.execution]
                .actions
                .iter()
                .filter(|action| action.stage == wanted.stage && action.action == wanted.action);
            if let Some(run) = attempts.next_back() {
                runs.push((wanted.execution, run.clone()));
            }
        }
        Ok(runs)
    }

    /// The execution to follow: the one that was named, else the one in the stage, else the newest.
    async fn execution(&self, arguments: &Log) -> Result<String, CliError> {
        if let Some(given) = &arguments.execution {
            return self.known(given).await;
        }
        let state = read::state(&self.pipeline).await?;
        named(arguments).check(&state)?;
        let in_stage = arguments
            .stage
            .as_deref()
            .and_then(|name| state.stage(name).ok()?.execution.clone());
        if let Some(execution) = in_stage {
            return Ok(execution);
        }
        let newest = read::executions(&self.pipeline).await?;
        let newest = newest
            .first()
            .and_then(|found| found.pipeline_execution_id());
        Ok(newest.ok_or(SelectionError::NeverRun)?.to_owned())
    }

    async fn known(&self, given: &str) -> Result<String, CliError> {
        let execution = executions::resolve(&self.pipeline, given).await?;
        if read::find(&self.pipeline, &execution).await?.is_none() {
            return Err(SelectionError::NoExecution { execution }.into());
        }
        Ok(execution)
    }

    async fn show(
        &mut self,
        execution: &str,
        action: &ActionSnapshot,
        reporter: &Reporter,
    ) -> Result<(), CliError> {
        let place = self.log(action).await;
        let group = place.as_ref().map(|place| place.group.clone());
        reporter.report(heading(execution, action, group));
        match place {
            Some(place) => {
                while action.status != "InProgress" && !function_log::is_complete(action) {
                    tokio::time::sleep(INTERVAL).await;
                }
                let entries = self.entries(&place, action).await?;
                if entries.iter().all(|(_, entry)| entry.lines.is_empty()) {
                    reporter.notice(format!(
                        "{} has no lines from the time of this action",
                        place.group
                    ));
                }
                for (request, entry) in &entries {
                    print(action, request.as_deref(), entry, reporter);
                }
            }
            None => reporter.notice(format!(
                "{} invokes no function and runs no commands, so it has no log of its own",
                action.action
            )),
        }
        if action.status == "Failed" {
            reporter.notice(help(action));
        }
        Ok(())
    }

    /// What an action has logged since the last look.
    async fn show_new(
        &mut self,
        now: &Snapshot,
        action: &ActionSnapshot,
        seen: &mut Seen,
        reporter: &Reporter,
    ) -> Result<(), CliError> {
        let place = self.log(action).await;
        let mut news = match &place {
            Some(place) => self.entries(place, action).await?,
            None => Vec::new(),
        };
        news.retain(|(_, entry)| !seen.entries.contains(&entry.id));
        let is_over = action.status != "InProgress";
        let last = Some((action.id.clone(), action.status.clone()));
        let has_lines = news.iter().any(|(_, entry)| !entry.lines.is_empty());
        let ends = is_over && !seen.over.contains(&action.id);
        if (ends || has_lines) && seen.last != last {
            let group = place.map(|place| place.group);
            reporter.report(heading(&now.execution, action, group));
            seen.last = last;
        }
        for (request, entry) in &news {
            print(action, request.as_deref(), entry, reporter);
            seen.entries.insert(entry.id.clone());
        }
        if is_over && seen.over.insert(action.id.clone()) && action.status == "Failed" {
            reporter.notice(help(action));
        }
        if is_over && function_log::is_complete(action) {
            seen.complete.insert(action.id.clone());
        }
        Ok(())
    }

    /// Where an action's log is.
    async fn log(&mut self, action: &ActionSnapshot) -> Option<LogPlace> {
        let (stage, name) = (&action.stage, &action.action);
        if self.shape.folder_of_commands(stage, name).is_some() {
            return Some(LogPlace::of_commands(self.pipeline.name(), action));
        }
        let function = self.shape.function(stage, name)?;
        if let Some(group) = self.groups.get(function) {
            return Some(LogPlace::of_function(group.clone()));
        }
        let group = function_log::group(&self.lambda, function).await;
        self.groups.insert(function.to_owned(), group.clone());
        Some(LogPlace::of_function(group))
    }

    /// What was logged for this action: what it did for others at the same time is left out, as
    /// far as their request ids are known.
    async fn entries(
        &self,
        place: &LogPlace,
        action: &ActionSnapshot,
    ) -> Result<Vec<(Option<String>, Entry)>, CliError> {
        let entries = function_log::read(&self.logs, place, action).await?;
        let function = self.shape.function(&action.stage, &action.action);
        let others = self.pipeline.newest_actions().await?;
        let mut others: BTreeSet<_> = others
            .into_iter()
            .filter(|other| other.id != action.id)
            .filter(|other| self.shape.function(&other.stage, &other.action) == function)
            .filter_map(|other| other.request)
            .collect();
        for pipeline in &self.others {
            let actions = pipeline.newest_actions().await?;
            others.extend(actions.into_iter().filter_map(|other| other.request));
        }
        Ok(function_log::attributed(entries, &others))
    }
}

fn heading(execution: &str, action: &ActionSnapshot, log_group: Option<String>) -> LogLine {
    LogLine::ActionLog {
        execution: execution.to_owned(),
        stage: action.stage.clone(),
        action: action.action.clone(),
        status: action.status.clone(),
        seconds: action.seconds,
        log_group,
        error: action.error.as_ref().map(|(code, message)| ActionFailure {
            code: code.clone(),
            message: delivery_action::logging::redact(message).into_owned(),
        }),
    }
}

fn print(action: &ActionSnapshot, request: Option<&str>, entry: &Entry, reporter: &Reporter) {
    let at = Timestamp::from_millisecond(entry.at_ms)
        .map_or_else(|_| String::new(), |at| at.to_string());
    for line in &entry.lines {
        reporter.report(LogLine::FunctionLog {
            stage: action.stage.clone(),
            action: action.action.clone(),
            at: at.clone(),
            request: request.map(str::to_owned),
            message: line.clone(),
        });
    }
}

fn help(action: &ActionSnapshot) -> String {
    let (code, message) = action.error.clone().unwrap_or_default();
    format!("help: {}", repair::of_stack(&code, &message, &action.stage))
}
