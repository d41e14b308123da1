//! The text of `delivery.toml`.

use std::fmt::Write as _;

use delivery_definition::Kind;
use delivery_definition::names::FAMILIES;

use super::build::Build;
use super::find::{FoundService, joined};

/// The longest line of a service; longer ones become a section.
const MAX_LINE_CHARACTERS: usize = 110;

/// Words in the name of an output that is an address.
const ADDRESS: [&str; 3] = ["url", "endpoint", "api"];

/// The file.
pub(super) fn text(
    application: &str,
    services: &[FoundService],
    environments: &[String],
) -> String {
    let mut text = format!("application = \"{application}\"\n");
    if !is_one_app(services) {
        text.push_str(&services_text(services));
    }
    text.push_str("\n[environments]\n");
    let mut before: Option<&str> = None;
    for name in environments {
        let is_family = FAMILIES.contains(&name.as_str());
        let value = match before.filter(|_| !is_family) {
            Some(before) => format!("{{ after = \"{before}\" }}"),
            None => "{}".to_owned(),
        };
        let _infallible = writeln!(text, "{name} = {value}");
        before = if is_family { before } else { Some(name) };
    }
    text
}

/// The repository itself, as the pipeline takes it without `[services]`: with the tests that it has to have then.
fn is_one_app(services: &[FoundService]) -> bool {
    match services {
        [only] => {
            let tests = only.test.as_deref() == Some("test-functional");
            only.kind == Kind::App && only.directory == "." && tests
        }
        _ => false,
    }
}

fn services_text(services: &[FoundService]) -> String {
    let lines: Vec<(String, String)> = services
        .iter()
        .map(|one| (one.name.clone(), short(one)))
        .filter(|(name, value)| {
            !value.contains('\n') && name.len() + value.len() <= MAX_LINE_CHARACTERS
        })
        .collect();
    let width = lines
        .iter()
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or_default();
    let mut text = String::new();
    if !lines.is_empty() {
        text.push_str("\n[services]\n");
    }
    for (name, value) in &lines {
        let _infallible = writeln!(text, "{name:width$} = {value}");
    }
    let is_line = |service: &&FoundService| lines.iter().any(|(name, _)| *name == service.name);
    for service in services.iter().filter(|service| !is_line(service)) {
        let _infallible = writeln!(text, "\n[services.{}]", service.name);
        for (key, value) in keys(service) {
            let _infallible = writeln!(text, "{key} = {value}");
        }
    }
    text
}

/// A service in one line.
fn short(service: &FoundService) -> String {
    match &keys(service)[..] {
        [(_, directory)] => directory.clone(),
        keys => {
            let pairs: Vec<_> = keys
                .iter()
                .map(|(key, value)| format!("{key} = {value}"))
                .collect();
            format!("{{ {} }}", pairs.join(", "))
        }
    }
}

/// A service's keys, and their values as TOML.
fn keys(service: &FoundService) -> Vec<(&'static str, String)> {
    let mut keys = vec![("directory", quoted(&service.directory))];
    keys.extend(
        service
            .template
            .as_ref()
            .map(|template| ("template", quoted(template))),
    );
    keys.extend(service.site.as_ref().map(|site| ("site", quoted(site))));
    if !service.parameters.is_empty() {
        let pairs = service.parameters.iter();
        let pairs: Vec<_> = pairs
            .map(|(name, value)| format!("{name} = {}", quoted(value)))
            .collect();
        keys.push(("parameters", format!("{{ {} }}", pairs.join(", "))));
    }
    keys.extend(build(&service.build).map(|build| ("build", build)));
    keys.extend(test(service).map(|test| ("test", test)));
    keys
}

fn build(build: &Build) -> Option<String> {
    match build {
        Build::None => None,
        Build::Task(task) => Some(format!("{{ task = {} }}", quoted(task))),
        Build::Commands(commands) => {
            let commands: Vec<_> = commands.iter().map(|command| quoted(command)).collect();
            let one = commands.join(", ");
            Some(if one.len() <= MAX_LINE_CHARACTERS {
                format!("{{ commands = [{one}] }}")
            } else {
                format!("{{ commands = [\n  {},\n] }}", commands.join(",\n  "))
            })
        }
    }
}

/// The tests of what is deployed, which have to know where it is.
fn test(service: &FoundService) -> Option<String> {
    let task = quoted(service.test.as_ref()?);
    let is_address = |output: &&String| {
        let output = output.to_ascii_lowercase();
        ADDRESS.iter().any(|word| output.contains(word))
    };
    if service.kind == Kind::App {
        return Some(format!("{{ task = {task} }}"));
    }
    let output = service.outputs.iter().find(is_address)?;
    let address = quoted(&format!("${{{}.{output}}}", service.name));
    Some(format!(
        "{{ task = {task}, environment = {{ TARGET_URL = {address} }} }}"
    ))
}

/// A service's template, for people.
pub(super) fn template_of(service: &FoundService) -> String {
    let name = service.template.as_deref().unwrap_or("template.yaml");
    joined(&service.directory, name)
}

/// A string of JSON is one of TOML.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
