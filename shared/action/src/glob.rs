//! File patterns: `*` matches within a folder, `**` across folders, `{a,b}` and `[a-c]` are alternatives.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A valid pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// The reason, if the pattern is empty, has an unclosed bracket, or starts with `!` (which would negate it).
    pub fn new(pattern: &str) -> Result<Self, String> {
        if pattern.is_empty() {
            return Err("it is empty".to_owned());
        }
        if pattern.starts_with('!') {
            return Err("a `!` at its start is not supported".to_owned());
        }
        fast_glob::validate(pattern).map_err(|error| error.to_string())?;
        Ok(Self(pattern.to_owned()))
    }

    /// The pattern as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a relative path matches.
    pub fn is_match(&self, path: impl AsRef<Path>) -> bool {
        fast_glob::glob_match(self.0.as_bytes(), path.as_ref().as_os_str().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test_case("*.xml", "a.xml", true)]
    #[test_case("*.xml", "reports/a.xml", false; "an asterisk stays in its folder")]
    #[test_case("**/*.xml", "a.xml", true; "no folder is enough for two asterisks")]
    #[test_case("reports/**/*.xml", "reports/a/b/c.xml", true)]
    #[test_case("reports/**", "reports/a/b", true)]
    #[test_case("reports/**", "reports", false; "a folder is not below itself")]
    #[test_case("*", ".hidden", true; "names with a dot are names")]
    #[test_case("*.{js,css}", "a.css", true)]
    #[test_case("[a-c]?.js", "b1.js", true)]
    #[test_case("a\\*b", "a*b", true; "a backslash takes the meaning away")]
    fn paths_match(pattern: &str, path: &str, expected: bool) {
        assert_eq!(Glob::new(pattern).unwrap().is_match(path), expected);
    }

    #[test_case("")]
    #[test_case("[a")]
    #[test_case("{a,b")]
    #[test_case("a\\")]
    #[test_case("!a")]
    fn a_pattern_that_is_none_is_refused(pattern: &str) {
        assert!(Glob::new(pattern).is_err());
    }
}
