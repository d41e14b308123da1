//! What the output of pnpm and Yarn means.

use delivery_action::failure::ActionError as _;
use delivery_action::process::ProcessError;
use delivery_node::project::Manager;

use crate::NpmInstallError;
use crate::lock::LockFile;

/// Kinds of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Mismatch,
    Integrity,
    Denied,
    Engine,
    DiskFull,
    Unreachable,
}

/// Words of pnpm, Yarn 1 and Yarn since 2, and what they mean; the first that is in the output counts.
const WORDS: [(&str, Kind); 34] = [
    ("ERR_PNPM_OUTDATED_LOCKFILE", Kind::Mismatch),
    ("ERR_PNPM_LOCKFILE_CONFIG_MISMATCH", Kind::Mismatch),
    ("ERR_PNPM_NO_LOCKFILE", Kind::Mismatch),
    ("Your lockfile needs to be updated", Kind::Mismatch),
    ("YN0028", Kind::Mismatch),
    ("ERR_PNPM_TARBALL_INTEGRITY", Kind::Integrity),
    ("Integrity check failed", Kind::Integrity),
    ("Incorrect integrity when fetching", Kind::Integrity),
    ("YN0018", Kind::Integrity),
    ("ERR_PNPM_FETCH_401", Kind::Denied),
    ("ERR_PNPM_FETCH_403", Kind::Denied),
    ("401 Unauthorized", Kind::Denied),
    ("403 Forbidden", Kind::Denied),
    ("Response Code: 401", Kind::Denied),
    ("Response Code: 403", Kind::Denied),
    ("YN0041", Kind::Denied),
    ("ERR_PNPM_UNSUPPORTED_ENGINE", Kind::Engine),
    ("ERR_INVALID_THIS", Kind::Engine), // pnpm 6 on Node.js 18 and later
    ("is incompatible with this module", Kind::Engine),
    ("This tool requires a Node version", Kind::Engine),
    ("requires at least Node.js", Kind::Engine),
    ("ENOSPC", Kind::DiskFull),
    ("ERR_PNPM_META_FETCH_FAIL", Kind::Unreachable),
    ("ERR_PNPM_FETCH_5", Kind::Unreachable),
    ("Response Code: 5", Kind::Unreachable),
    ("trouble with your network connection", Kind::Unreachable),
    ("Request failed \"5", Kind::Unreachable),
    ("ECONNREFUSED", Kind::Unreachable),
    ("ECONNRESET", Kind::Unreachable),
    ("ENOTFOUND", Kind::Unreachable),
    ("EAI_AGAIN", Kind::Unreachable),
    ("ETIMEDOUT", Kind::Unreachable),
    ("ESOCKETTIMEDOUT", Kind::Unreachable),
    ("RequestError", Kind::Unreachable),
];

/// Why a package manager failed, by its output.
pub(crate) fn failed(
    source: ProcessError,
    manager: Manager,
    lock: Option<&LockFile>,
) -> NpmInstallError {
    let output = source.output().unwrap_or_default();
    let found = WORDS.iter().find(|(words, _)| output.contains(words));
    let Some((words, kind)) = found else {
        return NpmInstallError::Install { manager, source };
    };
    let code = words.trim_matches('"').replace('"', "");
    match kind {
        Kind::Mismatch => NpmInstallError::LockFileMismatch {
            manager,
            output: output.to_owned(),
            source,
        },
        Kind::Integrity => NpmInstallError::Integrity {
            package: output
                .lines()
                .filter(|line| line.contains(words))
                .find_map(|line| lock?.package_in(line).or_else(|| named(line))),
            source,
        },
        Kind::Denied => NpmInstallError::RegistryDenied {
            manager,
            code,
            source,
        },
        Kind::Engine => NpmInstallError::Engine { source },
        Kind::DiskFull => NpmInstallError::DiskFull { source },
        Kind::Unreachable => NpmInstallError::RegistryUnreachable {
            manager,
            code,
            source,
        },
    }
}

/// `YN0018: │ is-odd@npm:3.0.1: The remote archive ...`, and `Integrity check failed for "is-odd" (...` of Yarn 1.
fn named(line: &str) -> Option<String> {
    if let Some((_, rest)) = line.split_once(" for \"") {
        return rest.split('"').next().map(str::to_owned);
    }
    let words = line.split_whitespace();
    let mut named = words.filter(|word| word.contains("@npm:"));
    named
        .next()
        .map(|word| word.trim_end_matches(':').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_is_in_yarns_own_line() {
        let berry =
            "➤ YN0018: │ @a/b@npm:3.0.1: The remote archive doesn't match the expected checksum";
        assert_eq!(named(berry).as_deref(), Some("@a/b@npm:3.0.1"));
        let classic = "error Integrity check failed for \"is-odd\" (computed integrity doesn't match our records)";
        assert_eq!(named(classic).as_deref(), Some("is-odd"));
        assert_eq!(named("nothing"), None);
    }
}
