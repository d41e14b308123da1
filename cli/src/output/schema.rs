//! The published schema of everything that `--json` prints: `docs/output.schema.json`.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::answer::CommandAnswer;
use super::ending::Ending;
use super::json::FORMAT_VERSION;
use crate::console::ConsoleAddress;
use crate::deploy::answer::DeploymentPlan;
use crate::doctor::Diagnosis;
use crate::init::Initialized;
use crate::message::Message;
use crate::new_action::Written;
use crate::pipeline::printed;
use crate::record::{RunHistory, RunPage};
use crate::release::printed as released;
use crate::render::Rendered;
use crate::stack::Validation;

/// One schema that every line of every command satisfies.
pub(crate) fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let lines = vec![
        line(&generator.subschema_for::<Message>()),
        typed::<Ending>(&mut generator, "result"),
        answer::<RunHistory>(&mut generator),
        answer::<RunPage>(&mut generator),
        answer::<ConsoleAddress>(&mut generator),
        answer::<Validation>(&mut generator),
        answer::<Initialized>(&mut generator),
        answer::<Rendered>(&mut generator),
        answer::<DeploymentPlan>(&mut generator),
        answer::<printed::StatusDocument>(&mut generator),
        answer::<printed::Environments>(&mut generator),
        answer::<printed::Started>(&mut generator),
        answer::<printed::Answered>(&mut generator),
        answer::<printed::Retried>(&mut generator),
        answer::<printed::Stopping>(&mut generator),
        answer::<printed::RolloutDocument>(&mut generator),
        answer::<printed::Intervened>(&mut generator),
        answer::<printed::RolledBack>(&mut generator),
        answer::<printed::Resumed>(&mut generator),
        answer::<released::ReleaseList>(&mut generator),
        answer::<released::DeploymentList>(&mut generator),
        answer::<released::Pruned>(&mut generator),
        answer::<released::Difference>(&mut generator),
        answer::<released::Promoted>(&mut generator),
        answer::<released::EnvironmentList>(&mut generator),
        answer::<released::Removed>(&mut generator),
        answer::<released::Kept>(&mut generator),
        answer::<released::Repaired>(&mut generator),
        answer::<released::Unlocked>(&mut generator),
        answer::<Diagnosis>(&mut generator),
        answer::<Written>(&mut generator),
    ];
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of `delivery --json`",
        "anyOf": lines,
        "$defs": generator.take_definitions(true),
    })
}

/// The answer of a short command.
fn answer<A: CommandAnswer>(generator: &mut SchemaGenerator) -> Schema {
    typed::<A>(generator, A::TYPE)
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
    use crate::generated_docs;
    use crate::message::{log_examples, run_examples, stack_examples};
    use crate::output::json;

    #[test]
    fn the_published_schema_is_that_of_the_code() {
        let text = serde_json::to_string_pretty(&schema()).unwrap();
        generated_docs::check("docs/output.schema.json", &format!("{text}\n"));
    }

    #[test]
    fn every_message_satisfies_it_and_a_foreign_line_does_not() {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        let run = run_examples().into_iter().map(Message::Run);
        let stack = stack_examples().into_iter().map(Message::Stack);
        let log = log_examples().into_iter().map(Message::Log);
        for message in run.chain(stack).chain(log) {
            let line: Value = serde_json::from_str(&json::line(None, &message)).unwrap();
            assert!(validator.is_valid(&line), "{line}");
        }
        assert!(!validator.is_valid(&json!({ "v": 1, "type": "surprise" })));
        assert!(!validator.is_valid(&json!({ "type": "result", "status": "success" })));
    }
}
