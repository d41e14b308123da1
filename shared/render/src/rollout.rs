//! How traffic moves in an environment: the parameters of deploy-app, and the functions that it may call for them.

use std::collections::BTreeSet;

use delivery_definition::{EnvironmentSettings, Kind, Mistake};
use delivery_rollout::short_duration;

use crate::plan::{Plan, PlannedService};
use crate::query::Query;

/// The template's parameter for how late metrics may be. It is a property of where the pipeline runs, so it is no key of
/// `delivery.toml`.
pub(crate) const METRICS_DELAY: &str = "MetricsDelay";

/// Adds what the environment says. What it does not say is left to deploy-app.
pub(crate) fn add(query: Query, settings: &EnvironmentSettings) -> Query {
    let mut query = query;
    if let Some(strategy) = &settings.rollout
        && settings.moves_in_steps()
    {
        query = query.text("strategy", &strategy.value.to_string());
    }
    if let Some(bake) = &settings.bake {
        query = query.text("bake", &short_duration(bake.value.0));
    }
    let alarms: Vec<_> = settings.alarm_names().collect();
    if !alarms.is_empty() {
        query = query.text("alarms", &alarms.join(","));
    }
    if settings.is_watched() {
        query = query.parameter("metrics-delay", METRICS_DELAY);
    }
    for (key, hook) in [
        ("pre-traffic", &settings.pre_traffic),
        ("post-traffic", &settings.post_traffic),
    ] {
        if let Some(hook) = hook {
            query = query.text(key, &hook.value.0);
        }
    }
    query
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
