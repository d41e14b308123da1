//! The environment variables of children: built from nothing rather than filtered, so nothing can leak.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::Path;

use super::find::search_path;
use crate::failure::{ActionError, FailureType};

/// Variables that users cannot set: isolation depends on where programs and the job's directories are.
const RESERVED: [&str; 8] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "TMP",
    "TEMP",
    "_HANDLER",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
];

/// Prefixes of such names: those of the dynamic linker and of the Lambda runtime (the address of its API, the
/// function's credentials endpoint, the request's trace).
const RESERVED_PREFIXES: [&str; 5] = [
    "LD_",
    "AWS_LAMBDA_",
    "AWS_CONTAINER_",
    "_X_AMZN_",
    "_LAMBDA_",
];

/// Credentials: everyone who can read the pipeline's definition would see them.
const CREDENTIALS: [&str; 4] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
];

/// A child's whole environment.
///
/// It begins with `PATH`, `LANG`, `CI`, `HOME` and `TMPDIR` and nothing of the function's own, so that
/// no credentials and no address of the Lambda runtime API reach a child. `Debug` shows names only.
#[derive(Clone, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
}

impl Environment {
    /// The environment that every child starts with.
    ///
    /// `home` and `temporary` are the job's own directories: children must not see the function's home directory, and
    /// what they write is removed when the job ends.
    #[must_use]
    pub fn new(home: &Path, temporary: &Path) -> Self {
        let mut environment = Self {
            variables: BTreeMap::new(),
        };
        environment.set("PATH", search_path());
        environment.set("LANG", "C.UTF-8");
        environment.set("CI", "true");
        environment.set("HOME", home);
        environment.set("TMPDIR", temporary);
        environment
    }

    /// Sets a variable, without the checks for users' variables.
    pub fn set(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) {
        self.variables.insert(name.into(), value.into());
    }

    /// Puts a directory before all others on `PATH`.
    pub fn put_first_on_path(&mut self, directory: &Path) {
        let mut directories = vec![directory.to_owned()];
        directories.extend(std::env::split_paths(self.path()));
        if let Ok(path) = std::env::join_paths(directories) {
            self.set("PATH", path);
        }
    }

    /// Sets the variables that users configure as `Env.NAME`. They can override `LANG` and `CI`.
    ///
    /// # Errors
    ///
    /// [`EnvironmentError`] names a variable that cannot be set.
    pub fn set_user_variables(
        &mut self,
        variables: &BTreeMap<String, String>,
    ) -> Result<(), EnvironmentError> {
        for (name, value) in variables {
            check(name, value)?;
            self.set(name, value);
        }
        Ok(())
    }

    pub(super) fn path(&self) -> &OsStr {
        self.variables
            .get(OsStr::new("PATH"))
            .map_or(OsStr::new(""), OsString::as_os_str)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.variables.iter()
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Environment")
            .field(&self.variables.keys())
            .finish()
    }
}

fn check(name: &str, value: &str) -> Result<(), EnvironmentError> {
    let name_of = || name.to_owned();
    let mut characters = name.chars();
    let first = characters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
    if !first || !characters.all(|other| other.is_ascii_alphanumeric() || other == '_') {
        return Err(EnvironmentError::Name { name: name_of() });
    }
    if value.contains('\0') {
        return Err(EnvironmentError::Value { name: name_of() });
    }
    if CREDENTIALS.contains(&name) {
        return Err(EnvironmentError::Credential { name: name_of() });
    }
    if RESERVED.contains(&name)
        || RESERVED_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
    {
        return Err(EnvironmentError::Reserved { name: name_of() });
    }
    Ok(())
}

/// A user's variable that is not passed to children.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// Not a name of letters, digits and underscores.
    #[error("`Env.{name}` is not a valid environment variable name")]
    Name {
        /// The name as given.
        name: String,
    },
    /// A value with a NUL character, which no environment can contain.
    #[error("the value of `Env.{name}` holds a NUL character")]
    Value {
        /// The variable.
        name: String,
    },
    /// A variable that the action sets itself, or that would break isolation.
    #[error("`Env.{name}` cannot be set: it is reserved for the action")]
    Reserved {
        /// The variable.
        name: String,
    },
    /// An AWS credential.
    #[error("`Env.{name}` cannot be set: it is an AWS credential")]
    Credential {
        /// The variable.
        name: String,
    },
}

impl ActionError for EnvironmentError {
    fn failure_type(&self) -> FailureType {
        FailureType::ConfigurationError
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Name { .. } => "use letters, digits and `_`, such as `Env.TARGET_URL`".to_owned(),
            Self::Value { name } => format!("remove the NUL character from `Env.{name}`"),
            Self::Reserved { name } => {
                format!(
                    "remove `Env.{name}` from the action's `UserParameters`, or use another name"
                )
            }
            Self::Credential { name } => format!(
                "remove `Env.{name}`: everyone who can read the pipeline would see it; test the application \
                 through its public interface"
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test]
    fn a_child_begins_with_five_variables_and_the_users() {
        let mut environment = Environment::new(Path::new("/job/home"), Path::new("/job/tmp"));
        let user = [("TARGET_URL".to_owned(), "https://example.com".to_owned())].into();
        environment.set_user_variables(&user).unwrap();
        environment.set("PATH", "/bin");
        let text: Vec<_> = environment
            .iter()
            .map(|(name, value)| format!("{}={}", name.display(), value.display()))
            .collect();
        insta::assert_snapshot!(text.join("\n"), @r"
        CI=true
        HOME=/job/home
        LANG=C.UTF-8
        PATH=/bin
        TARGET_URL=https://example.com
        TMPDIR=/job/tmp
        ");
    }

    #[test_case(
        "LD_PRELOAD",
        "`Env.LD_PRELOAD` cannot be set: it is reserved for the action"
    )]
    #[test_case(
        "AWS_LAMBDA_RUNTIME_API",
        "`Env.AWS_LAMBDA_RUNTIME_API` cannot be set: it is reserved for the action"
    )]
    #[test_case("HOME", "`Env.HOME` cannot be set: it is reserved for the action")]
    #[test_case(
        "AWS_SECRET_ACCESS_KEY",
        "`Env.AWS_SECRET_ACCESS_KEY` cannot be set: it is an AWS credential"
    )]
    #[test_case("A=B", "`Env.A=B` is not a valid environment variable name")]
    #[test_case("1A", "`Env.1A` is not a valid environment variable name")]
    fn a_variable_that_would_undo_a_promise_is_refused_by_name(name: &str, message: &str) {
        let mut environment = Environment::new(Path::new("/h"), Path::new("/t"));
        let before = environment.clone();
        let user = [(name.to_owned(), "value".to_owned())].into();
        let error = environment.set_user_variables(&user).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert_eq!(error.failure_type(), FailureType::ConfigurationError);
        assert_eq!(environment, before);
    }
}
