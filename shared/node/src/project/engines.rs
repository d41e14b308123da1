//! Whether a version range, as in `engines.node`, allows a release line of Node.js.
//!
//! A Lambda runtime is a release line (`nodejs22.x`), so only major versions are compared: a range is incompatible
//! only if it allows no version of the line.

/// The major version of a runtime such as `nodejs22.x`.
pub(super) fn major_of(runtime: &str) -> Option<u32> {
    let line = runtime.strip_prefix("nodejs")?;
    line.strip_suffix(".x").unwrap_or(line).parse().ok()
}

/// Whether some version of the line can be in the range; `None` if the range is not understood.
pub(super) fn takes(range: &str, major: u32) -> Option<bool> {
    let mut takes = false;
    for alternative in range.split("||") {
        let (low, high) = majors(alternative)?;
        takes |= (low..=high).contains(&major);
    }
    Some(takes)
}

/// The lowest and the highest major version of one alternative, in which all comparators hold.
fn majors(alternative: &str) -> Option<(u32, u32)> {
    if let Some((from, to)) = alternative.split_once(" - ") {
        return Some((Version::parse(from)?.major?, Version::parse(to)?.major?));
    }
    let (mut low, mut high) = (0, u32::MAX);
    for comparator in comparators(alternative) {
        let (own_low, own_high) = bounds(&comparator)?;
        low = low.max(own_low);
        high = high.min(own_high);
    }
    Some((low, high))
}

/// `>= 18 <21` is `>=18` and `<21`.
fn comparators(alternative: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for word in alternative.split_whitespace() {
        match found.last_mut() {
            Some(last) if last.ends_with(['<', '>', '=', '^', '~']) => last.push_str(word),
            _ => found.push(word.to_owned()),
        }
    }
    found
}

fn bounds(comparator: &str) -> Option<(u32, u32)> {
    let at = comparator
        .find(|c: char| !"<>=^~".contains(c))
        .unwrap_or(comparator.len());
    let (operator, version) = comparator.split_at(at);
    let version = Version::parse(version)?;
    let Some(major) = version.major else {
        return Some((0, u32::MAX));
    };
    Some(match operator {
        // `>18` is from 19 on, `>18.0.0` is from 18.0.1 on.
        ">" if version.is_line => (major.saturating_add(1), u32::MAX),
        ">" | ">=" => (major, u32::MAX),
        // Below 18 and below 18.0.0 is nothing of 18; below 18.2 is some of it.
        "<" if version.is_first => (0, major.checked_sub(1)?),
        "<" | "<=" => (0, major),
        "" | "=" | "^" | "~" | "~>" => (major, major),
        _ => return None,
    })
}

struct Version {
    /// `None` is any.
    major: Option<u32>,
    /// Only the major version is given.
    is_line: bool,
    /// It is the first version of its line.
    is_first: bool,
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches(['v', 'V', '=']);
        let release = text.split(['-', '+']).next().unwrap_or_default();
        let mut parts = release.split('.');
        let major = match parts.next()? {
            "" | "*" | "x" | "X" => None,
            digits => Some(digits.parse().ok()?),
        };
        let rest: Vec<&str> = parts.collect();
        let is_line = rest.iter().all(|part| matches!(*part, "x" | "X" | "*"));
        let is_first = rest
            .iter()
            .all(|part| matches!(*part, "x" | "X" | "*" | "0"));
        Some(Self {
            major,
            is_line,
            is_first,
        })
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test_case(">=18", true; "from an older one on")]
    #[test_case(">= 18.17.0", true; "with a space")]
    #[test_case("^18 || ^20 || >=22", true; "one of several")]
    #[test_case("22.x", true; "the line")]
    #[test_case("v22.11.0", true; "one version of it")]
    #[test_case(">21", true; "above the line before")]
    #[test_case("<22.5", true; "some of it")]
    #[test_case("18 - 22", true; "hyphen")]
    #[test_case("*", true; "any")]
    #[test_case("", true; "empty")]
    #[test_case(">=12 <22", false; "up to it")]
    #[test_case("<22.0.0", false; "below its first")]
    #[test_case(">22", false; "above the line")]
    #[test_case("^20.9.0 || ~18", false; "none of several")]
    #[test_case("20", false; "another line")]
    #[test_case(">=24.0.0-rc.1", false; "a later one")]
    fn a_range_takes_the_line_or_not(range: &str, expected: bool) {
        assert_eq!(takes(range, 22), Some(expected), "{range}");
    }

    #[test_case("lts/*"; "a name")]
    #[test_case("<0"; "nothing")]
    #[test_case("=>18"; "mistyped")]
    fn nothing_is_said_of_what_is_not_understood(range: &str) {
        assert_eq!(takes(range, 22), None);
    }

    #[test]
    fn a_runtime_names_its_line() {
        assert_eq!(major_of("nodejs22.x"), Some(22));
        assert_eq!(major_of("provided.al2023"), None);
    }
}
