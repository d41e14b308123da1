//! What holds for all files.

use std::sync::LazyLock;

use delivery_definition::{Definition, Source, json_schema, parse, parse_bytes};
use proptest::prelude::*;

/// Lines that are near to those of a file, and some that are not.
fn line() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        "(application|services|environments|previews|pipelines|parameters|functions|region|packages)",
        "(directory|site|template|kind|build|needs|config|test|also|allow)",
        "(after|ttl|rollout|share|alarms|account|role|timezone|approval|base|limit)",
        "(int|prd|dev|qa|api|database)",
        "[a-zA-Z0-9_-]{1,12}",
    ];
    let value = prop_oneof![
        Just("\"int\"".to_owned()),
        Just("\"api\"".to_owned()),
        Just("[\"api\", \"database\"]".to_owned()),
        Just("{ directory = \"api\", needs = [\"database\"], config = { A = \"${api.B}\" } }".to_owned()),
        Just("{ after = \"int\", share = { api = \"int\" }, services.api = { A = \"${database.B}\" } }".to_owned()),
        "\"[ -!#-\\[\\]-~]{0,12}\"",
        "(true|false|5|-1|0x1f|1.5|nan|20:00|2020-01-01|\\[\\]|\\{\\})",
        "\\PC{0,12}",
    ];
    let section = prop_oneof![
        "\\[(services|environments|previews|pipelines|functions|parameters)\\]",
        "\\[(services|environments|pipelines)\\.(api|database|int|prd|dev)\\]",
        "\\[\\[[a-z]{1,8}\\]\\]",
    ];
    prop_oneof![
        3 => (key, value).prop_map(|(key, value)| format!("{key} = {value}")),
        2 => section,
        1 => Just(String::new()),
        1 => "\\PC{0,20}",
    ]
}

fn text() -> impl Strategy<Value = String> {
    let end = prop_oneof![Just("\n"), Just("\r\n")];
    (prop::collection::vec(line(), 0..16), end, any::<bool>()).prop_map(|(lines, end, mark)| {
        let mark = if mark { "\u{feff}" } else { "" };
        format!("{mark}{}", lines.join(end))
    })
}

/// The example without some of its lines, and with some of its bytes changed.
fn near_the_example() -> impl Strategy<Value = Vec<u8>> {
    let example = include_str!("workshop.toml");
    let lines = prop::collection::vec(prop::bool::weighted(0.9), example.lines().count());
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    (lines, changes).prop_map(|(kept, changes)| {
        let lines = example.lines().zip(kept).filter(|(_, kept)| *kept);
        let text: String = lines.flat_map(|(line, _)| [line, "\n"]).collect();
        let mut bytes = text.into_bytes();
        for (place, byte) in changes
            .into_iter()
            .filter(|_| !bytes.is_empty())
            .collect::<Vec<_>>()
        {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes
    })
}

/// What the published schema says of the same file.
fn schema_accepts(bytes: &[u8]) -> bool {
    static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
        let schema = serde_json::from_str(&json_schema()).unwrap();
        jsonschema::validator_for(&schema).unwrap()
    });
    let file: toml::Table = toml::from_str(std::str::from_utf8(bytes).unwrap()).unwrap();
    SCHEMA.is_valid(&serde_json::to_value(file).unwrap())
}

fn file() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => near_the_example(),
        6 => text().prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..200),
    ]
}

/// Each answer that a definition gives about itself is one.
fn ask_all(definition: &Definition) {
    let placed: usize = definition.waves().iter().map(Vec::len).sum();
    assert_eq!(placed, definition.services().len());
    for stage in definition.stages() {
        let name = match stage.name.as_str() {
            "qa" => "qa-1f09ab3c",
            name => name,
        };
        let Ok(target) = definition.environment(name) else {
            panic!("`{name}` is a stage and no environment");
        };
        for service in definition.services() {
            let parameters = target.parameters(service, |_| true);
            assert_eq!(parameters["Environment"].source, Source::EnvironmentName);
            if let Some(application) = definition.application() {
                target.stack(application, service).unwrap();
            }
        }
    }
}

/// Services by number, and which needs which; in any order, so that some are circles.
fn services() -> impl Strategy<Value = Vec<Vec<usize>>> {
    (1_usize..8).prop_flat_map(|count| {
        let needs = prop::collection::btree_set(0..count, 0..3);
        let needs = needs.prop_map(|needs| needs.into_iter().collect::<Vec<_>>());
        prop::collection::vec(needs, count).prop_map(|mut all: Vec<Vec<usize>>| {
            for (own, needs) in all.iter_mut().enumerate() {
                needs.retain(|other| *other != own);
            }
            all
        })
    })
}

/// A file with these services; one half of the needs are references.
fn file_of(services: &[Vec<usize>]) -> String {
    let mut text = "application = \"a\"\n[services]\n".to_owned();
    for (own, needs) in services.iter().enumerate() {
        let (named, referred): (Vec<usize>, Vec<usize>) =
            needs.iter().copied().partition(|other| *other % 2 == 0);
        let named: Vec<_> = named.iter().map(|other| format!("\"s{other}\"")).collect();
        let referred: Vec<_> = referred
            .iter()
            .map(|other| format!("P{other} = \"${{s{other}.O}}\""))
            .collect();
        let (named, referred) = (named.join(", "), referred.join(", "));
        let line = format!(
            "s{own} = {{ directory = \"{own}\", needs = [{named}], parameters = {{ {referred} }} }}\n"
        );
        text.push_str(&line);
    }
    text
}

/// Whether something can be reached from itself.
fn has_circle(services: &[Vec<usize>]) -> bool {
    (0..services.len()).any(|start| {
        let mut seen = vec![false; services.len()];
        let mut next = services[start].clone();
        while let Some(service) = next.pop() {
            if !std::mem::replace(&mut seen[service], true) {
                next.extend(&services[service]);
            }
        }
        seen[start]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_file_is_read_or_refused_on_its_own_lines(bytes in file()) {
        let breaks = bytes.split(|byte| *byte == b'\n').count() - 1;
        let ends_in_break = bytes.last() == Some(&b'\n');
        let lines = (breaks + usize::from(!ends_in_break)).max(1);
        match parse_bytes(&bytes, "delivery.toml") {
            Ok(definition) => {
                ask_all(&definition);
                prop_assert!(schema_accepts(&bytes));
            }
            Err(mistakes) => {
                prop_assert!(mistakes.iter().next().is_some());
                for mistake in &mistakes {
                    prop_assert!((1..=lines).contains(&mistake.line), "{mistake:?} of {lines} lines");
                }
            }
        }
    }

    #[test]
    fn each_service_is_deployed_after_those_that_it_needs(services in services()) {
        let parsed = parse(&file_of(&services), "delivery.toml");
        prop_assert_eq!(parsed.is_err(), has_circle(&services));
        match parsed {
            Ok(definition) => {
                let waves = definition.waves();
                let wave = |number: usize| {
                    let name = format!("s{number}");
                    waves.iter().position(|wave| wave.iter().any(|service| service.name == name))
                };
                for (own, needs) in services.iter().enumerate() {
                    // As early as it can be: one wave after the last that it needs.
                    let last = needs.iter().map(|other| wave(*other)).max().flatten();
                    prop_assert_eq!(wave(own), Some(last.map_or(0, |last| last + 1)));
                }
            }
            Err(mistakes) => {
                for mistake in mistakes {
                    prop_assert!(mistake.what.starts_with("services need each other in a circle: "), "{:?}", mistake);
                }
            }
        }
    }
}
