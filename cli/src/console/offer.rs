//! The commands that the console offers for what was read. Nothing else can be run from a page: a form names one of these, and
//! its arguments never come from the browser.

mod pipeline;
mod release;
mod rollout;

use sha2::{Digest as _, Sha256};

use super::look::Look;
use crate::output::foreign;

use pipeline::{approval, resume, retry};
use release::{promotions, releases, rollback_of_release, rollback_of_stage};
use rollout::rollout;

/// Hexadecimal digits of a key: enough that no two offers of a page have the same.
const KEY_DIGITS: usize = 20;

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
