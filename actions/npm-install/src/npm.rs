//! How npm is called, and what its output means.

use delivery_action::failure::ActionError as _;
use delivery_action::process::ProcessError;
use delivery_node::project::{Manager, Project, Release};

use crate::NpmInstallError;
use crate::lock::LockFile;
use crate::params::{NpmInstallParams, Subcommand};
use crate::versions::Versions;

/// How long npm waits for a registry, unless the user sets the same variable: npm's default of two retries,
/// but with 1 to 10 s between them and one minute for an answer. npm's defaults are up to 60 s and five
/// minutes, longer than many functions have.
pub(crate) const SETTINGS: [(&str, &str); 4] = [
    ("npm_config_fetch_retries", "2"),
    ("npm_config_fetch_retry_mintimeout", "1000"),
    ("npm_config_fetch_retry_maxtimeout", "10000"),
    ("npm_config_fetch_timeout", "60000"),
];

/// No user's settings: npm treats a missing file as empty. On the command line, because a project's `.npmrc`
/// could name another file.
pub(crate) const NO_USER_SETTINGS: &str = "--userconfig=/nonexistent";

/// The beginning of each line of npm's error output.
const PREFIX: &str = "npm error";

/// The same in npm before 10.7.
const OLD_PREFIX: &str = "npm ERR!";

/// Where npm's message about a lock file that does not match ends and its usage text begins.
const USAGE: [&str; 2] = ["Clean install a project", "Usage:"];

/// npm's and Node.js's error codes for a registry that does not answer, or too slowly.
const UNREACHABLE: [&str; 12] = [
    "ECONNREFUSED",
    "ECONNRESET",
    "ECONNABORTED",
    "EHOSTUNREACH",
    "ENETUNREACH",
    "ENOTFOUND",
    "EAI_AGAIN",
    "EPIPE",
    "ETIMEDOUT",
    "ERR_SOCKET_TIMEOUT",
    "FETCH_ERROR",
    "E429",
];

/// The arguments of one run. They override every configuration file and variable.
pub(crate) fn arguments(
    subcommand: Subcommand,
    params: &NpmInstallParams,
    versions: &Versions,
) -> Vec<String> {
    let mut arguments = vec![
        subcommand.to_string(),
        "--no-audit".to_owned(),
        "--no-fund".to_owned(),
    ];
    arguments.push(NO_USER_SETTINGS.to_owned());
    let machine = versions.machine_settings.display();
    arguments.push(format!("--globalconfig={machine}"));
    arguments.push(format!("--ignore-scripts={}", params.ignore_scripts));
    if params.integrity.is_on() {
        // Git dependencies have no hash. npm 10 does not know the option and passes over it.
        arguments.push("--allow-git=none".to_owned());
    }
    arguments.extend(params.omit.iter().map(|kind| format!("--omit={kind}")));
    arguments
}

/// `added 98 packages in 2s`, from npm's output.
pub(crate) fn added(stdout: &str) -> Option<String> {
    let line = stdout
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("added "))?;
    Some(
        line.split(", and audited")
            .next()
            .unwrap_or(line)
            .to_owned(),
    )
}

/// Why npm failed, by its error code.
pub(crate) fn failed(
    error: ProcessError,
    lock: Option<&LockFile>,
    project: &Project,
) -> NpmInstallError {
    let output = error.output().unwrap_or_default().to_owned();
    let Some(code) = code(&output) else {
        return NpmInstallError::Install {
            manager: Manager::Npm,
            source: error,
        };
    };
    match code.as_str() {
        "EUSAGE" if lock.is_some() => NpmInstallError::LockFileMismatch {
            manager: Manager::Npm,
            output: without_usage(&output),
            source: error,
        },
        "EUSAGE" => NpmInstallError::NoLockFile {
            directory: project.shown(project.directory()),
        },
        "EINTEGRITY" => {
            let package = lock.and_then(|lock| lock.package_in(wanted_hash(&output)?));
            NpmInstallError::Integrity {
                package: package.or_else(|| named_package(&output)),
                source: error,
            }
        }
        "E401" | "E403" | "ENEEDAUTH" => NpmInstallError::RegistryDenied {
            manager: Manager::Npm,
            code,
            source: error,
        },
        "ENOSPC" => NpmInstallError::DiskFull { source: error },
        "EBADENGINE" => NpmInstallError::Engine { source: error },
        "EALLOWGIT" => NpmInstallError::GitDependency { source: error },
        code if UNREACHABLE.contains(&code) || is_server_error(code) => {
            NpmInstallError::RegistryUnreachable {
                manager: Manager::Npm,
                code: code.to_owned(),
                source: error,
            }
        }
        _ => NpmInstallError::Install {
            manager: Manager::Npm,
            source: error,
        },
    }
}

/// Why npm could not fetch another package manager.
pub(crate) fn not_fetched(
    error: ProcessError,
    release: &Release,
    project: &Project,
) -> NpmInstallError {
    let release = release.to_string();
    match failed(error, None, project) {
        NpmInstallError::Integrity { .. } => NpmInstallError::ManagerHash { release },
        NpmInstallError::Install { source, .. } => NpmInstallError::Manager { release, source },
        other => other,
    }
}

/// `E500` to `E599`: the HTTP status of the registry's answer.
fn is_server_error(code: &str) -> bool {
    code.len() == 4
        && code.starts_with("E5")
        && code.bytes().skip(2).all(|digit| digit.is_ascii_digit())
}

/// The lines of npm's error output, without the prefix.
fn error_lines(output: &str) -> impl Iterator<Item = &str> {
    output.lines().filter_map(|line| {
        let rest = line
            .strip_prefix(PREFIX)
            .or_else(|| line.strip_prefix(OLD_PREFIX))?;
        Some(rest.strip_prefix(' ').unwrap_or(rest))
    })
}

fn code(output: &str) -> Option<String> {
    error_lines(output)
        .find_map(|line| line.strip_prefix("code "))
        .map(|code| code.trim().to_owned())
}

fn without_usage(output: &str) -> String {
    let words: Vec<_> = error_lines(output)
        .take_while(|line| !USAGE.iter().any(|usage| line.starts_with(usage)))
        .filter(|line| !line.is_empty() && !line.starts_with("code "))
        .collect();
    words.join("\n")
}

/// The hash after `wanted`.
fn wanted_hash(output: &str) -> Option<&str> {
    let (_, rest) = output.split_once("wanted ")?;
    rest.split_whitespace().next()
}

/// The package in npm's own message: `while extracting NAME@VERSION`, or the tarball's address.
fn named_package(output: &str) -> Option<String> {
    error_lines(output)
        .flat_map(str::split_whitespace)
        .find(|word| word.contains("/-/") && word.contains(".tgz"))
        .map(|word| word.trim_end_matches([':', ',', '.']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_npms_own_and_not_that_of_a_script() {
        assert_eq!(
            code("> build\ncode E500\nnpm error code E404\nnpm error 404").as_deref(),
            Some("E404")
        );
        assert_eq!(code("npm ERR! code ETARGET").as_deref(), Some("ETARGET"));
        assert_eq!(code("nothing"), None);
    }

    #[test]
    fn server_errors_are_told_from_other_codes() {
        assert!(is_server_error("E503"));
        assert!(!is_server_error("E404") && !is_server_error("EXDEV") && !is_server_error("E5XX"));
    }

    #[test]
    fn npms_words_about_a_lock_file_are_kept_and_its_help_is_not() {
        let output = "npm error code EUSAGE\nnpm error\nnpm error `npm ci` can only install\nnpm error\n\
            npm error Invalid: lock file's a@1 does not satisfy a@2\nnpm error\n\
            npm error Clean install a project\nnpm error Usage:\nnpm error npm ci\n";
        assert_eq!(
            without_usage(output),
            "`npm ci` can only install\nInvalid: lock file's a@1 does not satisfy a@2"
        );
    }

    #[test]
    fn the_count_is_npms() {
        assert_eq!(
            added("\nadded 98 packages in 2s\n").as_deref(),
            Some("added 98 packages in 2s")
        );
        assert_eq!(added("up to date in 1s"), None);
    }
}
