//! The published schema of everything that `--json` prints: `docs/output.schema.json`.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::document::Document;
use super::ending::Ending;
use super::teller::Told;
use crate::doctor::Diagnosis;
use crate::event::{Event, FORMAT_VERSION};
use crate::new_action::Written;
use crate::pipeline::printed;
use crate::stack::Validation;
use crate::stack::told::News;

/// One schema that every line of every command satisfies.
pub(crate) fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let lines = vec![
        line(&generator.subschema_for::<Event>()),
        typed::<Ending>(&mut generator, "result"),
        told::<News>(&mut generator),
        document::<Validation>(&mut generator),
        document::<printed::StatusDocument>(&mut generator),
        told::<printed::LogLine>(&mut generator),
        document::<printed::Started>(&mut generator),
        document::<printed::Answered>(&mut generator),
        document::<printed::Retried>(&mut generator),
        document::<printed::Stopping>(&mut generator),
        document::<Diagnosis>(&mut generator),
        document::<Written>(&mut generator),
    ];
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of `delivery --json`",
        "anyOf": lines,
        "$defs": generator.take_definitions(true),
    })
}

/// The lines of a command that tells events.
fn told<T: Told>(generator: &mut SchemaGenerator) -> Schema {
    let schema = generator.subschema_for::<T>();
    line(&schema)
}

/// The answer of a short command.
fn document<D: Document>(generator: &mut SchemaGenerator) -> Schema {
    typed::<D>(generator, D::TYPE)
}

fn typed<T: JsonSchema>(generator: &mut SchemaGenerator, kind: &str) -> Schema {
    let fields = generator.subschema_for::<T>();
    let kind = json_schema!({ "properties": { "type": { "const": kind } }, "required": ["type"] });
    line(&json_schema!({ "allOf": [kind, fields] }))
}

fn line(schema: &Schema) -> Schema {
    let version =
        json_schema!({ "properties": { "v": { "const": FORMAT_VERSION } }, "required": ["v"] });
    json_schema!({ "allOf": [version, schema] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documented;
    use crate::output::json;
    use crate::output::lines::tests::examples;

    #[test]
    fn the_published_schema_is_that_of_the_code() {
        let text = serde_json::to_string_pretty(&schema()).unwrap();
        documented::check("docs/output.schema.json", &format!("{text}\n"));
    }

    #[test]
    fn every_event_satisfies_it_and_a_foreign_line_does_not() {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        for event in examples() {
            let line: Value = serde_json::from_str(&json::line(&event)).unwrap();
            assert!(validator.is_valid(&line), "{line}");
        }
        assert!(!validator.is_valid(&json!({ "v": 1, "type": "surprise" })));
        assert!(!validator.is_valid(&json!({ "type": "result", "status": "success" })));
    }

    #[test]
    fn every_news_of_a_stack_satisfies_it() {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        for news in crate::stack::told::tests::examples() {
            let mut line = serde_json::to_value(&news).unwrap();
            line["v"] = json!(FORMAT_VERSION);
            assert!(validator.is_valid(&line), "{line}");
        }
    }
}
