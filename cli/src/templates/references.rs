//! What `delivery.toml` says of templates, held against the templates: parameters and outputs that do not exist.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use delivery_definition::{Definition, Detected, Located, Map, Mistake, Service, Text};
use delivery_stack::template::{Template, nearest};

/// What a template declares; `None` of a section that a transform writes.
struct Declared {
    template: String,
    parameters: Option<BTreeSet<String>>,
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
            let template = kinds.get(&service.name)?.template.as_ref()?;
            Some((service.name.as_str(), read(folder, service, template)?))
        })
        .collect();
    let mut mistakes = Vec::new();
    for service in definition.services() {
        let parameters = parameters(definition, service);
        if let Some(declared) = declared.get(service.name.as_str()) {
            let names = parameters.iter().map(|(name, text)| (*name, text.line));
            mistakes.extend(names.filter_map(|(name, line)| parameter(declared, name, line)));
        }
        let test = service.test.iter().flat_map(|test| &test.value.environment);
        let others = service.config.iter().chain(test).map(|one| &one.value);
        let texts = parameters.iter().map(|(_, text)| *text).chain(others);
        mistakes.extend(texts.flat_map(|text| outputs(&declared, text)));
    }
    mistakes
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

fn read(folder: &Path, service: &Service, template: &str) -> Option<Declared> {
    let directory = service.directory.as_ref()?.value.as_str();
    let text = std::fs::read_to_string(folder.join(directory).join(template)).ok()?;
    let read = Template::read(&text).ok()?;
    let section = |name: &str| {
        let names: BTreeSet<String> = read.section(name).map(|(name, _)| name.clone()).collect();
        let is_written = names.iter().any(|name| name.starts_with("Fn::"));
        (!is_written).then_some(names)
    };
    Some(Declared {
        template: Path::new(directory).join(template).display().to_string(),
        parameters: section("Parameters"),
        outputs: section("Outputs"),
    })
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
