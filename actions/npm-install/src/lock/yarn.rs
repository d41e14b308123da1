//! Yarn's lock file: a format of its own in Yarn 1, YAML since.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Locked, Origin, origin_of};
use crate::yaml;

/// The project itself, which the file lists too.
const PROJECT: &str = "workspace:.";

/// Where the file keeps its own version.
const METADATA: &str = "__metadata";

/// The hash of Yarn's cached archives is SHA-512, and written without its name.
const CHECKSUM: &str = "sha512-";

#[derive(Deserialize)]
struct Package {
    #[serde(default)]
    resolution: String,
    checksum: Option<String>,
    conditions: Option<String>,
}

/// The packages of a lock file of Yarn 2 and later.
pub(super) fn parse(text: &str) -> Result<Vec<Locked>, String> {
    let mut content: BTreeMap<String, serde_json::Value> = yaml::parse(text)?;
    content.remove(METADATA);
    let packages = content.into_values().map(|value| {
        let package: Package = serde_json::from_value(value).map_err(|error| error.to_string())?;
        // `@scope/name@npm:1.0.0`
        let (_, reference) = package
            .resolution
            .char_indices()
            .skip(1)
            .find(|(_, character)| *character == '@')
            .map_or(("", ""), |(at, _)| package.resolution.split_at(at + 1));
        if reference == PROJECT {
            return Ok(None);
        }
        Ok(Some(Locked {
            origin: origin(reference),
            name: package.resolution.clone(),
            hash: package.checksum.map(|hash| format!("{CHECKSUM}{hash}")),
            is_conditional: package.conditions.is_some(),
        }))
    });
    packages.filter_map(Result::transpose).collect()
}

/// What a resolution refers to. A patch of Yarn's own (`patch:...#optional!builtin<...>`) comes with Yarn, others are
/// files of the project.
fn origin(reference: &str) -> Origin {
    if reference.starts_with("npm:") {
        // `npm:1.0.0::__archiveUrl=https%3A%2F%2F...` names an address.
        return match reference.split_once("__archiveUrl=") {
            Some((_, address)) => origin_of(&address.replace("%3A", ":").replace("%2F", "/")),
            None => Origin::Registry,
        };
    }
    if reference.starts_with("patch:") {
        let is_builtin = reference.contains("builtin<");
        return if is_builtin {
            Origin::Registry
        } else {
            Origin::Local
        };
    }
    if reference.contains("commit=") {
        return Origin::Git;
    }
    origin_of(reference)
}

/// The packages of a lock file of Yarn 1.
pub(super) fn parse_classic(text: &str) -> Result<Vec<Locked>, String> {
    let mut packages: Vec<Locked> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let unreadable = || format!("line {} is not of Yarn's format", number + 1);
        let indent = line.len() - line.trim_start_matches(' ').len();
        let words = line.trim();
        if words.is_empty() || words.starts_with('#') {
            continue;
        }
        if indent == 0 {
            let names = words.strip_suffix(':').ok_or_else(unreadable)?;
            packages.push(Locked {
                name: names
                    .split(", ")
                    .next()
                    .unwrap_or(names)
                    .trim_matches('"')
                    .to_owned(),
                origin: Origin::Local,
                hash: None,
                is_conditional: false,
            });
        } else if indent == 2 {
            let package = packages.last_mut().ok_or_else(unreadable)?;
            let (key, value) = words.split_once(' ').unwrap_or((words, ""));
            let value = value.trim_matches('"');
            match key {
                "resolved" => {
                    package.origin = origin_of(value);
                    // The SHA-1 after `#`, which Yarn verifies.
                    let hash = value
                        .split_once('#')
                        .map(|(_, hash)| format!("sha1-{hash}"));
                    package.hash = package.hash.take().or(hash.filter(|hash| hash.len() == 45));
                }
                "integrity" => package.hash = Some(value.to_owned()),
                _ => {}
            }
        }
    }
    for package in &mut packages {
        // `a@file:a`, `a@link:a` have no address, and so have packages of an offline mirror.
        let is_local = ["@file:", "@link:", "@./", "@../"]
            .iter()
            .any(|mark| package.name.contains(mark));
        if package.origin == Origin::Local && !is_local {
            package.origin = Origin::Registry;
        }
    }
    Ok(packages)
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;
    use crate::error::Untrusted;

    #[test_case("a@npm:1.0.0", "checksum: 10c0/0a", None; "registry")]
    #[test_case("@b/a@npm:1.0.0", "checksum: 10c0/0a", None; "scoped")]
    #[test_case("a@npm:1.0.0", "conditions: os=darwin", None; "for some systems")]
    #[test_case("a@workspace:packages/a", "languageName: unknown", None; "a workspace")]
    #[test_case("a@patch:a@npm%3A5.0.0#optional!builtin<compat/typescript>::version=5", "checksum: 10c0/0a", None; "a patch of yarn's own")]
    #[test_case("a@npm:1.0.0", "languageName: node", Some(Untrusted::NoIntegrity); "no hash")]
    #[test_case("a@npm:1.0.0::__archiveUrl=http%3A%2F%2Fr%2Fa.tgz", "checksum: 10c0/0a", Some(Untrusted::PlainHttp); "http")]
    #[test_case("a@https://h/a.git#commit=1", "checksum: 10c0/0a", Some(Untrusted::Git); "git")]
    #[test_case("a@https://h/a.tgz", "checksum: 10c0/0a", None; "address")]
    #[test_case("a@https://h/a.tgz", "conditions: os=darwin", Some(Untrusted::NoIntegrity); "address without a hash")]
    fn a_package_is_judged(resolution: &str, more: &str, expected: Option<Untrusted>) {
        let text = format!(
            "__metadata:\n  version: 8\n\n\"a@npm:^1\":\n  version: 1.0.0\n  resolution: \"{resolution}\"\n  {more}\n"
        );
        let packages = parse(&text).unwrap();
        assert_eq!(packages[0].untrusted(false), expected, "{packages:?}");
    }

    #[test]
    fn what_the_project_brings_is_local_or_a_program() {
        for (resolution, origin) in [
            ("a@patch:a@npm%3A5.0.0#./a.patch", Origin::Local),
            ("a@file:../a", Origin::Local),
            ("a@exec:./make.js", Origin::Program),
        ] {
            let text = format!("\"a@x\":\n  resolution: \"{resolution}\"\n");
            assert_eq!(parse(&text).unwrap()[0].origin, origin, "{resolution}");
        }
    }

    #[test_case("resolved \"https://r/a.tgz#0123456789012345678901234567890123456789\"", None; "sha1")]
    #[test_case("resolved \"https://r/a.tgz\"\n  integrity sha512-x", None; "integrity")]
    #[test_case("resolved \"https://r/a.tgz\"", Some(Untrusted::NoIntegrity); "no hash")]
    #[test_case("resolved \"http://r/a.tgz\"\n  integrity sha512-x", Some(Untrusted::PlainHttp); "http")]
    #[test_case("resolved \"git+https://h/a.git#1\"", Some(Untrusted::Git); "git")]
    #[test_case("resolved \"https://codeload.github.com/a/b/tar.gz/1\"", Some(Untrusted::NoIntegrity); "archive of a repository")]
    #[test_case("dependencies:\n    b \"1\"", Some(Untrusted::NoIntegrity); "no address")]
    fn a_package_of_yarn_1_is_judged(lines: &str, expected: Option<Untrusted>) {
        let text = format!(
            "# yarn lockfile v1\n\n\na@^1.0.0, a@^1.0.1:\n  version \"1.0.0\"\n  {lines}\n"
        );
        let packages = parse_classic(&text).unwrap();
        assert_eq!(packages.len(), 1);
        assert_eq!(packages[0].untrusted(false), expected, "{packages:?}");
    }

    #[test]
    fn a_folder_of_yarn_1_is_local_and_nonsense_is_named_by_its_line() {
        assert_eq!(
            parse_classic("\"a@file:../a\":\n  version \"1.0.0\"\n").unwrap()[0].origin,
            Origin::Local
        );
        assert_eq!(
            parse_classic("# x\n<<<<<<< HEAD\n").unwrap_err(),
            "line 2 is not of Yarn's format"
        );
    }
}
