//! What the pipeline's owner reads, for each way to fail.

use delivery_action::failure::Failure;
use delivery_action::process::ProcessError;
use delivery_node::project::{InstallerError, Manager};
use npm_install::{NpmInstallError, Omit, Untrusted};

fn printed(error: &NpmInstallError) -> String {
    let failure = Failure::new(error);
    format!("{:?}: {}", failure.failure_type, failure.message("LOG"))
}

fn ended(output: &str) -> ProcessError {
    ProcessError::Exit {
        command: "npm ci".to_owned(),
        code: 1,
        output: output.to_owned(),
    }
}

fn text(text: &str) -> String {
    text.to_owned()
}

#[test]
fn about_the_project() {
    let no_manifest = NpmInstallError::NoManifest {
        directory: text("web"),
    };
    insta::assert_snapshot!(printed(&no_manifest), @"
    ConfigurationError: no `package.json` in `web`
    hint: set `directory` to the folder that holds `package.json`
    log: LOG
    ");
    let unreadable = NpmInstallError::Unreadable {
        path: text("package-lock.json"),
        reason: text("it is empty"),
    };
    insta::assert_snapshot!(printed(&unreadable), @"
    JobFailed: `package-lock.json` cannot be read: it is empty
    hint: fix `package-lock.json` in the source
    log: LOG
    ");
    let npmrc = NpmInstallError::Npmrc {
        path: text(".npmrc"),
        key: text("git"),
    };
    let options = NpmInstallError::Npmrc {
        path: text(".npmrc"),
        key: text("node-options"),
    };
    insta::assert_snapshot!(printed(&options), @"
    JobFailed: `.npmrc` sets `node-options`, which npm passes to Node.js, where it can load any code
    hint: remove `node-options` from `.npmrc`; to give a task more memory, set `NODE_OPTIONS=--max-old-space-size=MEBIBYTES` in its script
    log: LOG
    ");
    let other = NpmInstallError::Npmrc {
        path: text(".npmrc"),
        key: text("call"),
    };
    insta::assert_snapshot!(printed(&other), @"
    JobFailed: `.npmrc` sets `call`, which is not a setting that this action allows
    hint: remove `call` from `.npmrc`
    log: LOG
    ");
    insta::assert_snapshot!(printed(&npmrc), @"
    JobFailed: `.npmrc` sets `git`, which would let the project choose a program that npm runs
    hint: remove `git` from `.npmrc`
    log: LOG
    ");
}

#[test]
fn about_the_lock_file() {
    let version = NpmInstallError::LockFileVersion {
        path: text("package-lock.json"),
        version: 3,
    };
    insta::assert_snapshot!(printed(&version), @"
    JobFailed: `package-lock.json` has format version 3, but not its list of packages
    hint: rewrite the lock file with npm 7 or later (`npm install`) and commit it, or set `integrity=off`
    log: LOG
    ");
    let entries = [
        Untrusted::NoIntegrity,
        Untrusted::PlainHttp,
        Untrusted::Git,
        Untrusted::Address,
    ]
    .iter()
    .cycle()
    .take(12)
    .enumerate()
    .map(|(index, why)| (format!("node_modules/p{index}"), *why))
    .collect();
    let untrusted = NpmInstallError::UntrustedEntries {
        path: text("package-lock.json"),
        entries,
    };
    insta::assert_snapshot!(printed(&untrusted), @"
    JobFailed: `package-lock.json` has 12 entries that cannot be verified: `node_modules/p0` (no integrity hash), `node_modules/p1` (plain http), `node_modules/p2` (from Git), `node_modules/p3` (not an https address), `node_modules/p4` (no integrity hash), `node_modules/p5` (plain http), `node_modules/p6` (from Git), `node_modules/p7` (not an https address), `node_modules/p8` (no integrity hash), `node_modules/p9` (plain http) and 2 more
    hint: reinstall these packages from an https registry and commit the lock file, or set `integrity=off` to accept them
    log: LOG
    ");
}

#[test]
fn about_what_the_lock_file_says() {
    let no_lock = NpmInstallError::NoLockFile {
        directory: text("."),
    };
    insta::assert_snapshot!(printed(&no_lock), @"
    JobFailed: `subcommand=ci` needs a lock file, but `.` has none
    hint: commit the lock file that the package manager writes, or set `subcommand=install`
    log: LOG
    ");
    let mismatch = NpmInstallError::LockFileMismatch {
        manager: Manager::Npm,
        output: text("Missing: a@1.0.0 from lock file"),
        source: ended(""),
    };
    insta::assert_snapshot!(printed(&mismatch), @"
    JobFailed: the lock file does not match `package.json`: `npm ci` ended with exit code 1
    hint: run `npm install` and commit both `package.json` and `package-lock.json`
    last lines of output:
    Missing: a@1.0.0 from lock file
    log: LOG
    ");
    let integrity = NpmInstallError::Integrity {
        package: Some(text("a")),
        source: ended("npm error code EINTEGRITY"),
    };
    insta::assert_snapshot!(printed(&integrity), @"
    JobFailed: package `a` does not have the hash in the lock file: `npm ci` ended with exit code 1
    hint: do not deploy it: find out why the package in the registry differs from the one that was locked
    last lines of output:
    npm error code EINTEGRITY
    log: LOG
    ");
    let integrity = NpmInstallError::Integrity {
        package: None,
        source: ended(""),
    };
    insta::assert_snapshot!(printed(&integrity), @"
    JobFailed: a package does not have the hash in the lock file: `npm ci` ended with exit code 1
    hint: do not deploy it: find out why the package in the registry differs from the one that was locked
    log: LOG
    ");
}

#[test]
fn about_the_package_manager() {
    let code = NpmInstallError::ProjectCode {
        what: text("`.pnpmfile.cjs`"),
        manager: Manager::Pnpm,
    };
    insta::assert_snapshot!(printed(&code), @"
    JobFailed: `.pnpmfile.cjs` is code that pnpm runs when it installs
    hint: set `ignore-scripts=false` to let it run, and the packages' install scripts with it
    log: LOG
    ");
    let omit = NpmInstallError::Omit {
        kind: Omit::Dev,
        manager: Manager::Yarn,
    };
    insta::assert_snapshot!(printed(&omit), @"
    ConfigurationError: Yarn cannot leave out `dev` dependencies
    hint: remove `omit`, and leave them out in the task, for example with `yarn workspaces focus --production`
    log: LOG
    ");
    let fetched = NpmInstallError::Manager {
        release: text("pnpm 9.999.0"),
        source: ended("npm error code ETARGET"),
    };
    insta::assert_snapshot!(printed(&fetched), @"
    JobFailed: pnpm 9.999.0 cannot be fetched from the registry: `npm ci` ended with exit code 1
    hint: set `packageManager` in `package.json` to a version that the registry has
    last lines of output:
    npm error code ETARGET
    log: LOG
    ");
    let hash = NpmInstallError::ManagerHash {
        release: text("Yarn 4.6.0"),
    };
    insta::assert_snapshot!(printed(&hash), @"
    JobFailed: Yarn 4.6.0 from the registry does not have the expected hash
    hint: do not run it: find out why the registry's differs from the one that `packageManager` names
    log: LOG
    ");
    let unknown = NpmInstallError::UnknownHash {
        release: text("pnpm 7.0.0"),
        algorithm: text("sha224"),
    };
    insta::assert_snapshot!(printed(&unknown), @"
    JobFailed: `packageManager` names a hash of pnpm 7.0.0 that cannot be verified: sha224
    hint: write its SHA-512, as `corepack use` does, or none
    log: LOG
    ");
    let installer = NpmInstallError::from(InstallerError::Bun {
        path: text("bun.lock"),
    });
    insta::assert_snapshot!(printed(&installer), @"
    ConfigurationError: `bun.lock` is Bun's lock file; Bun is not supported
    hint: run `npm install --package-lock-only`, commit `package-lock.json` and remove `bun.lock`; `subcommand=install` installs with npm without any lock file
    log: LOG
    ");
}

#[test]
fn about_the_registry() {
    let unreachable = NpmInstallError::RegistryUnreachable {
        manager: Manager::Npm,
        code: text("ENOTFOUND"),
        source: ended("npm error code ENOTFOUND"),
    };
    insta::assert_snapshot!(printed(&unreachable), @"
    SystemUnavailable: registry unreachable: npm got ENOTFOUND: `npm ci` ended with exit code 1
    hint: retry the stage; if that does not help, check the registry's address in the project's settings and the function's network
    last lines of output:
    npm error code ENOTFOUND
    log: LOG
    ");
    let denied = NpmInstallError::RegistryDenied {
        manager: Manager::Npm,
        code: text("E401"),
        source: ended("npm error code E401"),
    };
    insta::assert_snapshot!(printed(&denied), @"
    PermissionError: the registry denied access to a package: npm got E401: `npm ci` ended with exit code 1
    hint: give npm a token: `//REGISTRY/:_authToken=${NPM_TOKEN}` in `.npmrc`, and `Env.NPM_TOKEN`
    last lines of output:
    npm error code E401
    log: LOG
    ");
    let of_yarn = NpmInstallError::RegistryDenied {
        manager: Manager::Yarn,
        code: text("YN0041"),
        source: ended("YN0041: is-odd: Invalid authentication"),
    };
    insta::assert_snapshot!(printed(&of_yarn), @"
    PermissionError: the registry denied access to a package: Yarn got YN0041: `npm ci` ended with exit code 1
    hint: give Yarn a token: `npmAuthToken: ${NPM_TOKEN}` in `.yarnrc.yml`, and `Env.NPM_TOKEN`
    last lines of output:
    YN0041: is-odd: Invalid authentication
    log: LOG
    ");
    let git = NpmInstallError::GitDependency {
        source: ended("npm error code EALLOWGIT"),
    };
    insta::assert_snapshot!(printed(&git), @"
    JobFailed: a dependency comes from a Git repository, which has no integrity hash: `npm ci` ended with exit code 1
    hint: publish the dependency to a registry, or set `integrity=off` to accept it
    last lines of output:
    npm error code EALLOWGIT
    log: LOG
    ");
}

#[test]
fn about_the_function() {
    let engine = NpmInstallError::Engine {
        source: ended("npm error code EBADENGINE"),
    };
    insta::assert_snapshot!(printed(&engine), @"
    JobFailed: the project, or a package, does not support this version of Node.js or of the package manager: `npm ci` ended with exit code 1
    hint: change `engines` or `packageManager` in `package.json`, or the Node.js layer of the function
    last lines of output:
    npm error code EBADENGINE
    log: LOG
    ");
    let disk = NpmInstallError::DiskFull {
        source: ended("npm error code ENOSPC"),
    };
    insta::assert_snapshot!(printed(&disk), @"
    JobFailed: the function's disk is full: `npm ci` ended with exit code 1
    hint: raise the function's `EphemeralStorage`
    last lines of output:
    npm error code ENOSPC
    log: LOG
    ");
    let other = NpmInstallError::Install {
        manager: Manager::Npm,
        source: ended("npm error code ERESOLVE"),
    };
    insta::assert_snapshot!(printed(&other), @"
    JobFailed: npm could not install the dependencies: `npm ci` ended with exit code 1
    hint: packages want different versions of one peer dependency: set `legacy-peer-deps=true` in `.npmrc`, or choose a version with `overrides` in `package.json`; then run `npm install` and commit the lock file
    last lines of output:
    npm error code ERESOLVE
    log: LOG
    ");
    let process = NpmInstallError::from(ended("npm error"));
    insta::assert_snapshot!(printed(&process), @"
    JobFailed: `npm ci` ended with exit code 1
    last lines of output:
    npm error
    log: LOG
    ");
}
