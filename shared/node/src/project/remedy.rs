//! Known failures of npm, gulp and other programs: recognised by their output, with advice for each.

use std::sync::LazyLock;

use regex_lite::Regex;

/// What to do about gulp 3.
pub(super) const GULP_3: &str = "gulp 3 does not run on Node.js 12 and later: use gulp 4 or 5, or add \
    `\"overrides\": {\"graceful-fs\": \"^4.2.11\"}` to `package.json` and run `npm install`";

/// Advice for a missing module without another explanation.
pub(crate) const MISSING_MODULE: &str = "packages must be listed in `package.json` and the lock file (`omit=dev` \
    leaves out development dependencies), and files must be committed";

/// Texts that identify a cause, and advice.
const KNOWN: [(&[&str], &str); 9] = [
    (&["primordials is not defined"], GULP_3),
    (
        &[
            "ERR_OSSL_EVP_UNSUPPORTED",
            "digital envelope routines::unsupported",
        ],
        "OpenSSL 3, which comes with Node.js 17 and later, refuses the MD4 hashes of webpack before 5.61: update \
         webpack, or set `NODE_OPTIONS=--openssl-legacy-provider` in the script",
    ),
    (
        &["code ERESOLVE"],
        "packages want different versions of one peer dependency: set `legacy-peer-deps=true` in `.npmrc`, or \
         choose a version with `overrides` in `package.json`; then run `npm install` and commit the lock file",
    ),
    (
        &["code EUNSUPPORTEDPROTOCOL", "Unsupported URL Type"],
        "a dependency is named in a form that npm does not support, such as `workspace:` of pnpm, Yarn and Bun: name a \
         version, or `file:FOLDER` for a folder of the source",
    ),
    (
        &[
            "SELF_SIGNED_CERT_IN_CHAIN",
            "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
            "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
        ],
        "this network has certificates of its own: set `NODE_EXTRA_CA_CERTS` to the file with them, on this machine in the \
         shell, on AWS for the function",
    ),
    (
        &["EADDRINUSE"],
        "the port is in use: let the server take any free port (0), and close it when its tests end",
    ),
    (
        &["JavaScript heap out of memory", "Reached heap limit"],
        "Node.js ran out of memory: raise the function's `MemorySize`, or set \
         `NODE_OPTIONS=--max-old-space-size=MEBIBYTES` in the script",
    ),
    (
        &["ENOSPC"],
        "the function's disk is full: raise its `EphemeralStorage`",
    ),
    (
        &[
            "Exceeded timeout of",
            "Test timed out in",
            "For async tests and hooks, ensure",
        ],
        "a test took longer than its runner allows, which is 5 s of jest and vitest and 2 s of mocha. The first request after          a deployment waits until the function has started: give functional tests more time (`testTimeout`, `--timeout`)",
    ),
];

/// How shells report a missing program.
static NOT_FOUND: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^(/\S*/)?(ba|da|a|z)?sh: ((line )?\d+: )?\S+: (command )?not found\s*$")
        .expect("a constant pattern")
});

/// Advice for a missing program.
const NO_PROGRAM: &str = "a program is missing: add its package to `devDependencies` and the lock file (with \
    `omit=dev` these are not installed), or use what Node.js offers";

/// What to do about a failure with this output, if its cause is known.
#[must_use]
pub fn remedy(output: &str) -> Option<&'static str> {
    KNOWN
        .iter()
        .find(|(words, _)| words.iter().any(|words| output.contains(words)))
        .map(|(_, remedy)| *remedy)
        .or_else(|| NOT_FOUND.is_match(output).then_some(NO_PROGRAM))
}

/// Whether the output reports a missing file or module.
pub(crate) fn reports_something_missing(output: &str) -> bool {
    reports_a_missing_module(output) || output.contains("ENOENT")
}

/// Whether the output reports a missing module (`CommonJS`, ES modules, or bundlers).
pub(crate) fn reports_a_missing_module(output: &str) -> bool {
    [
        "Cannot find module",
        "ERR_MODULE_NOT_FOUND",
        "Module not found",
        "Could not resolve",
    ]
    .iter()
    .any(|words| output.contains(words))
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    // The words are those of gulp 3.9.1 on Node.js 20, webpack 4.47 on Node.js 20, npm 11, Node.js 20,
    // of dash, bash and BusyBox, and of jest 29, vitest 3 and mocha 11.
    #[test_case("fs.js:44\n  } = primordials;\nReferenceError: primordials is not defined", "gulp 4 or 5"; "gulp 3")]
    #[test_case("opensslErrorStack: [ 'error:03000086:digital envelope routines::initialization error' ],\n  code: 'ERR_OSSL_EVP_UNSUPPORTED'", "--openssl-legacy-provider"; "webpack 4")]
    #[test_case("npm error code ERESOLVE\nnpm error ERESOLVE unable to resolve dependency tree", "legacy-peer-deps=true"; "peers")]
    #[test_case("npm error code SELF_SIGNED_CERT_IN_CHAIN\nnpm error request to https://r/x.tgz failed", "`NODE_EXTRA_CA_CERTS`"; "certificates")]
    #[test_case("npm error code EUNSUPPORTEDPROTOCOL\nnpm error Unsupported URL Type \"workspace:\": workspace:*", "`file:FOLDER`"; "pnpm")]
    #[test_case("Error: listen EADDRINUSE: address already in use :::8080", "free port"; "port")]
    #[test_case("FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory", "`MemorySize`"; "heap")]
    #[test_case("sh: 1: webpack: not found\n", "`devDependencies`"; "dash")]
    #[test_case("sh: line 1: webpack: command not found", "`devDependencies`"; "bash")]
    #[test_case("/bin/sh: webpack: not found", "`devDependencies`"; "busybox")]
    #[test_case("Error: ENOSPC: no space left on device, write", "`EphemeralStorage`"; "disk")]
    #[test_case("thrown: \"Exceeded timeout of 5000 ms for a test.", "`testTimeout`"; "jest")]
    #[test_case("Error: Test timed out in 5000ms.", "`testTimeout`"; "vitest")]
    #[test_case("Error: Timeout of 2000ms exceeded. For async tests and hooks, ensure \"done()\" is called", "`--timeout`"; "mocha")]
    fn a_known_cause_has_its_remedy(output: &str, remedied: &str) {
        let remedy = remedy(output).unwrap();
        assert!(remedy.contains(remedied), "{remedy}");
    }

    #[test_case("1 failing\nAssertionError: expected a page: not found"; "an assertion")]
    #[test_case("Error: Cannot find module './generated.json'"; "what needs the project")]
    #[test_case(""; "nothing")]
    fn other_output_has_none(output: &str) {
        assert_eq!(remedy(output), None);
    }
}
