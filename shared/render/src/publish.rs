//! The actions that publish a release: the last ones of the Commit stage.

use delivery_definition::Kind;

use crate::commit::{APP_ARTIFACTS, app_artifact, built};
use crate::pipeline::{Action, COMMIT, SOURCE, with_execution};
use crate::plan::{Plan, PlannedService};
use crate::query::{LONGEST, Piece, Query};
use crate::release::RELEASE;

/// The variables of the action that publishes the release.
pub(crate) const NAMESPACE: &str = "ReleaseVariables";

/// The most input artifacts of an action
/// (<https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-Lambda.html>).
const MOST_ARTIFACTS: usize = 5;

/// Where the definition of services is.
const FILE: &str = "delivery.toml";

/// An artifact, and which of a service it is: `Artifact.shop.function`.
type Given = (String, String);

/// What one action packages.
#[derive(Debug, Default)]
struct Share<'a> {
    services: Vec<&'a str>,
    artifacts: Vec<Given>,
    has_template: bool,
    line: usize,
}

/// Each packages some of the services, as many as an action may have artifacts of; the last one publishes the release.
pub(crate) fn actions(plan: &Plan<'_>, run_order: usize) -> Vec<Action> {
    let shares = shares(plan);
    let is_all = shares.len() == 1 && plan.others.is_empty();
    let count = shares.len();
    let actions = shares.into_iter().enumerate().map(|(place, share)| {
        let query = share.query(place, place + 1 == count, is_all);
        let (name, namespace) = match place + 1 {
            last if last == count => ("release".to_owned(), NAMESPACE.to_owned()),
            number => (format!("release-{number}"), namespace(number)),
        };
        let mut inputs: Vec<_> = share.artifacts.into_iter().map(|(_, name)| name).collect();
        inputs.retain(|name| name != SOURCE);
        inputs.push(SOURCE.to_owned());
        Action::of_function(RELEASE, name, run_order + place, query, share.line)
            .namespace(namespace)
            .reads(inputs)
    });
    actions.collect()
}

fn namespace(number: usize) -> String {
    format!("Release{number}Variables")
}

fn shares<'a>(plan: &'a Plan<'_>) -> Vec<Share<'a>> {
    let mut shares: Vec<Share<'_>> = Vec::new();
    for service in &plan.services {
        if !shares
            .last()
            .is_some_and(|share| share.has_room_for(service))
        {
            shares.push(Share::default());
        }
        if let Some(share) = shares.last_mut() {
            share.add(service);
        }
    }
    shares
}

impl<'a> Share<'a> {
    fn add(&mut self, service: &'a PlannedService<'_>) {
        self.services.push(&service.service.name);
        self.artifacts.extend(artifacts(service));
        self.has_template |= service.kind == Kind::Stack;
        self.line = service.service.line;
    }

    fn has_room_for(&self, service: &PlannedService<'_>) -> bool {
        let mut with = Share {
            services: self.services.clone(),
            artifacts: self.artifacts.clone(),
            ..*self
        };
        with.services.push(&service.service.name);
        with.artifacts.extend(artifacts(service));
        with.has_template |= service.kind == Kind::Stack;
        let made = with.artifacts.iter().filter(|(_, name)| name != SOURCE);
        // The source is one of them, too: `delivery.toml` is in it.
        made.count() < MOST_ARTIFACTS && with.query(1, false, false).longest() <= LONGEST
    }

    fn query(&self, place: usize, is_last: bool, is_all: bool) -> Query {
        let mut query = Query::default()
            .parameter("releases", "Releases")
            .text("config", FILE)
            .variable("revision", COMMIT)
            .variable("branch", "SourceVariables.BranchName")
            .variable("repository", "SourceVariables.FullRepositoryName");
        if self.has_template {
            query = query.parameter("boundary", "Boundary");
        }
        if !is_all {
            query = query.text("services", &self.services.join(","));
        }
        if place > 0 {
            let entries = format!("{}.Entries", namespace(place));
            query = query.variable("entries", &entries);
        }
        if !is_last {
            query = query.text("last", "off");
        }
        let query = with_execution(query);
        let artifacts = self.artifacts.iter();
        artifacts.fold(query, |query, (whose, name)| {
            query.add(&format!("Artifact.{whose}"), &[Piece::text(name)])
        })
    }
}

fn artifacts(service: &PlannedService<'_>) -> Vec<Given> {
    let name = &service.service.name;
    if service.kind == Kind::App {
        return APP_ARTIFACTS
            .map(|(what, artifact)| (format!("{name}.{what}"), app_artifact(service, artifact)))
            .into();
    }
    let built = built(service);
    let whose = if built.is_site && service.kind == Kind::Site {
        format!("{name}.site")
    } else {
        name.clone()
    };
    vec![(whose, built.artifact)]
}
