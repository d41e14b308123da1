//! The commands that the console offers for what was read. Nothing else can be run from a page: a form names one of these, and
//! its arguments never come from the browser.

use delivery_definition::names::EnvironmentName;
use sha2::{Digest as _, Sha256};

use super::look::Look;
use crate::follow::repair::helps_to_retry;
use crate::output::foreign;
use crate::output::text::short;
use crate::pipeline::resume_command;
use crate::pipeline::rollout::{RolloutState, ServedEnvironment, ServedFunction};
use crate::pipeline::state::{PipelineState, StageState, Waiting, short_form};
use crate::release::EnvironmentRelease;

/// Hexadecimal digits of a key: enough that no two offers of a page have the same.
const KEY_DIGITS: usize = 20;

/// Deployments that are shown before an environment is rolled back.
const SHOWN_DEPLOYMENTS: &str = "5";

/// Where the page shows an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A stage of a pipeline, by the pipeline's whole name.
    Stage(String, String),
    /// The same where the stage's entrance is closed.
    Closed(String, String),
    /// An environment.
    Environment(String),
    /// The rollout of this alias.
    Rollout(String),
}

/// A command that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    /// Names it in addresses: another one when what it is about has changed.
    pub(super) key: String,
    pub(super) place: Place,
    /// What is on the button.
    pub(super) word: &'static str,
    /// What is asked before.
    pub(super) question: String,
    /// What it does, in a sentence.
    pub(super) note: &'static str,
    pub(super) arguments: Vec<String>,
    /// A command that changes nothing, and shows what this one is about.
    pub(super) preview: Option<Vec<String>>,
    /// Whether a reason can be given.
    pub(super) takes_reason: bool,
}

/// An offer without its key.
struct Draft {
    place: Place,
    word: &'static str,
    question: String,
    note: &'static str,
    arguments: Vec<String>,
    preview: Option<Vec<String>>,
    takes_reason: bool,
    /// What else was seen when it was offered: when that changes it is another offer.
    seen: String,
}

impl Draft {
    fn finish(self) -> Offer {
        let text = format!("{:?} {}", self.arguments, self.seen);
        let mut key = hex::encode(Sha256::digest(text));
        key.truncate(KEY_DIGITS);
        Offer {
            key,
            place: self.place,
            word: self.word,
            question: foreign::line(&self.question),
            note: self.note,
            arguments: self.arguments,
            preview: self.preview,
            takes_reason: self.takes_reason,
        }
    }
}

/// All of them.
pub(super) fn offers(look: &Look) -> Vec<Offer> {
    let mut drafts = Vec::new();
    for pipeline in look.status.all_pipelines() {
        let choice = words(&look.status.choice(pipeline));
        for waiting in pipeline.approvals() {
            drafts.extend(approval(pipeline, &waiting, &choice));
        }
        for stage in &pipeline.stages {
            drafts.extend(retry(pipeline, stage, &choice));
            drafts.extend(resume(pipeline, stage));
        }
    }
    for environment in &look.served {
        for function in &environment.functions {
            drafts.extend(rollout(environment, function));
        }
        drafts.push(rollback_of_stage(look, environment));
    }
    for environment in releases(look) {
        drafts.extend(rollback_of_release(look, environment));
        drafts.extend(promotions(look, environment));
    }
    drafts.into_iter().map(Draft::finish).collect()
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// A command line of fixed words, options, and values that others wrote: these come behind `--`, so that none is an option.
fn line(fixed: &[&str], options: &[String], values: &[&str]) -> Vec<String> {
    let fixed = fixed.iter().map(|word| (*word).to_owned());
    let mut line: Vec<String> = fixed.chain(options.iter().cloned()).collect();
    if !values.is_empty() {
        line.push("--".to_owned());
        line.extend(values.iter().map(|value| (*value).to_owned()));
    }
    line
}

fn approval(pipeline: &PipelineState, waiting: &Waiting<'_>, choice: &[String]) -> Vec<Draft> {
    let stage = waiting.stage;
    // Without a commit nobody can say which one is meant.
    let Some(revision) = &stage.revision else {
        return Vec::new();
    };
    let mut options = choice.to_vec();
    options.push(format!("--stage={}", stage.name));
    let draft = |word: &'static str, verb: &str, note| Draft {
        place: Place::Stage(pipeline.name.clone(), stage.name.clone()),
        word,
        question: format!("{word} {} in {}?", revision.short_form(), stage.name),
        note,
        arguments: line(&[verb], &options, &[&revision.id]),
        preview: None,
        takes_reason: true,
        seen: format!("{:?} {}", stage.execution, waiting.action.name),
    };
    vec![
        draft(
            "Approve",
            "approve",
            "The pipeline goes on with this commit. If another one waits by then, nothing is approved.",
        ),
        draft(
            "Reject",
            "reject",
            "The stage fails for this commit. If another one waits by then, nothing is rejected.",
        ),
    ]
}

fn retry(pipeline: &PipelineState, stage: &StageState, choice: &[String]) -> Vec<Draft> {
    let helps = stage.failure_code().is_none_or(helps_to_retry);
    if !stage.is_failed() || !helps {
        return Vec::new();
    }
    let draft = |word, what: &str, all: Option<&str>| {
        let options: Vec<_> = choice
            .iter()
            .cloned()
            .chain(all.map(str::to_owned))
            .collect();
        Draft {
            place: Place::Stage(pipeline.name.clone(), stage.name.clone()),
            word,
            question: format!(
                "Retry {what} of {} for {}?",
                stage.name,
                short_form(stage.revision.as_ref())
            ),
            note: "The same execution goes on, with the pipeline as it was.",
            arguments: line(&["retry"], &options, &[&stage.name]),
            preview: None,
            takes_reason: false,
            seen: format!("{:?}", stage.execution),
        }
    };
    vec![
        draft("Retry", "the failed actions", None),
        draft("Retry all", "all actions", Some("--all")),
    ]
}

/// What opens a stage that a rollback has closed. The reason is text that others can write, so it is read strictly.
fn resume(pipeline: &PipelineState, stage: &StageState) -> Option<Draft> {
    let command = resume_command(stage.closed.as_ref()?.reason.as_deref()?)?;
    let command = words(&command);
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let (environment, options) = match *command.as_slice() {
        ["delivery", "resume", environment] => (environment, Vec::new()),
        ["delivery", "resume", environment, "--pipeline", name] => {
            (environment, vec![format!("--pipeline={name}")])
        }
        _ => return None,
    };
    let waiting = stage.inbound.iter();
    let waiting: Vec<_> = waiting
        .map(|one| (&one.execution, short_form(one.revision.as_ref())))
        .collect();
    let commits: Vec<_> = waiting.iter().map(|(_, commit)| commit.as_str()).collect();
    let commits = commits.join(", ");
    // Where nothing is seen to wait the command itself asks, and refuses if something waits by then.
    let (verb, question): (&[&str], _) = if waiting.is_empty() {
        (
            &["resume"],
            format!("Let the pipeline deliver to {environment} again?"),
        )
    } else {
        (
            &["resume", "--yes"],
            format!("{environment} gets what is waiting: {commits}. Open it?"),
        )
    };
    Some(Draft {
        place: Place::Closed(pipeline.name.clone(), stage.name.clone()),
        word: "Resume",
        question,
        note: "What waits for the stage is delivered then: it may be what was rolled back.",
        arguments: line(verb, &options, &[environment]),
        preview: None,
        takes_reason: false,
        seen: format!("{:?} {waiting:?}", stage.closed.as_ref()?.since),
    })
}

fn rollout(environment: &ServedEnvironment, function: &ServedFunction) -> Vec<Draft> {
    let Some(rollout) = &function.rollout else {
        return Vec::new();
    };
    let service = function.service.iter();
    let service: Vec<_> = service.map(|name| format!("--service={name}")).collect();
    let RolloutState { id, new, old, .. } = rollout;
    let draft = |word, verb: &str, question, note| {
        let options: Vec<_> = service
            .iter()
            .cloned()
            .chain(["--yes".to_owned()])
            .collect();
        Draft {
            place: Place::Rollout(function.alias.clone()),
            word,
            question,
            note,
            arguments: line(&["rollout", verb], &options, &[&environment.name]),
            preview: Some(line(&["rollout", "show"], &service, &[&environment.name])),
            takes_reason: verb == "abort",
            seen: format!("{id} {} {}", new.version, old.version),
        }
    };
    vec![
        draft(
            "Abort",
            "abort",
            format!(
                "Give version {} of {} all traffic back?",
                old.version, environment.name
            ),
            "It takes one call of Lambda. The action fails, and nothing else of the release is deployed.",
        ),
        draft(
            "Finish",
            "finish",
            format!(
                "Give version {} of {} all traffic now?",
                new.version, environment.name
            ),
            "The new version is not watched any more.",
        ),
    ]
}

/// The environment's release, where it has one.
fn release_of<'a>(look: &'a Look, environment: &str) -> Option<&'a EnvironmentRelease> {
    let mut all = releases(look);
    all.find(|one| one.environment == environment && one.release.is_some())
}

fn releases(look: &Look) -> impl Iterator<Item = &EnvironmentRelease> {
    let environments = look.status.environments.iter();
    environments.filter_map(|one| one.release.as_ref())
}

fn rollback(
    environment: &str,
    options: &[String],
    preview: Option<Vec<String>>,
    seen: String,
) -> Draft {
    let options: Vec<_> = options
        .iter()
        .cloned()
        .chain(["--yes".to_owned()])
        .collect();
    Draft {
        place: Place::Environment(environment.to_owned()),
        word: "Roll back",
        question: format!("Bring back what {environment} had before?"),
        note: "A rollout that is under way is aborted. Else the functions go back in one call each, then the rest. Nothing is \
               delivered to the environment by itself until it is resumed.",
        arguments: line(&["rollback"], &options, &[environment]),
        preview,
        takes_reason: true,
        seen,
    }
}

/// The rollback of an environment that a stage of this pipeline delivers to.
fn rollback_of_stage(look: &Look, environment: &ServedEnvironment) -> Draft {
    let name = &environment.name;
    let several = look.served.iter().filter(|one| one.name == *name).count() > 1;
    let pipeline = several.then(|| format!("--pipeline={}", environment.pipeline));
    let versions: Vec<_> = environment
        .functions
        .iter()
        .map(|one| {
            (
                &one.version,
                one.rollout.as_ref().map(|rollout| &rollout.id),
            )
        })
        .collect();
    let release = release_of(look, name);
    let preview = release.map(|_| deployments(name));
    let release = release.map(|one| (&one.release, &one.since));
    let options: Vec<_> = pipeline.into_iter().collect();
    rollback(name, &options, preview, format!("{versions:?} {release:?}"))
}

/// The rollback of an environment that only releases come to.
fn rollback_of_release(look: &Look, environment: &EnvironmentRelease) -> Option<Draft> {
    let name = &environment.environment;
    let is_delivered = look.served.iter().any(|one| one.name == *name);
    let family = EnvironmentName::parse(name)
        .ok()?
        .family()
        .map(str::to_owned);
    let can_be_applied = look.applying.contains(family.as_ref().unwrap_or(name));
    if is_delivered || !can_be_applied || environment.release.is_none() {
        return None;
    }
    let seen = format!("{:?} {:?}", environment.release, environment.since);
    Some(rollback(name, &[], Some(deployments(name)), seen))
}

fn deployments(environment: &str) -> Vec<String> {
    line(
        &["releases", "--limit", SHOWN_DEPLOYMENTS],
        &[],
        &[environment],
    )
}

/// What other environments have and this one can get. Releases that are not verified there are left to the command line, which
/// wants a reason.
fn promotions(look: &Look, to: &EnvironmentRelease) -> Vec<Draft> {
    let name = &to.environment;
    if !look.applying.contains(name) {
        return Vec::new();
    }
    let sources = releases(look).filter(|from| {
        let comes_before = match &look.order.before {
            Some(before) => before
                .iter()
                .any(|(one, after)| one == name && *after == from.environment),
            None => true,
        };
        comes_before
            && from.environment != *name
            && from.release.is_some()
            && from.release != to.release
            && is_verified(look, from)
    });
    sources.filter_map(|from| promotion(from, to)).collect()
}

fn promotion(from: &EnvironmentRelease, to: &EnvironmentRelease) -> Option<Draft> {
    let release = from.release.as_deref()?;
    let commit = from.commit.as_deref().map_or("?", short);
    let options = [
        format!("--release={release}"),
        "--no-wait".to_owned(),
        "--yes".to_owned(),
    ];
    Some(Draft {
        place: Place::Environment(to.environment.clone()),
        word: "Promote",
        question: format!(
            "Bring release {release} (commit {commit}) from {} to {}?",
            from.environment, to.environment
        ),
        note: "The pipeline that applies releases is started. Nothing is built again.",
        arguments: line(
            &["promote"],
            &options,
            &[&from.environment, &to.environment],
        ),
        preview: Some(line(&["diff"], &[], &[&to.environment, release])),
        takes_reason: true,
        seen: format!("{:?} {:?}", to.release, to.since),
    })
}

/// Whether the release has passed the tests of the environment that it is in, as far as that is known.
fn is_verified(look: &Look, from: &EnvironmentRelease) -> bool {
    let listed = look.releases.iter().flat_map(|list| &list.releases);
    let mut listed = listed.filter(|one| Some(&one.id) == from.release.as_ref());
    listed.all(|one| one.verified.contains(&from.environment))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::Cli;
    use crate::console::command::{reason, typed, with_option};
    use crate::console::samples;
    use crate::pipeline::state::{Closed, Inbound, Revision};

    fn lines(look: &Look) -> Vec<String> {
        offers(look)
            .iter()
            .map(|offer| typed(&offer.arguments))
            .collect()
    }

    #[test]
    fn what_can_be_done_is_offered() {
        let revision = "a".repeat(40);
        assert_eq!(
            lines(&samples::look()),
            [
                format!("delivery approve --stage=Approval -- {revision}"),
                format!("delivery reject --stage=Approval -- {revision}"),
                "delivery retry -- Commit".to_owned(),
                "delivery retry --all -- Commit".to_owned(),
                "delivery rollout abort --service=api --yes -- prod".to_owned(),
                "delivery rollout finish --service=api --yes -- prod".to_owned(),
                "delivery rollback --yes -- prod".to_owned(),
                "delivery rollback --yes -- pp".to_owned(),
                "delivery promote --release=r2 --no-wait --yes -- int pp".to_owned(),
            ]
        );
    }

    /// Names that begin with a dash are names, and a reason that anybody can write opens no stage but the one it names.
    #[test]
    fn every_offer_is_a_command_line_that_means_what_it_says() {
        let mut hostile = samples::hostile();
        if let Some(pipeline) = &mut hostile.status.pipeline {
            for stage in &mut pipeline.stages {
                stage.name = "--config=evil".to_owned();
            }
        }
        for offer in offers(&samples::look()).into_iter().chain(offers(&hostile)) {
            let option = reason("--yes").filter(|_| offer.takes_reason);
            let arguments = with_option(offer.arguments.clone(), option);
            let line = ["delivery".to_owned()].into_iter().chain(arguments);
            let cli = Cli::try_parse_from(line).unwrap_or_else(|error| panic!("{error}"));
            assert!(cli.global.config.is_none(), "{offer:?}");
            assert_ne!(offer.word, "Resume", "{offer:?}");
            if let Some(preview) = &offer.preview {
                let line = ["delivery".to_owned()]
                    .into_iter()
                    .chain(preview.iter().cloned());
                Cli::try_parse_from(line).unwrap_or_else(|error| panic!("{error}"));
            }
        }
    }

    #[test]
    fn an_offer_has_another_key_when_what_it_is_about_has_changed() {
        let keys = |look: &Look| -> Vec<String> {
            offers(look).into_iter().map(|offer| offer.key).collect()
        };
        let before = keys(&samples::look());
        assert_eq!(before, keys(&samples::look()));
        let mut changed = samples::look();
        for function in &mut changed.served[0].functions {
            function.version = "9".to_owned();
            if let Some(rollout) = &mut function.rollout {
                rollout.id = "r-2".to_owned();
            }
        }
        let after = keys(&changed);
        let same: Vec<_> = before.iter().zip(&after).map(|(a, b)| a == b).collect();
        assert_eq!(
            same,
            [true, true, true, true, false, false, false, true, true]
        );
    }

    #[test]
    fn a_stage_that_a_rollback_closed_can_be_opened() {
        let resume = |inbound: &[&str]| {
            let look = closed(inbound);
            let mut all = offers(&look).into_iter();
            all.find(|offer| offer.word == "Resume").unwrap()
        };
        let nothing = resume(&[]);
        assert_eq!(
            typed(&nothing.arguments),
            "delivery resume --pipeline=app -- prod"
        );
        // What waits is named, and another commit is another offer.
        let first = resume(&["aaaaaaaa1"]);
        assert_eq!(
            first.question,
            "prod gets what is waiting: aaaaaaaa. Open it?"
        );
        assert_eq!(
            typed(&first.arguments),
            "delivery resume --yes --pipeline=app -- prod"
        );
        let other = resume(&["bbbbbbbb1"]);
        assert_ne!(first.key, other.key);
        assert_ne!(first.key, nothing.key);
    }

    /// A stage that a rollback closed, and the commits that wait before it.
    fn closed(inbound: &[&str]) -> Look {
        let mut look = samples::look();
        let stages = look
            .status
            .pipeline
            .iter_mut()
            .flat_map(|one| &mut one.stages);
        for stage in stages.filter(|stage| stage.name == "Commit") {
            stage.closed = Some(Closed {
                reason: Some(
                    "rolled back by anna (delivery resume prod --pipeline app opens it) bad"
                        .to_owned(),
                ),
                since: None,
                by: None,
            });
            let waiting = inbound.iter().map(|commit| Inbound {
                execution: format!("e-{commit}"),
                revision: Some(Revision::new(commit, None, None)),
                waits_for: None,
            });
            stage.inbound = waiting.collect();
        }
        look
    }

    #[test]
    fn a_release_that_is_not_verified_is_not_offered() {
        let mut look = samples::look();
        for release in look.releases.iter_mut().flat_map(|list| &mut list.releases) {
            release.verified.clear();
        }
        assert!(!lines(&look).iter().any(|line| line.contains("promote")));
    }
}
