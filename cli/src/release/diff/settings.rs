//! What differs between the settings of two releases in an environment. Pure, but for the templates that are given.

use std::collections::{BTreeMap, BTreeSet};

use delivery_definition::names::EnvironmentName;
use delivery_definition::{Part, Text};
use toml::Value;

use super::services::{ValueDifference, Values, differing};
use crate::release::configuration::Configuration;

/// The keys of a service and of an environment that are compared as parameters of the services.
const VALUES: [&str; 3] = ["parameters", "services", "config"];

/// The values of all services in an environment: the parameters of stacks, and the `config` of sites. `declared` are the
/// parameters that each stack's template has.
pub(super) fn values(
    configuration: &Configuration,
    environment: &EnvironmentName,
    declared: &BTreeMap<String, BTreeSet<String>>,
) -> Values {
    let definition = &configuration.definition;
    let Ok(target) = definition.environment(environment.as_str()) else {
        return Values::new();
    };
    let of_service = |service: &delivery_definition::Service| {
        let declared = declared.get(&service.name);
        let has = |name: &str| declared.is_some_and(|names| names.contains(name));
        let parameters = target.parameters(service, has).into_iter();
        let parameters = parameters.map(|(name, parameter)| (name, written(&parameter.value)));
        let config = service.config.iter().map(|one| {
            let value = one.value.value.in_environment(target.name.as_str());
            (one.name.clone(), written(&value))
        });
        (service.name.clone(), parameters.chain(config).collect())
    };
    definition.services().iter().map(of_service).collect()
}

/// A text as it is written in the file.
fn written(text: &Text) -> String {
    let part = |part: &Part| match part {
        Part::Literal(literal) => literal.clone(),
        Part::EnvironmentName => "${env}".to_owned(),
        Part::Output(reference) => format!("${{{}.{}}}", reference.service, reference.output),
    };
    text.parts.iter().map(part).collect()
}

/// The other keys that differ: those of services that are in both, and those of the environment.
pub(super) fn compare(
    from: &Configuration,
    to: &Configuration,
    environment: &EnvironmentName,
) -> Vec<ValueDifference> {
    let is_in_both = |service: &str| {
        let has = |one: &Configuration| one.definition.services().get(service).is_some();
        has(from) && has(to)
    };
    let keys = |configuration: &Configuration| {
        let mut keys = BTreeMap::new();
        for service in table(&configuration.table, "services") {
            if is_in_both(service.0) {
                flatten(&format!("services.{}", service.0), service.1, &mut keys);
            }
        }
        let own = environment.family().unwrap_or(environment.as_str());
        for (name, value) in table(&configuration.table, "environments") {
            if name == own {
                flatten(&format!("environments.{name}"), value, &mut keys);
            }
        }
        keys
    };
    differing(&keys(from), &keys(to))
        .into_iter()
        .map(|(name, from, to)| ValueDifference { name, from, to })
        .collect()
}

fn table<'a>(file: &'a toml::Table, name: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let table = file.get(name).and_then(Value::as_table);
    table.into_iter().flatten()
}

fn flatten(place: &str, value: &Value, keys: &mut BTreeMap<String, String>) {
    match value {
        Value::Table(table) => {
            for (name, value) in table {
                if !VALUES.contains(&name.as_str()) {
                    flatten(&format!("{place}.{name}"), value, keys);
                }
            }
        }
        Value::String(text) => {
            keys.insert(place.to_owned(), text.clone());
        }
        value => {
            let text = serde_json::to_string(value).unwrap_or_default();
            keys.insert(place.to_owned(), text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(text: &str) -> Configuration {
        Configuration {
            definition: delivery_definition::parse(text, "delivery.toml").unwrap(),
            table: text.parse().unwrap(),
        }
    }

    const BEFORE: &str = r#"
        application = "workshop"
        [services]
        api = { directory = "api", parameters = { Table = "${shop.Table}", Stage = "${env}" } }
        shop = "shop"
        [environments]
        int = {}
        prd = { after = "int", parameters = { LogLevel = "warn" }, services = { api = { Memory = 512 } } }
    "#;

    #[test]
    fn what_differs_is_what_applies_in_the_environment() {
        let after = BEFORE
            .replace("512", "1024")
            .replace("prd = {", "prd = { approval = true,")
            .replace("int = {}", "int = { approval = true }");
        let (before, after) = (configuration(BEFORE), configuration(&after));
        let prd = EnvironmentName::parse("prd").unwrap();
        let declared =
            BTreeMap::from([("api".to_owned(), BTreeSet::from(["LogLevel".to_owned()]))]);
        let api = |one: &Configuration| values(one, &prd, &declared)["api"].clone();
        let expected = [
            ("LogLevel", "warn"),
            ("Memory", "512"),
            ("Stage", "prd"),
            ("Table", "${shop.Table}"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(api(&before), expected.into());
        assert_eq!(api(&after)["Memory"], "1024");
        let approval = ValueDifference {
            name: "environments.prd.approval".to_owned(),
            from: None,
            to: Some("true".to_owned()),
        };
        assert_eq!(compare(&before, &after, &prd), [approval]);
    }
}
