//! An environment: its release, its functions, sites and services.

use serde::Serialize;

use super::{Address, Link, addresses, links, stack_mark};
use crate::console::look::Look;
use crate::console::offer::{Offer, Place};
use crate::output::text::short;
use crate::pipeline::environments::{EnvironmentState, LEFT};
use crate::pipeline::rollout::ServedFunction;
use crate::record::Mark;
use crate::release::EnvironmentRelease;

#[derive(Debug, Serialize)]
pub(super) struct EnvironmentView {
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

pub(super) fn environments(look: &Look, offers: &[Offer]) -> Vec<EnvironmentView> {
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
