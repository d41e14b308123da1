//! Adds to each change what a person needs to know: why an action failed, which command approves it.

use std::path::PathBuf;
use std::time::Duration;

use crate::function_log::{self, Entry, LogPlace};
use crate::message::{Cause, Failure, RunMessage};
use crate::output::foreign;
use crate::output::text::untouched as untouched_text;

use super::outage::{AWS_OUTAGE_LIMIT, ENGINE_OUTAGE_LIMIT};
use super::{
    ActionSnapshot, Clients, LOOK_INTERVAL, Pipeline, Shape, Snapshot, application_log, changes,
    commands, repair,
};

/// How often the engine is asked: it is on this machine, and a person sees no more.
const LOCAL_LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Where the pipeline runs, which decides the commands that messages suggest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    /// `delivery run` has launched it on this machine.
    Local {
        /// How another shell calls `delivery` on it, whatever account it is signed in to.
        delivery: String,
        /// Whether it stays up when the run is over, and its logs with it.
        stays: bool,
    },
    /// It is the pipeline of a stack.
    Aws,
}

/// Tells the changes of one pipeline's executions, with what explains them.
#[derive(Clone, Debug)]
pub(crate) struct Explainer {
    pipeline: Pipeline,
    shape: Shape,
    clients: Clients,
    location: Location,
    checkout: PathBuf,
}

impl Explainer {
    /// `checkout`: where the files of what is delivered most likely are.
    pub(crate) fn new(
        pipeline: Pipeline,
        shape: Shape,
        clients: Clients,
        location: Location,
        checkout: PathBuf,
    ) -> Self {
        Self {
            pipeline,
            shape,
            clients,
            location,
            checkout,
        }
    }

    /// The pipeline.
    pub(crate) fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// How often to look.
    pub(crate) fn interval(&self) -> Duration {
        match self.location {
            Location::Local { .. } => LOCAL_LOOK_INTERVAL,
            Location::Aws => LOOK_INTERVAL,
        }
    }

    /// How long it may not answer.
    pub(crate) fn outage_limit(&self) -> Duration {
        match self.location {
            Location::Local { .. } => ENGINE_OUTAGE_LIMIT,
            Location::Aws => AWS_OUTAGE_LIMIT,
        }
    }

    /// The lines that an action has logged so far; nothing where it has no log.
    pub(crate) async fn logged(&self, action: &ActionSnapshot) -> Vec<Entry> {
        let Some(place) = self.log(action).await else {
            return Vec::new();
        };
        let entries = function_log::read(&self.clients.logs, &place, action).await;
        entries.unwrap_or_default()
    }

    /// Where an action's log is.
    async fn log(&self, action: &ActionSnapshot) -> Option<LogPlace> {
        let (stage, name) = (&action.stage, &action.action);
        if self.shape.folder_of_commands(stage, name).is_some() {
            return Some(LogPlace::of_commands(self.pipeline.name(), action));
        }
        let function = self.shape.function(stage, name)?;
        let group = function_log::group(&self.clients.lambda, function).await;
        Some(LogPlace::of_function(group))
    }

    /// What changed between two looks, each change followed by what explains it.
    pub(crate) async fn explained(&self, before: &Snapshot, now: &Snapshot) -> Vec<RunMessage> {
        let mut events = Vec::new();
        for event in changes(before, now) {
            let explanation = self.explanation(&event, now).await;
            events.push(event);
            events.extend(explanation);
        }
        events
    }

    async fn explanation(&self, event: &RunMessage, now: &Snapshot) -> Option<RunMessage> {
        let RunMessage::Action(report) = event else {
            return None;
        };
        match report.status.as_str() {
            "Failed" => {
                let failed = now.failed().filter(|action| {
                    action.stage == report.stage && action.action == report.action
                });
                let action = failed.last()?;
                let failure = self.failure(now, action).await;
                Some(RunMessage::Failure(Box::new(failure)))
            }
            "InProgress" if self.shape.function(&report.stage, &report.action).is_none() => {
                // Only an approval has a token: a Source action invokes no function, either.
                self.pipeline
                    .approval_token(&report.stage, &report.action)
                    .await?;
                Some(RunMessage::Approval {
                    execution: report.execution.clone(),
                    stage: report.stage.clone(),
                    action: report.action.clone(),
                    command: self.approve(now),
                })
            }
            _ => None,
        }
    }

    /// The command that approves what waits.
    fn approve(&self, now: &Snapshot) -> String {
        let revision = now.revision.as_deref().map(crate::output::text::short);
        let delivery = match &self.location {
            Location::Local { delivery, .. } => delivery,
            Location::Aws => "delivery",
        };
        match revision {
            Some(revision) => format!("{delivery} approve {revision}"),
            None => format!("{delivery} approve"),
        }
    }

    /// Adds what was printed in an action's commands: the tests that failed, or what helps.
    async fn explain_commands(
        &self,
        cause: &mut Cause,
        place: Option<&LogPlace>,
        action: &ActionSnapshot,
    ) {
        let folder = self.shape.folder_of_commands(&action.stage, &action.action);
        let (Some(folder), Some(place)) = (folder, place) else {
            return;
        };
        loop {
            let log = function_log::whole(&self.clients.logs, place, action).await;
            let is_found = commands::explain(cause, &log, folder, &self.checkout);
            // On AWS the last lines may arrive later than the first ones, and they say how the tests ended.
            let is_all = self.location != Location::Aws || function_log::is_complete(action);
            if is_found || is_all {
                return;
            }
            tokio::time::sleep(function_log::ASK_EVERY).await;
        }
    }

    async fn failure(&self, now: &Snapshot, action: &ActionSnapshot) -> Failure {
        let place = self.log(action).await;
        let (code, message) = action.error.clone().unwrap_or_default();
        let mut cause = Cause::read(&code, &message);
        self.explain_commands(&mut cause, place.as_ref(), action)
            .await;
        let untouched = untouched(&self.shape, now);
        let help = help(
            &untouched,
            &repair(&self.location, &code, &message, &action.stage),
        );
        let functions = application_log::functions(&self.clients, &self.shape, now, action).await;
        // Only a program of the project tests what was deployed.
        let is_test = !functions.is_empty() && cause.reproduction().is_some();
        let mut application_log = std::mem::take(&mut cause.application_log);
        // A test that runs in CodeBuild reports nothing, and e2e may lack a permission.
        if is_test && application_log.is_empty() {
            application_log = application_log::lines(&self.clients, functions, action).await;
        }
        let test = is_test.then(|| {
            let environment = self.shape.environment(&action.stage);
            let last = environment.filter(|_| untouched.is_empty());
            Test {
                last: last.map(str::to_owned),
            }
        });
        let next = next(&self.location, &cause, &action.stage, test);
        let log = match &place {
            // What the failed program wrote says more than the action's own lines, which repeat it.
            Some(place) if cause.output.is_empty() && cause.test_says.is_empty() => {
                let tail = function_log::tail(&self.clients.logs, place, action).await;
                if only_repeats(&tail, &message) {
                    Vec::new()
                } else {
                    tail
                }
            }
            _ => Vec::new(),
        };
        Failure {
            execution: now.execution.clone(),
            stage: action.stage.clone(),
            action: action.action.clone(),
            code,
            message,
            cause,
            log_group: place.map(|place| place.group),
            log,
            application_log,
            untouched,
            help,
            next,
        }
    }
}

fn repair(location: &Location, code: &str, message: &str, stage: &str) -> String {
    const LOG: &str = "the whole log: `delivery log --failed`";
    match location {
        Location::Local { stays: true, .. } => format!("{}; {LOG}", repair::of_run(code)),
        Location::Local { .. } => {
            format!(
                "{}; the page of the run, with the whole log: `delivery open`",
                repair::of_run(code)
            )
        }
        Location::Aws => format!("{}; {LOG}", repair::of_stack(code, message, stage)),
    }
}

/// A failed test of what was deployed.
#[derive(Clone, Debug)]
struct Test {
    /// The environment, where no stage follows: users have what failed.
    last: Option<String>,
}

/// The one thing to do next.
fn next(location: &Location, cause: &Cause, stage: &str, test: Option<Test>) -> String {
    let by_hand = cause.reproduction();
    match (test, by_hand, location) {
        // By hand, such a test needs an address, which answers no more when a run is over.
        (Some(_), _, Location::Local { stays: false, .. }) => {
            "see the logs on the page of the run: `delivery open`".to_owned()
        }
        (
            Some(Test {
                last: Some(environment),
            }),
            ..,
        ) => {
            format!("put back what was there before: `delivery rollback {environment}`")
        }
        (Some(_), ..) => "see the whole log: `delivery log --failed`".to_owned(),
        (None, Some(by_hand), _) => by_hand.to_owned(),
        (None, None, Location::Local { .. }) => repair::of_run(&cause.kind).to_owned(),
        (None, None, Location::Aws) => repair::of_stack(&cause.kind, &cause.message, stage),
    }
}

/// What the SDK itself logs of every job.
const LINES_OF_EVERY_JOB: [&str; 4] = [
    "job started",
    "fetched artifact",
    "extracted artifact",
    "stored artifact",
];

/// Whether a log says nothing that the reported message does not: the SDK logs the message, too.
fn only_repeats(log: &[String], message: &str) -> bool {
    let message = foreign::text(&delivery_action::logging::redact(message));
    let reported: Vec<&str> = message.lines().map(str::trim).collect();
    log.iter().all(|line| {
        let line = line.strip_prefix("ERROR ").unwrap_or(line).trim();
        reported.contains(&line) || LINES_OF_EVERY_JOB.contains(&line)
    })
}

/// The stages that were not reached.
fn untouched(shape: &Shape, now: &Snapshot) -> Vec<String> {
    let reached = |stage: &str| now.actions.iter().any(|action| action.stage == stage);
    let stages = shape.stages.iter().map(|stage| &stage.name);
    stages.filter(|stage| !reached(stage)).cloned().collect()
}

/// What a person does next, and what need not be worried about.
fn help(untouched: &[String], repair: &str) -> String {
    match untouched_text(untouched) {
        Some(untouched) => format!("{untouched}; {repair}"),
        None => repair.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::StageShape;

    #[test]
    fn a_log_that_only_repeats_the_message_is_left_out() {
        let message =
            "index.js has 12 bytes\nhint: make it smaller\nlog: /aws/lambda/size-budget s";
        let lines = |lines: &[&str]| {
            lines
                .iter()
                .map(|line| (*line).to_owned())
                .collect::<Vec<_>>()
        };
        let repeated = [
            "job started",
            "extracted artifact",
            "ERROR index.js has 12 bytes",
            "hint: make it smaller",
            "log: /aws/lambda/size-budget s",
        ];
        assert!(only_repeats(&lines(&repeated), message));
        let more = [repeated.as_slice(), &["index.js was read"]].concat();
        assert!(!only_repeats(&lines(&more), message));
        assert!(!only_repeats(&lines(&["ERROR another error"]), message));
    }

    #[test]
    fn the_help_names_the_stages_that_were_not_reached() {
        let stage = |name: &str| StageShape {
            name: name.to_owned(),
            actions: Vec::new(),
        };
        let shape = Shape {
            stages: ["Commit", "Acceptance", "Production"].map(stage).to_vec(),
            ..Shape::default()
        };
        let help = |place| {
            let repair = repair(&place, "SystemUnavailable", "", "Source");
            help(&untouched(&shape, &Snapshot::default()), &repair)
        };
        let run = |stays| Location::Local {
            delivery: "delivery".to_owned(),
            stays,
        };
        insta::assert_snapshot!(help(run(false)), @"Commit, Acceptance and Production are untouched by this pipeline; fix it, commit, and run `delivery run` again; the page of the run, with the whole log: `delivery open`");
        insta::assert_snapshot!(help(run(true)), @"Commit, Acceptance and Production are untouched by this pipeline; fix it, commit, and run `delivery run` again; the whole log: `delivery log --failed`");
        insta::assert_snapshot!(help(Location::Aws), @"Commit, Acceptance and Production are untouched by this pipeline; try again with `delivery retry Source`, or fix it, commit and push; the whole log: `delivery log --failed`");
    }

    #[test]
    fn one_command_comes_next() {
        let run = |stays| Location::Local {
            delivery: "delivery".to_owned(),
            stays,
        };
        let by_hand = Cause {
            kind: "JobFailed".to_owned(),
            hint: Some("it most likely ran out of memory: raise the function's `MemorySize`; to reproduce it, run `npm run package` in the project's directory".to_owned()),
            ..Cause::default()
        };
        let other = Cause {
            kind: "JobFailed".to_owned(),
            ..Cause::default()
        };
        let next = |location: &Location, cause, test| next(location, cause, "Acceptance", test);
        let test = || Some(Test { last: None });
        let last_test = || {
            let last = Some("prod".to_owned());
            Some(Test { last })
        };
        let all = [
            next(&run(false), &by_hand, None),
            next(&run(false), &by_hand, test()),
            next(&run(true), &by_hand, test()),
            next(&Location::Aws, &by_hand, test()),
            next(&Location::Aws, &by_hand, last_test()),
            next(&run(false), &by_hand, last_test()),
            next(&run(false), &other, None),
        ];
        insta::assert_snapshot!(all.join("\n"), @"
        run `npm run package` in the project's directory
        see the logs on the page of the run: `delivery open`
        see the whole log: `delivery log --failed`
        see the whole log: `delivery log --failed`
        put back what was there before: `delivery rollback prod`
        see the logs on the page of the run: `delivery open`
        fix it, commit, and run `delivery run` again
        ");
        for next in all {
            assert_eq!(next.matches('`').count(), 2, "{next}");
        }
    }
}
