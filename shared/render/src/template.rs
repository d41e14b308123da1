//! Fills the templates in. What they print is decided before; here it only gets its form.

mod application;
mod delivery;
mod names;
mod stages;
mod variables;

use std::collections::BTreeMap;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use crate::part::Part;
use crate::plan::Plan;

/// The templates by name.
const TEMPLATES: [(&str, &str); 3] = [
    (
        "delivery.yaml",
        include_str!("../templates/delivery.yaml.jinja"),
    ),
    (
        "pipeline.yaml",
        include_str!("../templates/pipeline.yaml.jinja"),
    ),
    (
        "application.yaml",
        include_str!("../templates/application.yaml.jinja"),
    ),
];

/// All templates by file name.
pub(crate) fn render(plan: &Plan<'_>, parts: &[Part<'_>]) -> BTreeMap<String, String> {
    let engine = engine();
    let launched = delivery::context(plan, parts);
    let mut files = BTreeMap::new();
    files.insert(
        "delivery.yaml".to_owned(),
        fill(&engine, "delivery.yaml", &launched),
    );
    for part in parts {
        let context = stages::context(part);
        files.insert(part.file(), fill(&engine, "pipeline.yaml", &context));
    }
    for service in plan.with_sites() {
        let context = application::context(plan, service);
        files.insert(service.file(), fill(&engine, "application.yaml", &context));
    }
    files
}

/// The template of a site in an environment that has no stage.
pub(crate) fn site(service: &str, environment: &str) -> String {
    let context = application::site(service, environment);
    fill(&engine(), "application.yaml", &context)
}

fn engine() -> Environment<'static> {
    let mut syntax = SyntaxConfig::builder();
    // `${<< service.id >>Site}` can be read, `{${{ service.id }}Site}` cannot.
    syntax.variable_delimiters("<<", ">>");
    // A line that only has a tag leaves nothing behind.
    syntax
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true);
    let mut engine = Environment::new();
    engine.set_syntax(syntax.build().expect("the delimiters differ"));
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.add_filter("scalar", scalar);
    for (name, template) in TEMPLATES {
        engine
            .add_template(name, template)
            .expect("a test renders each template");
    }
    engine
}

fn fill(engine: &Environment<'_>, name: &str, context: &impl Serialize) -> String {
    let template = engine.get_template(name).expect("all templates are added");
    let text = template.render(Serde(context));
    text.expect("a test renders each template with each kind of service")
}

/// Words that YAML takes for something else than text; names of environments and services can be all of them.
const YAML_WORDS: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"];

/// A name as YAML has it.
fn scalar(name: &str) -> String {
    if YAML_WORDS.contains(&name) {
        return quoted(name);
    }
    name.to_owned()
}

/// Text as YAML has it in quotes.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
