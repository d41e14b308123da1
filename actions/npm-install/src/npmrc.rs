//! A project's `.npmrc`: it may name registries and how to reach them, but no programs and no other files of settings.

use std::collections::BTreeMap;
use std::path::Path;

use delivery_node::project::Project;

use crate::NpmInstallError;

/// The settings that a project may have: where packages come from, how they are fetched, which versions are
/// chosen, how the tree is laid out, and what npm prints. All others are refused, known or not: npm obeys some
/// that name programs (`git`, `node-options`, `script-shell`) even with `--ignore-scripts`, and some that name
/// other files of settings (measured with npm 11.19.1), and another version of npm may know more.
const ALLOWED: [&str; 76] = [
    // Where packages come from.
    "registry",
    "replace-registry-host",
    "always-auth",
    "_auth",
    "_authtoken",
    "username",
    "_password",
    "email",
    "ca",
    "cafile",
    "cert",
    "key",
    "strict-ssl",
    // How they are fetched.
    "proxy",
    "http-proxy",
    "https-proxy",
    "noproxy",
    "local-address",
    "maxsockets",
    "fetch-retries",
    "fetch-retry-factor",
    "fetch-retry-mintimeout",
    "fetch-retry-maxtimeout",
    "fetch-timeout",
    "network-timeout",
    "prefer-offline",
    "prefer-online",
    "user-agent",
    // Which are chosen.
    "prefer-dedupe",
    "allow-git",
    "allow-remote",
    "allow-file",
    "allow-directory",
    "before",
    "min-release-age",
    "min-release-age-exclude",
    "engine-strict",
    "force",
    "ignore-scripts",
    "include",
    "omit",
    "only",
    "optional",
    "production",
    "dev",
    "also",
    "legacy-peer-deps",
    "strict-peer-deps",
    "tag",
    "cpu",
    "os",
    "libc",
    // How the tree is laid out.
    "bin-links",
    "global-style",
    "install-links",
    "install-strategy",
    "legacy-bundling",
    "rebuild-bundle",
    // What npm writes and prints.
    "audit",
    "audit-level",
    "color",
    "format-package-lock",
    "fund",
    "lockfile-version",
    "loglevel",
    "omit-lockfile-registry-resolved",
    "package-lock",
    "progress",
    "save",
    "save-exact",
    "save-prefix",
    "save-dev",
    "shrinkwrap",
    "unicode",
    "update-notifier",
    "access",
];

/// How many of [`ALLOWED`], from the first, say where packages come from and how they are fetched.
const OF_REGISTRIES: usize = 28;

/// Settings for publishing, which npm ignores when it installs.
const OF_RELEASES: [&str; 9] = [
    "allow-same-version",
    "commit-hooks",
    "git-tag-version",
    "message",
    "preid",
    "provenance",
    "scope",
    "sign-git-tag",
    "tag-version-prefix",
];

/// Settings of pnpm, which npm does not know. None names code: `pnpmfile` does, and settings of shells.
const OF_PNPM: [&str; 36] = [
    "auto-install-peers",
    "child-concurrency",
    "dedupe-direct-deps",
    "dedupe-injected-deps",
    "dedupe-peer-dependents",
    "disallow-workspace-cycles",
    "enable-pre-post-scripts",
    "exclude-links-from-lockfile",
    "frozen-lockfile",
    "hoist",
    "hoist-pattern",
    "ignore-workspace-cycles",
    "ignore-workspace-root-check",
    "include-workspace-root",
    "inject-workspace-packages",
    "link-workspace-packages",
    "lockfile",
    "manage-package-manager-versions",
    "network-concurrency",
    "node-linker",
    "package-import-method",
    "package-manager-strict",
    "peers-suffix-max-length",
    "prefer-frozen-lockfile",
    "prefer-workspace-packages",
    "public-hoist-pattern",
    "recursive-install",
    "resolution-mode",
    "save-workspace-protocol",
    "shamefully-hoist",
    "shared-workspace-lockfile",
    "side-effects-cache",
    "store-dir",
    "strict-peer-dependencies",
    "verify-store-integrity",
    "workspace-concurrency",
];

/// The ends of settings that tell packages where to download from.
const DOWNLOADS: [&str; 5] = [
    "_mirror",
    "-mirror",
    "_binary_site",
    "_binary_host",
    "disturl",
];

/// Largest `.npmrc`; real ones have a few lines.
const MAX_BYTES: u64 = 1024 * 1024;

/// One line of a `.npmrc`.
struct Setting {
    key: String,
    value: String,
}

/// Checks the `.npmrc` of a directory, if there is one; returns the registries that it names.
pub(crate) fn check(directory: &Path, project: &Project) -> Result<Vec<String>, NpmInstallError> {
    let path = directory.join(".npmrc");
    let Ok(meta) = path.metadata() else {
        return Ok(Vec::new());
    };
    let shown = project.shown(&path);
    let unreadable = |reason: String| NpmInstallError::Unreadable {
        path: shown.clone(),
        reason,
    };
    if meta.len() > MAX_BYTES {
        return Err(unreadable(format!(
            "it has {} bytes; the limit is {MAX_BYTES}",
            meta.len()
        )));
    }
    let bytes = std::fs::read(&path).map_err(|error| unreadable(error.to_string()))?;
    let text = String::from_utf8_lossy(&bytes);
    match settings(&text).find(|setting| !is_allowed(&setting.key)) {
        Some(Setting { key, .. }) => Err(NpmInstallError::Npmrc { path: shown, key }),
        None => Ok(settings(&text)
            .filter(|setting| is_registry(&setting.key))
            .map(|setting| setting.value)
            .collect()),
    }
}

/// The lines that say where packages come from and how they are fetched.
pub(crate) fn of_registries(text: &str) -> String {
    let lines = text.split_inclusive(['\r', '\n']).filter(|line| {
        settings(line).any(|setting| {
            setting.key.starts_with(['/', '@'])
                || ALLOWED[..OF_REGISTRIES].contains(&setting.key.as_str())
        })
    });
    let mut text: String = lines.collect();
    text.push('\n');
    text
}

/// The last value of a setting in a file of the machine's.
pub(crate) fn value_of(bytes: &[u8], wanted: &str) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let values = settings(&text).filter(|setting| setting.key == wanted);
    values.last().map(|setting| setting.value)
}

/// The registries that variables for npm name.
pub(crate) fn registries_of(variables: &BTreeMap<String, String>) -> Vec<String> {
    variables
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("npm_config_registry"))
        .map(|(_, value)| value.clone())
        .collect()
}

fn is_registry(key: &str) -> bool {
    key == "registry" || key.ends_with(":registry")
}

/// Whether a project may make a setting. `${NAME}` in a key is replaced by a variable, so a key that is put
/// together this way could be any; those of registries (`//host/:`, `@scope:registry`) cannot.
fn is_allowed(key: &str) -> bool {
    if key.starts_with("//") {
        return true;
    }
    if key.starts_with('@') {
        return key.ends_with(":registry");
    }
    ALLOWED.contains(&key)
        || OF_RELEASES.contains(&key)
        || OF_PNPM.contains(&key)
        || !key.contains("${") && DOWNLOADS.iter().any(|end| key.ends_with(end))
}

/// npm reads the file with the `ini` package: keys may be quoted or end in `[]`, and lines end with CR or LF.
fn settings(text: &str) -> impl Iterator<Item = Setting> {
    text.split(['\r', '\n']).filter_map(|line| {
        let line = line.trim();
        if line.is_empty() || line.starts_with([';', '#', '[']) {
            return None;
        }
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        let key = key.trim();
        let key = key.strip_suffix("[]").unwrap_or(key);
        let key = key.trim_matches(['"', '\'']).replace('\\', "");
        let key = key.strip_suffix("[]").unwrap_or(&key).trim().to_lowercase();
        let value = value.trim().trim_matches(['"', '\'']).to_owned();
        Some(Setting { key, value })
    })
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    fn refused_key(text: &str) -> Option<String> {
        settings(text)
            .map(|setting| setting.key)
            .find(|key| !is_allowed(key))
    }

    #[test_case("git=./evil.sh", "git"; "git")]
    #[test_case("registry=https://r\n  script-shell = /bin/x", "script-shell"; "after another")]
    #[test_case("proxy=x\rnode-options=--require=./x", "node-options"; "after a carriage return")]
    #[test_case("\"git\"=x", "git"; "quoted")]
    #[test_case("\"g\\u0069t\"=x", "gu0069t"; "escaped")]
    #[test_case("git[]=x", "git"; "list")]
    #[test_case("gi${NOPE?}t=x", "gi${nope?}t"; "put together")]
    #[test_case("${X}_mirror=x", "${x}_mirror"; "put together of a good end")]
    #[test_case("node-options", "node-options"; "without a value")]
    #[test_case("userconfig=./u.rc", "userconfig"; "another file of settings")]
    #[test_case("globalconfig=./g.rc", "globalconfig"; "another file of global settings")]
    #[test_case("prefix=/tmp", "prefix"; "another place for global packages")]
    #[test_case("node-gyp=./x", "node-gyp"; "a builder")]
    #[test_case("@mine:git=./x", "@mine:git"; "a scope's something")]
    #[test_case("something-new=1", "something-new"; "what no one knows")]
    fn a_setting_that_is_not_known_to_be_harmless_is_refused(text: &str, key: &str) {
        assert_eq!(refused_key(text).as_deref(), Some(key));
    }

    #[test]
    fn what_another_package_manager_is_fetched_with_is_about_registries_alone() {
        let text = "registry=https://r/\npackage-lock=false\n//r/:_authToken=${T}\nfetch-timeout=1\nprefer-dedupe=true\nomit=dev";
        assert_eq!(
            of_registries(text),
            "registry=https://r/\n//r/:_authToken=${T}\nfetch-timeout=1\n\n"
        );
    }

    #[test_case(""; "empty")]
    #[test_case("# git=x\n; node-options=y"; "comments")]
    #[test_case("registry=https://npm.example.com/\n@mine:registry=https://x\nsave-exact=true"; "registries")]
    #[test_case("//npm.example.com/:_authToken=${NPM_TOKEN}"; "token")]
    #[test_case("//${HOST}/:_authToken=${NPM_TOKEN}"; "host by variable")]
    #[test_case("git-tag-version=false"; "of releases")]
    #[test_case("legacy-peer-deps=true\nengine-strict = true"; "choice of versions")]
    #[test_case("https-proxy=http://proxy.example.com:3128\nproxy=http://p\nnoproxy=localhost"; "proxies")]
    #[test_case("shamefully-hoist=true"; "of pnpm")]
    #[test_case("sass_binary_site=https://x\nelectron_mirror=https://y"; "downloads of packages")]
    fn registries_and_how_to_reach_them_are_the_projects_own_choice(text: &str) {
        assert_eq!(refused_key(text), None);
    }
}
