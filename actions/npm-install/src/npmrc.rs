//! A project's `.npmrc`: it may name registries, not programs.

use std::path::Path;

use shared::project::Project;

use crate::NpmInstallError;

/// Settings that make npm run a program or pass options to one. npm honours them even under
/// `--ignore-scripts`: measured with npm 11.19.1.
const REFUSED: [&str; 3] = ["git", "script-shell", "node-options"];

/// Largest `.npmrc` that is read; real ones have some lines.
const MAX_BYTES: u64 = 1024 * 1024;

/// Checks the `.npmrc` of a directory, where there is one.
pub(crate) fn check(directory: &Path, project: &Project) -> Result<(), NpmInstallError> {
    let path = directory.join(".npmrc");
    let Ok(meta) = path.metadata() else {
        return Ok(());
    };
    let shown = project.shown(&path);
    let unreadable = |reason: String| NpmInstallError::Unreadable {
        path: shown.clone(),
        reason,
    };
    if meta.len() > MAX_BYTES {
        return Err(unreadable(format!("it has {} bytes", meta.len())));
    }
    let bytes = std::fs::read(&path).map_err(|error| unreadable(error.to_string()))?;
    match refused_key(&String::from_utf8_lossy(&bytes)) {
        Some(key) => Err(NpmInstallError::Npmrc { path: shown, key }),
        None => Ok(()),
    }
}

/// The first key that is refused. npm reads the file with the `ini` package: keys may be quoted or end in
/// `[]`, lines end with CR or LF, and `${NAME}` in a key is replaced by a variable, so a key that is put
/// together this way could be any; those of registries (`//host/:`, `@scope:`) cannot.
fn refused_key(text: &str) -> Option<String> {
    text.split(['\r', '\n']).find_map(|line| {
        let line = line.trim();
        if line.is_empty() || line.starts_with([';', '#', '[']) {
            return None;
        }
        let key = line.split_once('=').map_or(line, |(key, _)| key).trim();
        let key = key.strip_suffix("[]").unwrap_or(key);
        let key = key.trim_matches(['"', '\'']).replace('\\', "");
        let key = key.strip_suffix("[]").unwrap_or(&key).trim().to_lowercase();
        let put_together = key.contains("${") && !key.starts_with("//") && !key.starts_with('@');
        (put_together || REFUSED.contains(&key.as_str())).then_some(key)
    })
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::refused_key;

    #[test_case("git=./evil.sh", "git"; "git")]
    #[test_case("registry=https://r\n  script-shell = /bin/x", "script-shell"; "after another")]
    #[test_case("a=1\rnode-options=--require=./x", "node-options"; "after a carriage return")]
    #[test_case("\"git\"=x", "git"; "quoted")]
    #[test_case("git[]=x", "git"; "list")]
    #[test_case("gi${NOPE?}t=x", "gi${nope?}t"; "put together")]
    #[test_case("node-options", "node-options"; "without a value")]
    fn a_setting_that_names_a_program_is_refused(text: &str, key: &str) {
        assert_eq!(refused_key(text).as_deref(), Some(key));
    }

    #[test_case(""; "empty")]
    #[test_case("# git=x\n; node-options=y"; "comments")]
    #[test_case("registry=https://npm.example.com/\n@mine:registry=https://x\nsave-exact=true"; "registries")]
    #[test_case("//npm.example.com/:_authToken=${NPM_TOKEN}"; "token")]
    #[test_case("//${HOST}/:_authToken=${NPM_TOKEN}"; "host by variable")]
    #[test_case("git-tag-version=false"; "another setting")]
    fn registries_are_the_projects_own_choice(text: &str) {
        assert_eq!(refused_key(text), None);
    }
}
