//! Paths in the repository.

use crate::form::TextForm;

/// A folder or file in the repository: relative, normal, with `/`; `.` is the root.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RepositoryPath(String);

impl RepositoryPath {
    /// The whole repository.
    #[must_use]
    pub fn root() -> Self {
        Self(".".to_owned())
    }

    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TextForm for RepositoryPath {
    const IS: &'static str = "a relative path that stays inside";

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("it must not be empty; `.` is the folder of `delivery.toml`".to_owned());
        }
        if text.contains('\\') {
            return Err("it must have `/` between its parts".to_owned());
        }
        if text.contains(char::is_control) {
            return Err("it must not have control characters".to_owned());
        }
        if text.starts_with(['/', '~']) {
            return Err("it must be relative, not absolute".to_owned());
        }
        let mut parts = Vec::new();
        for part in text.split('/') {
            match part {
                ".." if parts.pop().is_none() => {
                    return Err("it leaves the folder that it begins in".to_owned());
                }
                "" | "." | ".." => {}
                _ => parts.push(part),
            }
        }
        Ok(if parts.is_empty() {
            Self::root()
        } else {
            Self(parts.join("/"))
        })
    }
}

/// A pattern of paths in the repository: `shared/**`; relative and normal, as a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(pub String);

impl TextForm for Pattern {
    const IS: &'static str = "a pattern of paths in the repository, such as `shared/**`";

    fn parse(text: &str) -> Result<Self, String> {
        RepositoryPath::parse(text).map(|path| Self(path.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test_case("backend", "backend")]
    #[test_case("./services//api/", "services/api")]
    #[test_case("services/../api", "api")]
    #[test_case(".", ".")]
    #[test_case("a/..", "."; "back at the root")]
    fn paths_are_made_normal(text: &str, expected: &str) {
        assert_eq!(RepositoryPath::parse(text).unwrap().as_str(), expected);
    }

    #[test_case("", "it must not be empty; `.` is the folder of `delivery.toml`"; "empty")]
    #[test_case("..", "it leaves the folder that it begins in"; "above")]
    #[test_case("a/../../b", "it leaves the folder that it begins in"; "above by a detour")]
    #[test_case("/etc", "it must be relative, not absolute"; "absolute")]
    #[test_case("~/app", "it must be relative, not absolute"; "home")]
    #[test_case("a\\b", "it must have `/` between its parts"; "backslash")]
    #[test_case("a\u{1b}[31m", "it must not have control characters"; "control characters")]
    fn paths_stay_in_the_repository(text: &str, why: &str) {
        assert_eq!(RepositoryPath::parse(text), Err(why.to_owned()));
    }
}
