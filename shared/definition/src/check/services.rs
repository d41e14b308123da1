//! Services: folders, kinds, references and order.

use super::names::report_bad_names;
use super::{Known, Need, build, report_cycles};
use crate::file::File;
use crate::file::environment::EnvironmentSettings;
use crate::file::service::{Kind, ServiceSettings};
use crate::form::Located;
use crate::map::{Map, Named};
use crate::reader::Reader;
use crate::support::NotYet;
use crate::value::text::Text;
use crate::{Environment, Service};

pub(super) fn check(file: &File, known: &Known<'_>, reader: &mut Reader) {
    let Some(services) = &file.services else {
        return;
    };
    if services.value.is_empty() {
        reader.report(
            services.line,
            "`services` is empty",
            "add a service, for example: restapi = \"backend-restapi\"; or remove `services`: then the repository is \
             one service",
        );
    }
    report_bad_names("service", &services.value, reader);
    report_shared_folders(&services.value, reader);
    for service in &services.value {
        report_kinds(service, reader);
        if let Some(build) = &service.build {
            build::check(&service.name, build, reader);
        }
        report_references(service, known, reader);
    }
    let environments = file
        .environments
        .as_ref()
        .map(|environments| &environments.value);
    let needs: Vec<_> = services
        .value
        .iter()
        .map(|service| needs(service, environments))
        .collect();
    report_cycles(
        "services need each other",
        "needs",
        "remove one of these references: the services have to be deployed one after the other",
        &known.services,
        &needs,
        reader,
    );
}

fn report_shared_folders(services: &Map<ServiceSettings>, reader: &mut Reader) {
    for (place, service) in services.iter().enumerate() {
        let Some(directory) = &service.directory else {
            continue;
        };
        let same = |other: &&Service| {
            other
                .directory
                .as_ref()
                .is_some_and(|other| other.value == directory.value)
        };
        if let Some(other) = services.iter().take(place).find(same) {
            reader.report(
                directory.line,
                format!(
                    "the services `{}` and `{}` (line {}) have the same folder, `{}`",
                    service.name,
                    other.name,
                    other.line,
                    directory.value.as_str()
                ),
                "give each service a folder of its own, or make them one service",
            );
        }
    }
}

/// `site`, `template` and `kind` each decide what a service is.
fn report_kinds(service: &Service, reader: &mut Reader) {
    let name = &service.name;
    let site = service
        .site
        .as_ref()
        .map(|site| ("site", Kind::Site, site.line));
    let template = service.template.as_ref();
    let template = template.map(|template| ("template", Kind::Stack, template.line));
    let kind = service.kind.as_ref().map(|kind| (kind.value, kind.line));
    match (site, template, kind) {
        // An app has a site, and may bring a template for what its function needs.
        (.., Some((Kind::App, _))) => {}
        (Some(_), Some((.., line)), _) => reader.report(
            line,
            format!("the service `{name}` has both `site` and `template`, but is deployed as one of them"),
            "remove one, or make two services of it",
        ),
        (Some((key, implied, _)), None, Some((kind, line)))
        | (None, Some((key, implied, _)), Some((kind, line)))
            if implied != kind =>
        {
            reader.report(
                line,
                format!("the service `{name}` has `kind = \"{kind}\"`, but its `{key}` makes it a `{implied}`"),
                format!("remove `kind`, or `{key}`"),
            );
        }
        (None, _, Some((Kind::Site, line))) => reader.report(
            line,
            format!("the service `{name}` has `kind = \"site\"`, but no `site`"),
            "add the folder with the built site, for example: site = \"build\"",
        ),
        (.., Some((kind, line))) if kind.is_not_yet_supported() => {
            reader.not_yet.push(NotYet::new(line, format!("services.{name}.kind")));
        }
        _ => {}
    }
}

/// The values of a service whose references order the services, with the keys that they stand under.
fn ordering(service: &Service) -> impl Iterator<Item = (&'static str, &Named<Located<Text>>)> {
    let parameters = service.parameters.iter().map(|value| ("parameters", value));
    parameters.chain(service.config.iter().map(|value| ("config", value)))
}

fn report_references(service: &Service, known: &Known<'_>, reader: &mut Reader) {
    let name = &service.name;
    for needed in &service.needs {
        let place = format!("`services.{name}.needs`");
        if needed.value == *name {
            reader.report(
                needed.line,
                format!("{place} names `{name}` itself"),
                "remove it",
            );
        } else {
            known.service(&needed.value, needed.line, &place, reader);
        }
    }
    for (key, text) in ordering(service) {
        let place = format!("`services.{name}.{key}.{}`", text.name);
        report_text(&text.value, &place, Some(name), known, reader);
    }
    // The tests run when all services are deployed, so that they may refer to their own.
    for text in service.test.iter().flat_map(|test| &test.value.environment) {
        let place = format!("`services.{name}.test.environment.{}`", text.name);
        report_text(&text.value, &place, None, known, reader);
    }
}

/// Reports references to services that do not exist, and to the service itself, which has no outputs yet.
pub(super) fn report_text(
    text: &Located<Text>,
    place: &str,
    own: Option<&str>,
    known: &Known<'_>,
    reader: &mut Reader,
) {
    for reference in text.value.references() {
        if own == Some(reference.service.as_str()) {
            reader.report(
                text.line,
                format!(
                    "{place} refers to `${{{}.{}}}`, an output of the service itself",
                    reference.service, reference.output
                ),
                "use the value in the template itself, where it is made",
            );
        } else {
            known.service(&reference.service, text.line, place, reader);
        }
    }
}

/// What a service needs, from its own keys and from those of the environments.
pub(super) fn needs<'a>(
    service: &'a Service,
    environments: Option<&'a Map<EnvironmentSettings>>,
) -> Vec<Need<'a>> {
    let own = ordering(service).map(|(_, text)| &text.value);
    let all = environments.into_iter().flatten();
    let theirs = all.flat_map(|environment| overrides(environment, &service.name));
    let references = own.chain(theirs).flat_map(|text| {
        text.value.references().map(|reference| Need {
            name: &reference.service,
            line: text.line,
        })
    });
    let named = service.needs.iter().map(|needed| Need {
        name: &needed.value,
        line: needed.line,
    });
    named.chain(references).collect()
}

/// The values that an environment has for a service.
pub(super) fn overrides<'a>(
    environment: &'a Environment,
    service: &str,
) -> impl Iterator<Item = &'a Located<Text>> {
    let parameters = environment.services.get(service);
    parameters
        .into_iter()
        .flat_map(|parameters| parameters.iter())
        .map(|text| &text.value)
}
