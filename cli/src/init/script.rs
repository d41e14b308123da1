//! A script more in a `package.json`, whose other bytes stay as they are.

use serde_json::{Map, Value};

/// The file with the script, or `None` where that is not certain to be all that changes.
pub(super) fn with_script(text: &str, name: &str, command: &str) -> Option<String> {
    let before: Value = serde_json::from_str(text).ok()?;
    let expected = with(before, name, command)?;
    let line = format!("{}: {}", Value::from(name), Value::from(command));
    let changed = inserted(text, &line)?;
    let is_right = serde_json::from_str::<Value>(&changed).is_ok_and(|found| found == expected);
    is_right.then_some(changed)
}

fn with(mut manifest: Value, name: &str, command: &str) -> Option<Value> {
    let fields = manifest.as_object_mut()?;
    let scripts = fields.entry("scripts").or_insert_with(|| Map::new().into());
    scripts
        .as_object_mut()?
        .insert(name.to_owned(), command.into());
    Some(manifest)
}

/// The line first among the scripts, or in an object of them at the beginning of the file.
fn inserted(text: &str, line: &str) -> Option<String> {
    let indentation = indentation(text);
    if let Some(key) = text.find("\"scripts\"") {
        let at = key + text.get(key..)?.find('{')? + 1;
        let (head, tail) = text.split_at_checked(at)?;
        let is_empty = tail.trim_start().starts_with('}');
        let end = match (is_empty, tail.starts_with('\n') || tail.starts_with("\r\n")) {
            (true, true) => "",
            (true, false) => &format!("\n{indentation}"),
            (false, true) => ",",
            (false, false) => ",\n",
        };
        return Some(format!(
            "{head}\n{indentation}{indentation}{line}{end}{tail}"
        ));
    }
    let at = text.find('{')? + 1;
    let (head, tail) = text.split_at_checked(at)?;
    let comma = if tail.trim_start().starts_with('}') {
        ""
    } else {
        ","
    };
    let scripts =
        format!("\"scripts\": {{\n{indentation}{indentation}{line}\n{indentation}}}{comma}");
    let end = if tail.starts_with(['\n', '\r']) {
        ""
    } else {
        "\n"
    };
    Some(format!("{head}\n{indentation}{scripts}{end}{tail}"))
}

/// What the file's own lines begin with; two blanks, as npm writes them, where they do not say it.
fn indentation(text: &str) -> &str {
    let line = text.lines().find(|line| line.trim_start().starts_with('"'));
    let blanks = line.map(|line| &line[..line.len() - line.trim_start().len()]);
    blanks.filter(|blanks| !blanks.is_empty()).unwrap_or("  ")
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test_case("{\n  \"scripts\": {\n    \"test\": \"x\"\n  }\n}\n", "{\n  \"scripts\": {\n    \"package\": \"a && b\",\n    \"test\": \"x\"\n  }\n}\n"; "before the others")]
    #[test_case("{\n\t\"scripts\": {}\n}\n", "{\n\t\"scripts\": {\n\t\t\"package\": \"a && b\"\n\t}\n}\n"; "alone, by tabs")]
    #[test_case("{\n  \"name\": \"x\"\n}\n", "{\n  \"scripts\": {\n    \"package\": \"a && b\"\n  },\n  \"name\": \"x\"\n}\n"; "without scripts")]
    #[test_case("{}", "{\n  \"scripts\": {\n    \"package\": \"a && b\"\n  }\n}"; "empty")]
    #[test_case("{\"scripts\":{\"test\":\"x\"}}", "{\"scripts\":{\n    \"package\": \"a && b\",\n\"test\":\"x\"}}"; "in one line")]
    fn a_script_is_added(text: &str, expected: &str) {
        assert_eq!(
            with_script(text, "package", "a && b").as_deref(),
            Some(expected)
        );
    }

    #[test_case("{\"name\": \"scripts\", \"x\": {\"scripts\": {}}}"; "another object of that name")]
    #[test_case("{\"scripts\": 1}"; "no object")]
    #[test_case("// not JSON\n{}"; "a comment")]
    fn what_is_not_certain_is_left(text: &str) {
        assert_eq!(with_script(text, "package", "a"), None);
    }
}
