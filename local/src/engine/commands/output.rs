//! The output artifact of an action's commands: the files of a folder that match its patterns.

use std::path::Path;

use delivery_action::failure::{ActionError, FailureType};
use delivery_action::glob::Glob;
use delivery_archive::{ArchiveError, Creation};
use ignore::WalkBuilder;

/// All files, in the words of the User Guide ("Commands action reference": `**/`).
const ALL_FILES: &str = "**/";

/// Why there is no output artifact.
#[derive(Debug, thiserror::Error)]
pub(super) enum OutputError {
    #[error("the pattern `{pattern}` of the output artifact cannot be read: {why}")]
    Pattern { pattern: String, why: String },
    #[error("no file matches `files` of the output artifact: {patterns}")]
    NoFiles { patterns: String },
    #[error("cannot list the files of the output artifact")]
    List(#[source] ignore::Error),
    #[error("the name of the file `{0}` is not UTF-8")]
    Name(String),
    #[error("cannot pack the output artifact")]
    Archive(#[source] ArchiveError),
}

impl ActionError for OutputError {
    fn failure_type(&self) -> FailureType {
        match self {
            Self::Pattern { .. } => FailureType::ConfigurationError,
            Self::NoFiles { .. } | Self::List(_) | Self::Name(_) => FailureType::JobFailed,
            Self::Archive(error) => error.failure_type(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Pattern { .. } | Self::NoFiles { .. } => Some(
                "patterns are relative to the folder of the first input artifact: `dist/**/*` matches all files \
                 below `dist`, `**/` all files"
                    .to_owned(),
            ),
            Self::List(_) => None,
            Self::Name(_) => Some("rename it, or let no pattern match it".to_owned()),
            Self::Archive(error) => Some(error.hint().to_owned()),
        }
    }
}

/// Packs the files of a folder that match one of the patterns.
pub(super) fn pack(
    folder: &Path,
    patterns: Option<&[String]>,
    to: &Path,
) -> Result<(), OutputError> {
    let all = [ALL_FILES.to_owned()];
    let patterns = patterns.unwrap_or(&all);
    let globs = patterns.iter().map(|pattern| glob(pattern));
    let globs: Vec<Glob> = globs.collect::<Result<_, _>>()?;
    let names = matching(folder, &globs)?;
    if names.is_empty() {
        return Err(OutputError::NoFiles {
            patterns: patterns.join(", "),
        });
    }
    let creation = Creation::of(folder).only(&names);
    creation.write_file(to).map_err(OutputError::Archive)?;
    Ok(())
}

/// A pattern of CodeBuild (`artifacts.files`): one that ends with `/` means all files below.
fn glob(pattern: &str) -> Result<Glob, OutputError> {
    let relative = pattern.strip_prefix("./").unwrap_or(pattern);
    let refused = |why: &str| OutputError::Pattern {
        pattern: pattern.to_owned(),
        why: why.to_owned(),
    };
    if relative.starts_with('/') || relative.split('/').any(|part| part == "..") {
        return Err(refused("it leaves the folder of the first input artifact"));
    }
    let whole = match relative.strip_suffix('/') {
        Some(folder) if folder.ends_with("**") => format!("{folder}/*"),
        Some(folder) => format!("{folder}/**/*"),
        None => relative.to_owned(),
    };
    Glob::new(&whole).map_err(|why| refused(&why))
}

/// Files and links that match, by name.
fn matching(folder: &Path, globs: &[Glob]) -> Result<Vec<String>, OutputError> {
    let mut names = Vec::new();
    for entry in WalkBuilder::new(folder).standard_filters(false).build() {
        let entry = entry.map_err(OutputError::List)?;
        if entry.file_type().is_none_or(|kind| kind.is_dir()) {
            continue;
        }
        let relative = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        if globs.iter().any(|glob| glob.is_match(relative)) {
            let name = relative.to_str();
            let name =
                name.ok_or_else(|| OutputError::Name(relative.to_string_lossy().into_owned()))?;
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test_case("**/", &["a.js", "b/c.js", "b/d/.e"]; "all files in the words of the guide")]
    #[test_case("**/*", &["a.js", "b/c.js", "b/d/.e"])]
    #[test_case("*", &["a.js"]; "an asterisk stays in its folder")]
    #[test_case("./b/", &["b/c.js", "b/d/.e"]; "a folder is all that is below")]
    #[test_case("b/**/*.js", &["b/c.js"])]
    fn a_pattern_matches_files(pattern: &str, expected: &[&str]) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("b/d")).unwrap();
        for name in ["a.js", "b/c.js", "b/d/.e"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let globs = [glob(pattern).unwrap()];
        assert_eq!(matching(folder.path(), &globs).unwrap(), expected);
    }

    #[test_case("/etc/passwd")]
    #[test_case("../secret")]
    #[test_case("a/../../secret")]
    #[test_case("[a")]
    fn a_pattern_that_leaves_the_folder_or_is_none_is_refused(pattern: &str) {
        assert!(matches!(glob(pattern), Err(OutputError::Pattern { .. })));
    }

    #[test]
    fn an_artifact_without_files_is_an_error_that_names_its_patterns() {
        let folder = tempfile::tempdir().unwrap();
        let patterns = ["dist/**/*".to_owned(), "b".to_owned()];
        let error = pack(folder.path(), Some(&patterns), &folder.path().join("zip")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no file matches `files` of the output artifact: dist/**/*, b"
        );
    }
}
