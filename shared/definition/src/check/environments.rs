//! Environments: names, order, and what they say of services.

use super::rollouts;
use super::services::report_text;
use super::{Known, Need, report_cycles};
use crate::Environment;
use crate::file::File;
use crate::file::environment::EnvironmentSettings;
use crate::map::Map;
use crate::names::{FAMILIES, Family, word};
use crate::reader::Reader;
use crate::support::NotYet;

pub(super) fn check(file: &File, known: &Known<'_>, reader: &mut Reader) {
    let Some(environments) = &file.environments else {
        return;
    };
    if environments.value.is_empty() {
        reader.report(
            environments.line,
            "`environments` is empty",
            "add an environment, for example: int = {}; or remove `environments`: then there are `test` and `prod`",
        );
    }
    for environment in &environments.value {
        note_families(environment, file.services.is_some(), reader);
        report_name(environment, reader);
        report_after(environment, known, reader);
        report_manual(
            environment,
            &environments.value,
            file.services.is_some(),
            reader,
        );
        report_parameters(environment, known, reader);
        report_allow(environment, known, reader);
        report_share(environment, &environments.value, known, reader);
        rollouts::check(environment, reader);
    }
    let needs: Vec<Vec<_>> = environments
        .value
        .iter()
        .map(|environment| {
            let after = environment.after.iter();
            after
                .map(|after| Need {
                    name: &after.value,
                    line: after.line,
                })
                .collect()
        })
        .collect();
    report_cycles(
        "environments come after each other",
        "comes after",
        "remove one `after`: a release goes through the environments one after the other",
        &known.environments,
        &needs,
        reader,
    );
}

/// Nothing makes members of these families yet, and nothing removes other environments. Without `[services]` there are no
/// releases, which an environment is made of.
fn note_families(environment: &Environment, has_services: bool, reader: &mut Reader) {
    let name = environment.name.as_str();
    let place = format!("environments.{name}");
    let is_made = match name {
        _ if name == Family::PullRequest.word() => false,
        _ if name == Family::Execution.word() => has_services,
        _ => true,
    };
    if !is_made {
        let whole = NotYet::new(environment.line, place.clone());
        reader.not_yet.push(whole);
    }
    let is_removed = is_made && has_services && FAMILIES.contains(&name);
    let settings = [
        ("ttl", environment.ttl.is_some()),
        ("timezone", environment.timezone.is_some()),
        ("keep-on-failure", environment.keep_on_failure.is_some()),
    ];
    for (key, _) in settings
        .into_iter()
        .filter(|(_, is_set)| *is_set && !is_removed)
    {
        let key = format!("{place}.{key}");
        reader.not_yet.push(NotYet::new(environment.line, key));
    }
}

fn report_name(environment: &Environment, reader: &mut Reader) {
    let name = environment.name.as_str();
    if FAMILIES.contains(&name) {
        return;
    }
    let Err(why) = word(name) else {
        return;
    };
    let lower = name.to_ascii_lowercase();
    let family = lower
        .split_once('-')
        .map(|(family, _)| family)
        .filter(|family| FAMILIES.contains(family));
    let next = match family {
        Some(family) => format!(
            "remove it: `{name}` is there as soon as it is deployed, and has the settings of `environments.{family}`"
        ),
        None if word(&lower).is_ok() => {
            format!("write it as `{lower}`; `delivery` takes it in any case")
        }
        None => "for example: `int`, `prd`, `staging`".to_owned(),
    };
    reader.report(
        environment.line,
        format!("an environment cannot be called `{name}`: {why}"),
        next,
    );
}

/// Members of these are deployed by hand or by a pull request, not by the pipeline.
fn is_outside_the_pipeline(name: &str) -> bool {
    name == Family::Developer.word() || name == Family::PullRequest.word()
}

fn report_after(environment: &Environment, known: &Known<'_>, reader: &mut Reader) {
    let Some(after) = &environment.after else {
        return;
    };
    let name = &environment.name;
    let place = format!("`environments.{name}.after`");
    if is_outside_the_pipeline(name) {
        let what =
            format!("{place} has no effect: the pipeline does not deploy the family `{name}`");
        reader.report(after.line, what, "remove it");
    } else if after.value == *name {
        let what = format!("{place} names `{name}` itself");
        reader.report(
            after.line,
            what,
            "name the environment that a release goes through before, or remove it",
        );
    } else if known.environment(&after.value, after.line, &place, reader)
        && is_outside_the_pipeline(&after.value)
    {
        let what = format!(
            "{place} names `{}`, a family that the pipeline does not deploy",
            after.value
        );
        reader.report(
            after.line,
            what,
            "name an environment that the pipeline deploys before, or remove it",
        );
    }
}

/// What `manual` cannot be together with.
fn report_manual(
    environment: &Environment,
    all: &Map<EnvironmentSettings>,
    has_services: bool,
    reader: &mut Reader,
) {
    let name = &environment.name;
    let is_family = FAMILIES.contains(&name.as_str());
    if environment.is_manual() {
        let why = if is_family {
            Some((
                "`manual` is for environments that releases go through",
                "remove it",
            ))
        } else if !has_services {
            Some((
                "without `[services]` there are no releases to promote",
                "add `[services]`, or remove it",
            ))
        } else if environment.is_approved_by_hand() {
            Some((
                "no stage could wait for the `approval`",
                "remove one of them: who runs `delivery promote` has decided",
            ))
        } else {
            None
        };
        if let Some((why, next)) = why {
            let what = format!("`environments.{name}` cannot be `manual`: {why}");
            reader.report(environment.line, what, next);
        }
        return;
    }
    let Some(after) = environment.after.as_ref().filter(|_| !is_family) else {
        return;
    };
    if all.get(&after.value).is_some_and(|one| one.is_manual()) {
        let what = format!(
            "the pipeline would deliver to `{name}` what has not been in `{}`, which is `manual`",
            after.value
        );
        let next = format!("make `{name}` `manual`, too, or remove `after`");
        reader.report(after.line, what, next);
    }
}

fn report_parameters(environment: &Environment, known: &Known<'_>, reader: &mut Reader) {
    let name = &environment.name;
    for text in &environment.parameters {
        if let Some(reference) = text.value.value.references().next() {
            reader.report(
                text.value.line,
                format!(
                    "`environments.{name}.parameters.{}` refers to `${{{}.{}}}`, but is for all services",
                    text.name, reference.service, reference.output
                ),
                format!("write it for the services that use it: `[environments.{name}.services.SERVICE]`"),
            );
        }
    }
    for service in &environment.services {
        let place = format!("`environments.{name}.services`");
        known.service(&service.name, service.line, &place, reader);
        for text in &service.value {
            let place = format!(
                "`environments.{name}.services.{}.{}`",
                service.name, text.name
            );
            report_text(&text.value, &place, Some(&service.name), known, reader);
        }
    }
}

fn report_allow(environment: &Environment, known: &Known<'_>, reader: &mut Reader) {
    let place = format!("`environments.{}.allow`", environment.name);
    for allowed in &environment.allow {
        match allowed.value.split_once('.') {
            Some((service, resource)) if !resource.is_empty() => {
                known.service(service, allowed.line, &place, reader);
            }
            _ => reader.report(
                allowed.line,
                format!(
                    "{place} has `{}`, which is not `SERVICE.LOGICAL-NAME`",
                    allowed.value
                ),
                "for example: allow = [\"database.OldTable\"]",
            ),
        }
    }
}

fn report_share(
    environment: &Environment,
    all: &Map<EnvironmentSettings>,
    known: &Known<'_>,
    reader: &mut Reader,
) {
    let mut is_well_formed = true;
    for shared in &environment.share {
        let name = &environment.name;
        let place = format!("`environments.{name}.share.{}`", shared.name);
        let of_share = format!("`environments.{name}.share`");
        is_well_formed &= known.service(&shared.name, shared.line, &of_share, reader);
        let (other, line) = (&shared.value.value, shared.value.line);
        // Its value is missing, which was reported.
        if line == 0 || !known.environment(other, line, &place, reader) {
            is_well_formed = false;
            continue;
        }
        if other == name || FAMILIES.contains(&other.as_str()) {
            is_well_formed = false;
            let what = format!("{place} is `{other}`, which is not another environment");
            reader.report(
                line,
                what,
                "name one that is there all the time, such as `int`",
            );
        } else if all
            .get(other)
            .is_some_and(|other| other.share.get(&shared.name).is_some())
        {
            is_well_formed = false;
            let what = format!(
                "{place} is `{other}`, which shares `{}` itself",
                shared.name
            );
            reader.report(
                line,
                what,
                "name the environment that the service is deployed to",
            );
        }
    }
    let mut services = known.services.iter();
    if is_well_formed && services.all(|name| environment.share.get(name).is_some()) {
        let what = format!(
            "`environments.{}` shares all services, so nothing is ever deployed there",
            environment.name
        );
        let next = "let it have a service of its own, or remove it";
        reader.report(environment.line, what, next);
    }
}
