//! What holds for all files.

use delivery_definition::{Definition, parse_bytes};
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

fn file() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => text().prop_map(String::into_bytes),
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
            definition.parameters(&target, service, |_| true);
            if let Some(application) = definition.application() {
                definition.stack(application, &target, service).unwrap();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_file_is_read_or_refused_on_its_own_lines(bytes in file()) {
        let breaks = bytes.iter().filter(|byte| **byte == b'\n').count();
        let ends_in_break = bytes.last() == Some(&b'\n');
        let lines = (breaks + usize::from(!ends_in_break)).max(1);
        match parse_bytes(&bytes, "delivery.toml") {
            Ok(definition) => ask_all(&definition),
            Err(mistakes) => {
                prop_assert!(mistakes.iter().next().is_some());
                for mistake in &mistakes {
                    prop_assert!((1..=lines).contains(&mistake.line), "{mistake:?} of {lines} lines");
                }
            }
        }
    }
}
