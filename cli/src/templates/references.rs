//! What `delivery.toml` says of templates, held against the templates: parameters and outputs that do not exist.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use delivery_definition::{
    Definition, Detected, Kind, Located, Map, Mistake, Named, Service, Target, Text,
};
use delivery_stack::template::{Template, nearest};

use super::read;

/// What a template declares; `None` of a section that a transform writes.
struct Declared {
    template: String,
    parameters: Option<BTreeSet<String>>,
    /// The parameters without a default.
    required: Vec<String>,
    outputs: Option<BTreeSet<String>>,
}

/// Looks all parameters and outputs up. A template that a build writes is not there yet, and is not looked at.
pub(super) fn mistakes(
    definition: &Definition,
    folder: &Path,
    kinds: &BTreeMap<String, Detected>,
) -> Vec<Mistake> {
    let declared: BTreeMap<&str, Declared> = definition
        .services()
        .iter()
        .filter_map(|service| {
            let kind = kinds.get(&service.name)?;
            Some((service.name.as_str(), declared(folder, service, kind)?))
        })
        .collect();
    let mut mistakes = Vec::new();
    for service in definition.services() {
        let parameters = parameters(definition, service);
        if let Some(declared) = declared.get(service.name.as_str()) {
            let names = parameters.iter().map(|(name, text)| (*name, text.line));
            let unknown: Vec<_> = names
                .filter_map(|(name, line)| parameter(declared, name, line))
                .collect();
            // What is missing may be what is misspelt.
            if unknown.is_empty() {
                mistakes.extend(missing(definition, service, declared));
            }
            mistakes.extend(unknown);
        }
        let test = service.test.iter().flat_map(|test| &test.value.environment);
        let others = service.config.iter().chain(test).map(|one| &one.value);
        let texts = parameters.iter().map(|(_, text)| *text).chain(others);
        mistakes.extend(texts.flat_map(|text| outputs(&declared, text)));
    }
    let stacks = kinds.values().filter(|one| one.kind == Kind::Stack).count();
    // A template that a build writes may declare anything.
    if declared.len() == stacks {
        mistakes.extend(of_environments(definition, &declared));
    }
    mistakes
}

/// The parameters of environments that no template declares. They are for each service that declares them.
fn of_environments(definition: &Definition, declared: &BTreeMap<&str, Declared>) -> Vec<Mistake> {
    let sections = declared.values().map(|one| one.parameters.as_ref());
    let Some(sections) = sections.collect::<Option<Vec<_>>>() else {
        return Vec::new();
    };
    let known: BTreeSet<String> = sections.into_iter().flatten().cloned().collect();
    let environments = definition.environments().iter();
    let named = environments.flat_map(|environment| environment.value.parameters.iter());
    let unknown = named.filter(|one| !known.contains(&one.name));
    let mistake = |one: &Named<Located<Text>>| {
        let what = format!(
            "no service's template declares the parameter `{}`",
            one.name
        );
        let next = advice(&one.name, &known, "declare it in one, or remove it here");
        Mistake::new(one.value.line, &what, &next)
    };
    unknown.map(mistake).collect()
}

/// The parameters of a service, in each environment.
fn parameters<'a>(
    definition: &'a Definition,
    service: &'a Service,
) -> Vec<(&'a str, &'a Located<Text>)> {
    let environments = definition.environments().iter();
    let overrides = environments.filter_map(|one| one.services.get(&service.name));
    let all = std::iter::once(&service.parameters).chain(overrides.map(|one| &one.value));
    all.flat_map(Map::iter)
        .map(|one| (one.name.as_str(), &one.value))
        .collect()
}

fn declared(folder: &Path, service: &Service, kind: &Detected) -> Option<Declared> {
    let read = read(folder, service, kind)?;
    let section = |name: &str| {
        let names: BTreeSet<String> = read.section(name).map(|(name, _)| name.clone()).collect();
        let is_written = names.iter().any(|name| name.starts_with("Fn::"));
        (!is_written).then_some(names)
    };
    Some(Declared {
        template: Path::new(service.folder())
            .join(kind.template.as_ref()?)
            .display()
            .to_string(),
        parameters: section("Parameters"),
        required: required(&read),
        outputs: section("Outputs"),
    })
}

fn required(template: &Template) -> Vec<String> {
    let declared = template.parameters().into_iter();
    let without_default = declared.filter(|one| one.default.is_none());
    without_default.map(|one| one.name).collect()
}

/// The parameters without a default that have no value in an environment that is a stage and deploys the service.
fn missing(definition: &Definition, service: &Service, declared: &Declared) -> Vec<Mistake> {
    let is_known = |name: &str| {
        let known = declared.parameters.as_ref();
        known.is_some_and(|known| known.contains(name))
    };
    let stages = definition.stages();
    let targets: Vec<_> = stages
        .iter()
        .filter_map(|stage| definition.environment(&stage.name).ok())
        .filter(|target| target.deploys(service))
        .collect();
    let of_parameter = |name: &String| {
        let lacks = |target: &&Target<'_>| {
            let values = target.parameters(service, is_known);
            !values.contains_key(name)
        };
        let target = targets.iter().find(lacks)?;
        let what = format!(
            "`{}` needs the parameter `{name}`: it has no default, and no value in `{}`",
            declared.template, target.name
        );
        let next = format!(
            "add it to `parameters` of the service `{}`, of the environment, or give it a default",
            service.name
        );
        Some(Mistake::new(service.line, &what, &next))
    };
    declared.required.iter().filter_map(of_parameter).collect()
}

fn parameter(declared: &Declared, name: &str, line: usize) -> Option<Mistake> {
    let known = declared.parameters.as_ref()?;
    if known.contains(name) {
        return None;
    }
    let what = format!(
        "`{}` does not declare the parameter `{name}`",
        declared.template
    );
    Some(Mistake::new(
        line,
        &what,
        &advice(name, known, "declare it there, or remove it here"),
    ))
}

fn outputs(declared: &BTreeMap<&str, Declared>, text: &Located<Text>) -> Vec<Mistake> {
    let references = text.value.references();
    let missing = references.filter_map(|reference| {
        let other = declared.get(reference.service.as_str())?;
        let known = other.outputs.as_ref()?;
        if known.contains(&reference.output) {
            return None;
        }
        let what = format!("`{}` has no output `{}`", other.template, reference.output);
        let next = advice(
            &reference.output,
            known,
            "add it there, or correct the reference",
        );
        Some(Mistake::new(text.line, &what, &next))
    });
    missing.collect()
}

fn advice(name: &str, known: &BTreeSet<String>, otherwise: &str) -> String {
    match nearest(name, known.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => otherwise.to_owned(),
    }
}
