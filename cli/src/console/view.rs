//! What was read, as the page shows it.

use delivery_stack::state::State;
use serde::Serialize;

use super::command::Ended;
use super::look::{Known, Look};
use super::offer::{Offer, Place, offers};
use crate::output::text::{duration, short, short_summary};
use crate::pipeline::environments::{EnvironmentState, LEFT, is_address};
use crate::pipeline::rollout::{RolloutState, ServedFunction};
use crate::pipeline::state::{ActionState, PipelineState, Revision, StageState, short_form};
use crate::record::Mark;
use crate::release::EnvironmentRelease;
use crate::release::list::ReleaseList;

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

/// What waits for a person.
#[derive(Debug, Serialize)]
struct Wanted {
    mark: Mark,
    text: String,
    more: String,
    links: Vec<Link>,
}

#[derive(Debug, Serialize)]
struct PipelineView {
    name: String,
    applies: bool,
    stages: Vec<StageView>,
}

#[derive(Debug, Serialize)]
struct StageView {
    name: String,
    mark: Mark,
    what: String,
    actions: Vec<ActionView>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ActionView {
    name: String,
    mark: Mark,
    took: String,
    summary: String,
}

#[derive(Debug, Serialize)]
struct EnvironmentView {
    name: String,
    summary: Option<String>,
    notes: Vec<String>,
    functions: Vec<String>,
    sites: Vec<Address>,
    services: Vec<ServiceView>,
    links: Vec<Link>,
}

#[derive(Debug, Serialize)]
struct ServiceView {
    name: String,
    mark: Mark,
    stack: String,
    left: Option<&'static str>,
    addresses: Vec<Address>,
}

#[derive(Debug, Serialize)]
struct Address {
    name: String,
    url: String,
}

#[derive(Debug, Serialize)]
struct RolloutView {
    alias: String,
    place: String,
    time: String,
    versions: Vec<VersionView>,
    alarms: Vec<String>,
    notes: Vec<String>,
    watched_until: String,
    links: Vec<Link>,
}

#[derive(Debug, Serialize)]
struct VersionView {
    which: &'static str,
    version: String,
    percent: String,
    requests: String,
    is_failing: bool,
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
}

impl Overview {
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
            line: super::command::typed(&offer.arguments),
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

fn addresses(stack: &crate::pipeline::status::StackState) -> Vec<Address> {
    let outputs = stack.outputs.iter().filter(|(_, value)| is_address(value));
    let address = |(name, url): (&String, &String)| Address {
        name: name.clone(),
        url: url.clone(),
    };
    outputs.map(address).collect()
}

/// The mark of what waits for somebody: of a failure, where there is one.
fn worst(wanted: &[Wanted]) -> Option<Mark> {
    let failed = wanted.iter().find(|one| one.mark.is_bad());
    failed.or(wanted.first()).map(|one| one.mark)
}

/// Approvals, failed stages, and stages that nothing is delivered to.
fn wanted(look: &Look, offers: &[Offer]) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    let connection = look.status.connection.as_ref();
    if let Some(connection) = connection.filter(|one| one.is_pending()) {
        wanted.push(Wanted {
            mark: Mark::new("•", "Pending", "waiting"),
            text: "The connection to the repository is not complete: nothing is fetched."
                .to_owned(),
            more: format!("complete it: {}", connection.console),
            links: Vec::new(),
        });
    }
    for pipeline in look.status.all_pipelines() {
        for stage in &pipeline.stages {
            wanted.extend(wanted_of_stage(pipeline, stage, offers));
            wanted.extend(wanted_of_closed(pipeline, stage, offers));
        }
    }
    wanted
}

fn wanted_of_stage(
    pipeline: &PipelineState,
    stage: &StageState,
    offers: &[Offer],
) -> Option<Wanted> {
    let mut actions = stage.actions.iter();
    let (mark, more) = if let Some(action) = actions.find(|action| action.waits_for_approval) {
        let since = action.changed.as_deref().unwrap_or("an unknown time");
        let mark = Mark::new("•", "Waits for approval", "waiting");
        (mark, format!("since {since}"))
    } else if stage.is_failed() {
        let status = stage.status.as_deref().unwrap_or_default();
        (Mark::now(status), failures(stage))
    } else {
        return None;
    };
    let what = short_form(stage.revision.as_ref());
    let place = Place::Stage(pipeline.name.clone(), stage.name.clone());
    Some(Wanted {
        mark,
        text: format!("{} / {}: {what}", pipeline.name, stage.name),
        more,
        links: links(offers, &place),
    })
}

fn wanted_of_closed(
    pipeline: &PipelineState,
    stage: &StageState,
    offers: &[Offer],
) -> Option<Wanted> {
    let closed = stage.closed.as_ref()?;
    let reason = closed.reason.as_deref().unwrap_or("no reason given");
    let place = Place::Closed(pipeline.name.clone(), stage.name.clone());
    Some(Wanted {
        mark: Mark::new("■", "Held", "waiting"),
        text: format!(
            "{} / {}: nothing is delivered to it",
            pipeline.name, stage.name
        ),
        more: reason.to_owned(),
        links: links(offers, &place),
    })
}

fn failures(stage: &StageState) -> String {
    let failed = stage
        .actions
        .iter()
        .filter(|action| !stage.has_not_reached(action));
    let failed = failed.filter_map(|action| {
        let error = action.error.as_ref()?;
        Some(format!(
            "{} ({}): {}",
            action.name, error.code, error.message
        ))
    });
    failed.collect::<Vec<_>>().join("\n\n")
}

impl PipelineView {
    fn of(pipeline: &PipelineState, applies: bool) -> Self {
        Self {
            name: pipeline.name.clone(),
            applies,
            stages: pipeline.stages.iter().map(StageView::of).collect(),
        }
    }
}

impl StageView {
    fn of(stage: &StageState) -> Self {
        let inbound = stage.inbound.iter().map(|inbound| {
            let what = short_form(inbound.revision.as_ref());
            format!("{what} waits to enter")
        });
        Self {
            name: stage.name.clone(),
            mark: Mark::now(stage.status.as_deref().unwrap_or_default()),
            what: stage
                .revision
                .as_ref()
                .map(Revision::short_form)
                .unwrap_or_default(),
            actions: stage
                .actions
                .iter()
                .map(|action| ActionView::of(stage, action))
                .collect(),
            notes: inbound.collect(),
        }
    }
}

impl ActionView {
    fn of(stage: &StageState, action: &ActionState) -> Self {
        if stage.has_not_reached(action) {
            return Self {
                name: action.name.clone(),
                mark: Mark::now(""),
                took: String::new(),
                summary: String::new(),
            };
        }
        let error = action
            .error
            .as_ref()
            .and_then(|error| error.message.lines().next());
        let summary = action.summary.as_deref().and_then(short_summary);
        let percent = action
            .percent_complete
            .filter(|_| action.status.as_deref() == Some("InProgress"));
        Self {
            name: action.name.clone(),
            mark: if action.waits_for_approval {
                Mark::new("•", "Waits", "waiting")
            } else {
                Mark::now(action.status.as_deref().unwrap_or_default())
            },
            took: action.seconds.map(duration).unwrap_or_default(),
            summary: match (error, summary, percent) {
                (Some(error), ..) => error.to_owned(),
                (None, Some(summary), Some(percent)) => format!("{percent} %: {summary}"),
                (None, Some(summary), None) => summary.to_owned(),
                (None, None, _) => String::new(),
            },
        }
    }
}

fn environments(look: &Look, offers: &[Offer]) -> Vec<EnvironmentView> {
    let described = look.status.environments.iter().map(|one| one.name.clone());
    let served = look.served.iter().map(|one| one.name.clone());
    let mut names: Vec<String> = described.chain(served).collect();
    names.sort();
    names.dedup();
    let stages = &look.order.stages;
    let place = |name: &String| {
        stages
            .iter()
            .position(|stage| stage == name)
            .unwrap_or(stages.len())
    };
    names.sort_by_key(place);
    names
        .iter()
        .map(|name| environment(look, name, offers))
        .collect()
}

fn environment(look: &Look, name: &str, offers: &[Offer]) -> EnvironmentView {
    let state = look.status.environments.iter().find(|one| one.name == name);
    let release = state.and_then(|state| state.release.as_ref());
    let served = look.served.iter().filter(|one| one.name == name);
    EnvironmentView {
        name: name.to_owned(),
        summary: release.map(EnvironmentRelease::summary),
        notes: release.map(EnvironmentRelease::notes).unwrap_or_default(),
        functions: served
            .flat_map(|one| &one.functions)
            .map(function)
            .collect(),
        sites: state.map(sites).unwrap_or_default(),
        services: state.map(services).unwrap_or_default(),
        links: links(offers, &Place::Environment(name.to_owned())),
    }
}

fn function(function: &ServedFunction) -> String {
    let ServedFunction { alias, version, .. } = function;
    let revision = function
        .revision
        .as_deref()
        .map(|one| format!(" of {}", short(one)));
    let rollout = function
        .rollout
        .as_ref()
        .map(|one| format!(", rollout of version {} under way", one.new.version));
    format!(
        "{alias}: version {version}{}{}",
        revision.unwrap_or_default(),
        rollout.unwrap_or_default()
    )
}

fn sites(environment: &EnvironmentState) -> Vec<Address> {
    let sites = environment.sites.iter().map(|site| Address {
        name: site.name.clone(),
        url: site.url.clone(),
    });
    sites.collect()
}

fn services(environment: &EnvironmentState) -> Vec<ServiceView> {
    let services = environment.services.iter().map(|service| ServiceView {
        name: service.name.clone(),
        mark: stack_mark(&service.stack.status),
        stack: format!("{} {}", service.stack.name, service.stack.status),
        left: service.is_left.then_some(LEFT),
        addresses: addresses(&service.stack),
    });
    services.collect()
}

fn rollouts(look: &Look, offers: &[Offer]) -> Vec<RolloutView> {
    let functions = look.served.iter().flat_map(|one| &one.functions);
    let under_way = functions.filter_map(|one| Some((one, one.rollout.as_ref()?)));
    under_way
        .map(|(function, rollout)| RolloutView::of(function, rollout, offers))
        .collect()
}

impl RolloutView {
    fn of(function: &ServedFunction, rollout: &RolloutState, offers: &[Offer]) -> Self {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a rollout takes hours, not millennia"
        )]
        let passed = duration(rollout.seconds as f64);
        #[expect(
            clippy::cast_precision_loss,
            reason = "a rollout takes hours, not millennia"
        )]
        let planned = rollout
            .planned_seconds
            .map(|seconds| duration(seconds as f64));
        let version = |which, version: &crate::pipeline::rollout::VersionTraffic| VersionView {
            which,
            version: version.version.clone(),
            percent: version.percent.to_string(),
            requests: match (version.requests, version.errors) {
                (Some(requests), Some(errors)) => format!("{requests} requests, {errors} failed"),
                _ => "its requests cannot be read".to_owned(),
            },
            is_failing: version.errors.is_some_and(|errors| errors > 0),
        };
        let alarms = rollout.alarms.iter().map(|alarm| {
            let reason = alarm.reason.as_ref().map(|reason| format!(": {reason}"));
            format!(
                "alarm {} {}{}",
                alarm.name,
                alarm.state,
                reason.unwrap_or_default()
            )
        });
        let action = rollout.action.as_deref().and_then(short_summary);
        let unread = rollout
            .unread
            .iter()
            .map(|one| format!("cannot be read: {one}"));
        Self {
            alias: function.alias.clone(),
            place: match (rollout.step, rollout.steps) {
                (Some(step), Some(steps)) => format!("step {step} of {steps}"),
                _ => "all traffic on the new version, watched".to_owned(),
            },
            time: match planned {
                Some(planned) => format!("{passed} of {planned}"),
                None => format!("for {passed}"),
            },
            versions: vec![version("new", &rollout.new), version("old", &rollout.old)],
            alarms: alarms.collect(),
            notes: action
                .map(str::to_owned)
                .into_iter()
                .chain(unread)
                .collect(),
            watched_until: rollout.watched_until.clone(),
            links: links(offers, &Place::Rollout(function.alias.clone())),
        }
    }
}
