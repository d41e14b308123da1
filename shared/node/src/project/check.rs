//! Checks of a project before anything is started: all problems at once, from a few small files, without running a
//! program.

use std::fmt::Write as _;
use std::path::Path;

use super::files::{Files, Folder, below};
use super::lockfile;
use super::manager::{Installer, InstallerError, Manager, installer};
use super::manifest::{MANIFEST, Manifest, NoManifest};
use super::{directory_of, engines};
use crate::task::{self, Runner};
use delivery_action::failure::ActionError;

mod error;

pub use error::CheckError;

/// Largest Git file (`.gitmodules`, `.gitattributes`) that is read.
const MAX_GIT_BYTES: u64 = 1024 * 1024;

/// Formats of npm's lock file; 1 is that of npm 5 and 6.
const LOCK_VERSIONS: [u64; 3] = [1, 2, 3];

/// Version prefixes of other package managers, which npm does not understand.
const FOREIGN_PROTOCOLS: [&str; 5] = ["workspace:", "catalog:", "portal:", "patch:", "link:"];

/// Most folders, submodules or dependencies that a finding names.
const MAX_NAMED: usize = 5;

/// How the project will be used.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, given by name"
)]
pub struct Expected<'a> {
    /// The folder of `package.json`, below the source.
    pub directory: &'a str,
    /// The tasks that will be run.
    pub tasks: &'a [String],
    /// What runs them; `None` chooses by whether there is a gulpfile.
    pub runner: Option<Runner>,
    /// Whether npm installs the dependencies: then `package.json` and the lock file matter.
    pub installs: bool,
    /// Whether the lock file must have a format that gives hashes.
    pub integrity: bool,
    /// Whether installing without a lock file is allowed; a lock file of another package manager is then only a note.
    pub accepts_no_lock: bool,
    /// The runtime of the application's function, such as `nodejs22.x`.
    pub runtime: Option<&'a str>,
    /// Whether it is a working tree, where submodules are present although they are not delivered.
    pub is_working_tree: bool,
}

impl Default for Expected<'_> {
    fn default() -> Self {
        Self {
            directory: ".",
            tasks: &[],
            runner: None,
            installs: true,
            integrity: true,
            accepts_no_lock: false,
            runtime: None,
            is_working_tree: false,
        }
    }
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The pipeline will fail because of it.
    Error,
    /// It may be intended.
    Note,
    /// A fact, such as which runner was chosen and why.
    Info,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// What was found, and where.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Finding {
    fn error(what: String, hint: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            what,
            hint: Some(hint.into()),
        }
    }

    fn note(what: String, hint: impl Into<String>) -> Self {
        Self {
            severity: Severity::Note,
            what,
            hint: Some(hint.into()),
        }
    }

    fn info(what: String) -> Self {
        Self {
            severity: Severity::Info,
            what,
            hint: None,
        }
    }

    fn of(error: &dyn ActionError) -> Self {
        Self {
            severity: Severity::Error,
            what: delivery_action::failure::chain(error),
            hint: error.hint(),
        }
    }
}

/// Checks a source that lies in a folder. Errors come first, then notes.
#[must_use]
pub fn check(source: &Path, expected: &Expected<'_>) -> Vec<Finding> {
    check_files(&Folder(source), expected)
}

/// [`check`] for a source that may still be an archive.
#[must_use]
pub fn check_files(files: &dyn Files, expected: &Expected<'_>) -> Vec<Finding> {
    let folder = match directory_of(expected.directory) {
        Ok(folder) => folder,
        Err(error) => return vec![Finding::of(&error)],
    };
    // Not there, or a link: whoever opens it says which.
    if !folder.is_empty() && files.names(&folder).is_empty() {
        return Vec::new();
    }
    let project = Checked {
        files,
        folder: &folder,
        expected,
    };
    let mut findings = project.manifest();
    findings.extend(project.tasks());
    if expected.installs {
        findings.extend(project.lock_file());
    }
    findings.extend(submodules(files, expected.is_working_tree));
    findings.extend(project.large_files());
    findings.sort_by_key(|finding| finding.severity);
    findings
}

struct Checked<'a> {
    files: &'a dyn Files,
    folder: &'a str,
    expected: &'a Expected<'a>,
}

impl Checked<'_> {
    fn manifest(&self) -> Vec<Finding> {
        let path = below(self.folder, MANIFEST);
        match Manifest::read(self.files, self.folder) {
            Ok(manifest) => {
                let mut findings: Vec<_> = self.engines(&manifest).into_iter().collect();
                let by_npm = installer(self.files, self.folder)
                    .is_ok_and(|installer| installer.manager == Manager::Npm);
                if self.expected.installs && by_npm {
                    findings.extend(foreign_dependencies(&manifest, &path));
                }
                findings
            }
            Err(NoManifest::Missing) if self.expected.installs => vec![self.no_manifest()],
            Err(NoManifest::Broken(reason)) => vec![Finding::error(
                format!("`{path}` cannot be read: {reason}"),
                format!("correct `{path}` in the source"),
            )],
            Err(NoManifest::Missing | NoManifest::Link) => Vec::new(),
        }
    }

    fn no_manifest(&self) -> Finding {
        let mut what = format!("no `{MANIFEST}` in `{}`", shown(self.folder));
        let elsewhere: Vec<_> = self
            .files
            .names(self.folder)
            .into_iter()
            .filter(|name| name != "node_modules")
            .map(|name| below(self.folder, &name))
            .filter(|folder| Manifest::read(self.files, folder).is_ok())
            .collect();
        if !elsewhere.is_empty() {
            let _infallible = write!(what, " (found one in {})", quoted(&elsewhere));
        }
        Finding::error(
            what,
            "set `directory` to the folder that holds `package.json`",
        )
    }

    fn engines(&self, manifest: &Manifest) -> Option<Finding> {
        let (range, runtime) = (manifest.node()?, self.expected.runtime?);
        let takes = engines::takes(range, engines::major_of(runtime)?)?;
        (!takes).then(|| {
            Finding::note(
                format!("`engines.node` is `{range}`, but the function's runtime is `{runtime}`"),
                "change `engines.node`, or the template's `ApplicationRuntime`",
            )
        })
    }

    fn tasks(&self) -> Vec<Finding> {
        let mut findings: Vec<Finding> = Vec::new();
        let mut runs_gulp = false;
        for name in self.expected.tasks {
            match task::choose(self.files, self.folder, name, self.expected.runner) {
                Ok(choice) => {
                    runs_gulp |= choice.runner == Runner::Gulp;
                    findings.push(Finding::info(format!(
                        "{} runs the task `{name}`: {}",
                        choice.runner, choice.because
                    )));
                    if let Some(doubt) = choice.doubt {
                        findings.push(Finding::note(
                            doubt,
                            format!(
                                "export a task `{name}` from the gulpfile, or add a script of that \
                                 name to `{MANIFEST}`"
                            ),
                        ));
                    }
                }
                // Said once already, of the file itself.
                Err(task::TaskError::Manifest { .. }) => {}
                Err(task::TaskError::NoManifest { .. }) if self.expected.installs => {}
                Err(error) => findings.push(Finding::of(&error)),
            }
        }
        if self.expected.installs && runs_gulp {
            findings.extend(self.gulp());
        }
        findings
    }

    /// Whether gulp is a dependency, and works with current versions of Node.js.
    fn gulp(&self) -> Option<Finding> {
        let manifest = Manifest::read(self.files, self.folder).ok()?;
        let wanted = manifest.dependencies().find(|(name, _)| *name == "gulp");
        match wanted {
            Some((_, version))
                if version
                    .trim_start_matches(['^', '~', '=', 'v'])
                    .starts_with("3.") =>
            {
                let mended = manifest
                    .fields()
                    .get("overrides")
                    .is_some_and(|overrides| overrides.get("graceful-fs").is_some());
                (!mended).then(|| {
                    Finding::note(
                        format!("gulp `{version}` does not run on Node.js 12 and later"),
                        super::remedy::GULP_3,
                    )
                })
            }
            Some(_) => None,
            None => Some(Finding::note(
                format!(
                    "there is a gulpfile, but `{}` does not depend on `gulp`",
                    below(self.folder, MANIFEST)
                ),
                "add `gulp` to `devDependencies`",
            )),
        }
    }

    fn lock_file(&self) -> Vec<Finding> {
        match installer(self.files, self.folder) {
            Ok(Installer {
                manager: Manager::Npm,
                lock: Some(path),
                ..
            }) => self.npm_lock(&path),
            Ok(Installer {
                lock: Some(path),
                release,
                ..
            }) => release
                .map(|release| Finding::info(format!("{release} installs from `{path}`")))
                .into_iter()
                .collect(),
            Ok(Installer { manager, .. }) if self.has_dependencies() => {
                vec![Finding::note(
                    "no lock file, so each run may install different versions".to_owned(),
                    commit_lock(manager),
                )]
            }
            Ok(_) => Vec::new(),
            Err(InstallerError::Bun { path }) if self.expected.accepts_no_lock => {
                vec![Finding::note(
                    format!(
                        "`{path}` is Bun's lock file, which npm ignores, so each run may install different versions"
                    ),
                    commit_lock(Manager::Npm),
                )]
            }
            Err(error) => vec![Finding::of(&error)],
        }
    }

    fn npm_lock(&self, path: &str) -> Vec<Finding> {
        let finding = match lockfile::version(self.files, path) {
            Ok(version) if LOCK_VERSIONS.contains(&version) || !self.expected.integrity => {
                Finding::info(format!("npm installs from `{path}`"))
            }
            Ok(version) => Finding::error(
                format!("`{path}` has format version {version}; known are 1, 2 and 3"),
                "rewrite the lock file (`npm install --package-lock-only`) and commit it",
            ),
            Err(_) if !self.expected.integrity => return Vec::new(),
            Err(reason) => Finding::error(
                format!("`{path}` cannot be read: {reason}"),
                format!("correct `{path}` in the source"),
            ),
        };
        vec![finding]
    }

    fn has_dependencies(&self) -> bool {
        Manifest::read(self.files, self.folder)
            .is_ok_and(|manifest| manifest.dependencies().next().is_some())
    }

    fn large_files(&self) -> Option<Finding> {
        let text = git_file(self.files, ".gitattributes")?;
        let patterns: Vec<String> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter(|line| line.split_whitespace().any(|word| word == "filter=lfs"))
            .filter_map(|line| line.split_whitespace().next())
            .map(str::to_owned)
            .collect();
        (!patterns.is_empty()).then(|| {
            Finding::note(
                format!(
                    "{} is kept in Git LFS: CodePipeline's source artifact contains pointers instead of these files",
                    quoted(&patterns)
                ),
                "commit the files themselves, or fetch them in the task",
            )
        })
    }
}

/// Says which submodules are empty; all of them, if the source is a working tree.
fn submodules(files: &dyn Files, is_working_tree: bool) -> Option<Finding> {
    let text = git_file(files, ".gitmodules")?;
    let left_out: Vec<String> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(key, _)| key.trim() == "path")
        .map(|(_, path)| path.trim().trim_matches(['"', '/']).to_owned())
        .filter(|path| !path.is_empty() && (is_working_tree || files.names(path).is_empty()))
        .collect();
    let noun = match left_out.len() {
        0 => return None,
        1 => "the submodule",
        _ => "the submodules",
    };
    Some(Finding::note(
        format!(
            "the files of {noun} {} are not delivered: CodePipeline's source artifact does not include them",
            quoted(&left_out)
        ),
        "commit the files themselves, or depend on them as a package",
    ))
}

/// Advice for a failure because of a missing file, if submodules are empty.
pub(crate) fn empty_submodules(files: &dyn Files) -> Option<String> {
    let finding = submodules(files, false)?;
    Some(format!(
        "{}: {}",
        finding.what,
        finding.hint.unwrap_or_default()
    ))
}

fn git_file(files: &dyn Files, name: &str) -> Option<String> {
    let bytes = files.read(name, MAX_GIT_BYTES).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn foreign_dependencies(manifest: &Manifest, path: &str) -> Option<Finding> {
    let foreign: Vec<String> = manifest
        .dependencies()
        .filter(|(_, wanted)| FOREIGN_PROTOCOLS.iter().any(|own| wanted.starts_with(own)))
        .map(|(name, wanted)| format!("{name}: {wanted}"))
        .collect();
    (!foreign.is_empty()).then(|| {
        Finding::error(
            format!(
                "`{path}` has dependencies in a form that npm does not support: {}",
                quoted(&foreign)
            ),
            "these are pnpm's, Yarn's or Bun's: commit the lock file of that package manager, or name a version, or \
             `file:FOLDER` for a folder of the source",
        )
    })
}

/// How to create a lock file.
fn commit_lock(manager: Manager) -> String {
    let command = match manager {
        Manager::Npm => "npm install --package-lock-only",
        Manager::Pnpm => "pnpm install --lockfile-only",
        Manager::YarnClassic | Manager::Yarn => "yarn install",
    };
    format!("run `{command}` and commit `{}`", manager.lock_file())
}

fn shown(folder: &str) -> &str {
    if folder.is_empty() { "." } else { folder }
}

/// `` `a`, `b` and 3 more ``
fn quoted(names: &[String]) -> String {
    let shown: Vec<_> = names
        .iter()
        .take(MAX_NAMED)
        .map(|name| format!("`{name}`"))
        .collect();
    let mut text = shown.join(", ");
    if names.len() > MAX_NAMED {
        let _infallible = write!(text, " and {} more", names.len() - MAX_NAMED);
    }
    text
}

#[cfg(test)]
mod tests;
