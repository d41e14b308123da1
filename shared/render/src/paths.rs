//! The paths whose change starts a pipeline, as CodePipeline's filters have them.

use delivery_definition::Service;

/// The most patterns of a filter, and the most filters of a trigger, of which one has to match
/// (<https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_GitFilePathFilterCriteria.html>,
/// <https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_GitConfiguration.html>).
pub(crate) const PATTERNS_OF_A_FILTER: usize = 8;
const MOST_FILTERS: usize = 3;

/// The most characters of a pattern (the same page).
const LONGEST_PATTERN: usize = 255;

/// The characters that mean something in a pattern.
const SPECIAL: [char; 8] = ['*', '?', '[', ']', '{', '}', '!', '\\'];

/// What each pipeline reads.
const FILE: &str = "delivery.toml";

const EVERYTHING: &str = "**";

/// The patterns for services: none where each change concerns them, or where the filters have no room for all. A pipeline
/// that starts too often does no harm; one that does not start leaves a change undelivered.
pub(crate) fn of(services: &[&Service]) -> Vec<String> {
    let mut patterns = vec![FILE.to_owned()];
    for service in services {
        patterns.push(below(service.folder()));
        for pattern in &service.also {
            patterns.extend(also(&pattern.0));
        }
    }
    patterns.sort_unstable();
    patterns.dedup();
    let is_too_many = patterns.len() > PATTERNS_OF_A_FILTER * MOST_FILTERS;
    if is_too_many || patterns.iter().any(|pattern| pattern == EVERYTHING) {
        return Vec::new();
    }
    patterns
}

/// All below a folder, or below the nearest folder above it that a pattern can name.
fn below(folder: &str) -> String {
    let mut named = String::new();
    for part in folder.split('/').filter(|part| *part != ".") {
        if part.contains(SPECIAL) || named.len() + part.len() + "/**".len() > LONGEST_PATTERN {
            break;
        }
        named.push_str(part);
        named.push('/');
    }
    named + EVERYTHING
}

/// A pattern without stars may name a file or a folder.
fn also(pattern: &str) -> Vec<String> {
    let is_long = pattern.len() > LONGEST_PATTERN;
    if pattern == "." || is_long {
        return vec![EVERYTHING.to_owned()];
    }
    if pattern.contains(SPECIAL) {
        return vec![pattern.to_owned()];
    }
    vec![pattern.to_owned(), below(pattern)]
}

#[cfg(test)]
mod tests {
    use delivery_definition::parse;

    use super::*;

    fn patterns(services: &str) -> Vec<String> {
        let text = format!("application = \"shop\"\n[services]\n{services}");
        let definition = parse(&text, FILE).unwrap();
        of(&definition.services().iter().collect::<Vec<_>>())
    }

    #[test]
    fn a_service_is_its_folder_and_what_it_names() {
        let service =
            "api = { directory = \"back/api\", also = [\"./shared/**/*.py\", \"lib\"] }\n";
        let expected = [
            "back/api/**",
            "delivery.toml",
            "lib",
            "lib/**",
            "shared/**/*.py",
        ];
        assert_eq!(patterns(service), expected);
    }

    #[test]
    fn what_no_pattern_can_name_is_taken_with_what_is_around_it() {
        assert_eq!(
            patterns("a = \"apps/[x]/api\"\n"),
            ["apps/**", "delivery.toml"]
        );
        let long = format!("apps/{}", "x".repeat(300));
        assert_eq!(below(&long), "apps/**");
    }

    #[test]
    fn too_many_patterns_and_the_root_are_every_change() {
        let all: Vec<_> = (0..24)
            .map(|number| format!("s{number} = \"s{number}\"\n"))
            .collect();
        assert_eq!(patterns(&all[..23].concat()).len(), 24);
        assert_eq!(patterns(&all.concat()), [""; 0]);
        assert_eq!(patterns("a = \".\"\n"), [""; 0]);
        assert_eq!(
            patterns("a = { directory = \"a\", also = [\".\"] }\n"),
            [""; 0]
        );
    }
}
