//! The known name that a mistyped one is most like.

/// Letters that may be wrong, added, missing or swapped in a name.
const MISTYPED: usize = 2;

/// No name that we know is longer, in bytes; comparing takes time by length.
const LONGEST: usize = 128;

/// Names that other tools use for what we call otherwise.
const OTHER_WORDS: [(&str, &str); 12] = [
    ("path", "directory"),
    ("folder", "directory"),
    ("dir", "directory"),
    ("depends-on", "needs"),
    ("dependsOn", "needs"),
    ("after", "needs"),
    ("needs", "after"),
    ("name", "application"),
    ("app", "application"),
    ("stages", "environments"),
    ("expire", "ttl"),
    ("variables", "environment"),
];

/// The nearest of the known names, if any is near.
pub(crate) fn nearest<'a>(
    typed: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> Option<&'a str> {
    if typed.len() > LONGEST {
        return None;
    }
    let plain = |name: &str| name.to_ascii_lowercase().replace(['_', '-', ' '], "");
    let wanted = plain(typed);
    let other = OTHER_WORDS
        .iter()
        .filter(|(word, _)| *word == typed)
        .find_map(|(_, ours)| known.clone().into_iter().find(|name| name == ours));
    if other.is_some() {
        return other;
    }
    let distance = |name: &str| strsim::damerau_levenshtein(&plain(name), &wanted);
    known
        .into_iter()
        .map(|name| (distance(name), name))
        // With two letters wrong, little of a short word is left to recognise.
        .filter(|(distance, name)| *distance <= MISTYPED && distance * 2 < name.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// What to do about a name that is not known: `did you mean ...?`, else which there are.
pub(crate) fn advice<'a>(
    typed: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
    plural: &str,
) -> String {
    if let Some(name) = nearest(typed, known.clone()) {
        return format!("did you mean `{name}`?");
    }
    match list(known) {
        Some(names) => format!("known {plural}: {names}"),
        None => format!("there are no {plural}"),
    }
}

/// `` `a`, `b` and `c` ``, or `None` of nothing.
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    let last = names.pop()?;
    Some(if names.is_empty() {
        last
    } else {
        format!("{} and {last}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test_case("paramters", Some("parameters"))]
    #[test_case("Directory", Some("directory"); "another case")]
    #[test_case("keep_on_failure", Some("keep-on-failure"); "another way to join words")]
    #[test_case("path", Some("directory"); "another tool's word")]
    #[test_case("tst", None; "too little is left of a short word")]
    #[test_case("something", None)]
    fn names_are_found(typed: &str, expected: Option<&str>) {
        let known = ["directory", "parameters", "keep-on-failure", "ttl"];
        assert_eq!(nearest(typed, known), expected);
    }

    #[test]
    fn what_is_not_near_is_listed() {
        assert_eq!(
            advice("x", ["a1", "b1", "c1"], "keys"),
            "known keys: `a1`, `b1` and `c1`"
        );
        assert_eq!(advice("x", [], "services"), "there are no services");
    }
}
