//! How traffic moves in an environment: the parameters of deploy-app, and the functions that it may call for them.

use std::collections::BTreeSet;

use delivery_definition::{EnvironmentSettings, Kind, Mistake};

use crate::plan::{Plan, PlannedService};
use crate::query::Query;

/// The template's parameter for how late metrics may be. It is a property of where the pipeline runs, so it is no key of
/// `delivery.toml`.
pub(crate) const METRICS_DELAY: &str = "MetricsDelay";

/// Adds what the environment says. What it does not say is left to deploy-app.
pub(crate) fn add(query: Query, settings: &EnvironmentSettings) -> Query {
    let is_hook = |key: &str| key.ends_with("-traffic");
    let (hooks, settings_of_traffic): (Vec<_>, Vec<_>) = settings
        .rollout_parameters()
        .into_iter()
        .partition(|(key, _)| is_hook(key));
    let add = |query: Query, parameters: Vec<(&str, String)>| {
        parameters
            .into_iter()
            .fold(query, |query, (key, value)| query.text(key, &value))
    };
    let mut query = add(query, settings_of_traffic);
    if settings.is_watched() {
        query = query.parameter("metrics-delay", METRICS_DELAY);
    }
    add(query, hooks)
}

/// The functions that are asked in rollouts of a service, in any of its environments.
pub(crate) fn hooks<'a>(plan: &'a Plan<'_>, service: &PlannedService<'_>) -> BTreeSet<&'a str> {
    let environments = plan.environments_of(service);
    let hooks = environments.flat_map(|environment| {
        let settings = &environment.target.settings;
        settings.pre_traffic.iter().chain(&settings.post_traffic)
    });
    hooks.map(|hook| hook.value.0.as_str()).collect()
}

/// Reports the keys of a rollout where no app is deployed, whose traffic they would move.
pub(crate) fn report_without_app(plan: &Plan<'_>, mistakes: &mut Vec<Mistake>) {
    for environment in plan.request.definition.stages() {
        let deploys = |one: &PlannedService<'_>| {
            one.kind == Kind::App && environment.share.get(&one.service.name).is_none()
        };
        if plan.all_services().any(deploys) {
            continue;
        }
        for (key, line) in environment.rollout_keys() {
            let what = format!(
                "`environments.{}.{key}` has nothing to move: no service of the kind `app` is deployed there",
                environment.name
            );
            let next = "remove it; how traffic moves in a stack is said by its own template, for example by `DeploymentPreference` in a SAM template";
            mistakes.push(Mistake::new(line, &what, next));
        }
    }
}
