//! What was read, as the page shows it.

mod environment;
mod pipeline;
mod rollout;
mod wanted;

use delivery_stack::state::State;
use serde::Serialize;

use super::command::{self, Ended};
use super::look::Known;
use super::offer::{Offer, Place, offers};
use crate::pipeline::environments::is_address;
use crate::pipeline::status::StackState;
use crate::record::Mark;
use crate::release::list::ReleaseList;

use environment::{EnvironmentView, environments};
use pipeline::PipelineView;
use rollout::{RolloutView, rollouts};
use wanted::{Wanted, wanted, worst};

/// The overview.
#[derive(Debug, Serialize)]
pub(super) struct Overview {
    stack: String,
    region: String,
    at: String,
    mark: Mark,
    /// Why the newest attempt to read failed.
    problem: Option<String>,
    wanted: Vec<Wanted>,
    rollouts: Vec<RolloutView>,
    pipelines: Vec<PipelineView>,
    environments: Vec<EnvironmentView>,
    releases: Option<ReleaseList>,
    addresses: Vec<Address>,
    ended: Vec<EndedView>,
}

/// A link to the page that asks before a command is run.
#[derive(Debug, Serialize)]
struct Link {
    key: String,
    word: &'static str,
    /// What is read out, since several have the same word.
    label: String,
}

#[derive(Debug, Serialize)]
struct Address {
    name: String,
    url: String,
}

/// How a command ended.
#[derive(Debug, Serialize)]
pub(super) struct EndedView {
    number: usize,
    at: String,
    line: String,
    mark: Mark,
    code: Option<i32>,
    printed: String,
}

/// The page that asks before a command is run.
#[derive(Debug, Serialize)]
pub(super) struct Question {
    key: String,
    word: &'static str,
    asks: String,
    note: &'static str,
    line: String,
    preview: Option<String>,
    takes_reason: bool,
}

impl Overview {
    /// `None` as long as nothing was ever read.
    pub(super) fn of(known: &Known, ended: &[std::sync::Arc<Ended>]) -> Option<Self> {
        let look = known.look.as_deref()?;
        let offers = offers(look);
        let stack = &look.status.stack;
        let wanted = wanted(look, &offers);
        let pipelines = look.status.all_pipelines();
        let applying: Vec<_> = look.status.applying.iter().map(|one| &one.name).collect();
        Some(Self {
            stack: stack.name.clone(),
            region: look.region.clone(),
            at: look.at.strftime("%H:%M:%S UTC").to_string(),
            mark: worst(&wanted).unwrap_or_else(|| stack_mark(&stack.status)),
            problem: known.problem.clone(),
            wanted,
            rollouts: rollouts(look, &offers),
            pipelines: pipelines
                .map(|one| PipelineView::of(one, applying.contains(&&one.name)))
                .collect(),
            environments: environments(look, &offers),
            releases: look.releases.clone(),
            addresses: addresses(stack),
            ended: ended.iter().map(|one| EndedView::of(one)).collect(),
        })
    }

    /// What the browser's tab says.
    pub(super) fn title(&self) -> String {
        match self.wanted.len() {
            0 => self.stack.clone(),
            count => format!("({count}) {}", self.stack),
        }
    }
}

impl EndedView {
    pub(super) fn of(ended: &Ended) -> Self {
        Self {
            number: ended.number,
            at: ended.at.strftime("%H:%M:%S UTC").to_string(),
            line: ended.line.clone(),
            mark: match ended.code {
                Some(0) => Mark::new("✓", "Done", "good"),
                _ => Mark::new("✗", "Failed", "bad"),
            },
            code: ended.code,
            printed: ended.printed.clone(),
        }
    }
}

impl Question {
    pub(super) fn of(offer: &Offer, preview: Option<String>) -> Self {
        Self {
            key: offer.key.clone(),
            word: offer.word,
            asks: offer.question.clone(),
            note: offer.note,
            line: command::typed(&offer.arguments),
            preview,
            takes_reason: offer.takes_reason,
        }
    }
}

fn links(offers: &[Offer], place: &Place) -> Vec<Link> {
    let here = offers.iter().filter(|offer| offer.place == *place);
    let link = |offer: &Offer| Link {
        key: offer.key.clone(),
        word: offer.word,
        label: format!("{}: {}", offer.word, offer.question),
    };
    here.map(link).collect()
}

fn stack_mark(status: &str) -> Mark {
    match State::of(status) {
        State::Complete => Mark::new("✓", "Complete", "good"),
        state if state.is_failure() => Mark::new("✗", "Failed", "bad"),
        _ => Mark::new("•", "In progress", "busy"),
    }
}

fn addresses(stack: &StackState) -> Vec<Address> {
    let outputs = stack.outputs.iter().filter(|(_, value)| is_address(value));
    let address = |(name, url): (&String, &String)| Address {
        name: name.clone(),
        url: url.clone(),
    };
    outputs.map(address).collect()
}
