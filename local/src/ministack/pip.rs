//! Installs `MiniStack` and what it needs with pip.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Output};

use super::Error;
use super::install::last_lines;

/// `MiniStack` and its dependencies, each at one version.
pub(super) const REQUIREMENTS: &str = include_str!("requirements.txt");

/// The files of these versions for Linux and macOS, with their hashes; written by `scripts/ministack-wheels`.
const WHEELS: &str = include_str!("wheels.html");

/// The first pip that installs into another interpreter's environment (its release notes, `--python`).
const INSTALLS_ELSEWHERE: (u32, u32) = (22, 3);

/// Settings of pip after which packages come from where the user says, by what `pip config list` calls them.
const SOURCES: [&str; 3] = ["index-url", "extra-index-url", "no-index"];

/// How often pip asks again for one of the files that are listed: the index is asked after that, which tries more often.
const RETRIES: &str = "1";

/// A pip that installs into one environment.
pub(super) struct Pip {
    python: OsString,
    /// What makes that interpreter run pip.
    arguments: Vec<OsString>,
}

impl Pip {
    /// The pip of the system's interpreter where it can, otherwise one that is copied into the environment: copying it
    /// takes longer than what is installed with it.
    pub(super) fn for_environment(system_python: &str, python: &Path) -> Result<Self, Error> {
        if version_of(system_python).is_some_and(|version| version >= INSTALLS_ELSEWHERE) {
            return Ok(Self {
                python: system_python.into(),
                arguments: vec!["-m".into(), "pip".into(), "--python".into(), python.into()],
            });
        }
        let output = run(Command::new(python).args(["-m", "ensurepip"]))?;
        if !output.status.success() {
            return Err(Error::Venv {
                python: system_python.to_owned(),
                output: last_lines(&output),
            });
        }
        Ok(Self {
            python: python.into(),
            arguments: vec!["-m".into(), "pip".into()],
        })
    }

    /// Installs the requirements; `folder` is for the files that pip reads.
    ///
    /// The files are listed, so that pip need not ask the index for every version of every package there has been: that
    /// is most of its work. The index is asked where the user has one of their own, and where a file is missing, such
    /// as that of a newer Python.
    pub(super) fn install(&self, folder: &Path) -> Result<(), Error> {
        let write = |name: &str, content: &str| {
            let path = folder.join(name);
            std::fs::write(&path, content).map_err(|source| Error::Home {
                path: path.clone(),
                source,
            })?;
            Ok(path)
        };
        let requirements = write("requirements.txt", REQUIREMENTS)?;
        let wheels = write("wheels.html", WHEELS)?;
        if !self.has_source_of_its_own()? {
            let mut listed = self.command("install");
            listed
                .args(["--no-index", "--retries", RETRIES, "--find-links"])
                .arg(wheels);
            if run(install_all(&mut listed, &requirements))?
                .status
                .success()
            {
                return Ok(());
            }
        }
        let output = run(install_all(&mut self.command("install"), &requirements))?;
        if output.status.success() {
            return Ok(());
        }
        Err(Error::Pip {
            output: last_lines(&output),
        })
    }

    fn has_source_of_its_own(&self) -> Result<bool, Error> {
        let output = run(self.command("config").arg("list"))?;
        Ok(names_a_source(&String::from_utf8_lossy(&output.stdout)))
    }

    fn command(&self, command: &str) -> Command {
        let mut pip = Command::new(&self.python);
        pip.args(&self.arguments).arg(command);
        pip.args(["--disable-pip-version-check", "--no-input"]);
        pip
    }
}

/// Everything is listed, so pip need not look for dependencies. What is imported is compiled then, and not all of it now.
fn install_all<'a>(command: &'a mut Command, requirements: &Path) -> &'a mut Command {
    command
        .args(["--no-deps", "--no-compile", "--requirement"])
        .arg(requirements)
}

/// Whether one of the settings, such as `global.index-url='https://…'`, says where packages come from.
fn names_a_source(settings: &str) -> bool {
    settings.lines().any(|line| {
        let key = line.split('=').next().unwrap_or_default();
        let name = key.rsplit('.').next().unwrap_or_default();
        SOURCES.contains(&name)
    })
}

/// Which pip an interpreter has, if it has one.
fn version_of(python: &str) -> Option<(u32, u32)> {
    let output =
        run(Command::new(python).args(["-c", "import pip; print(pip.__version__)"])).ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers = text.trim().split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn run(command: &mut Command) -> Result<Output, Error> {
    command.output().map_err(|source| Error::Run {
        program: command.get_program().to_string_lossy().into_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_requirement_has_a_file_with_its_hash() {
        let listed = |name: &str, version: &str| {
            let file = format!("{}-{version}-", name.to_lowercase().replace('-', "_"));
            WHEELS.lines().any(|line| {
                let Some((link, shown)) = line.split_once("\">") else {
                    return false;
                };
                shown.to_lowercase().starts_with(&file) && link.contains(".whl#sha256=")
            })
        };
        for line in REQUIREMENTS.lines().filter(|line| !line.starts_with('#')) {
            let pinned = line.split(';').next().unwrap_or_default().trim();
            let (name, version) = pinned.split_once("==").unwrap();
            assert!(
                listed(name, version),
                "{line}: run scripts/ministack-wheels"
            );
        }
    }

    #[test]
    fn a_setting_that_says_where_packages_come_from_is_seen() {
        for settings in [
            "global.cert='/ca.pem'\nglobal.index-url='https://pypi.example.com/simple'\n",
            ":env:.extra-index-url='https://a.example.com https://b.example.com'\n",
            "install.no-index='true'",
        ] {
            assert!(names_a_source(settings), "{settings}");
        }
        assert!(!names_a_source(
            ":env:.find-links='/wheels'\nglobal.timeout='9'\n"
        ));
        assert!(!names_a_source(""));
    }
}
