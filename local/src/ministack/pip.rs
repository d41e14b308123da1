//! Installs `MiniStack` and what it needs with pip.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

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

/// Variables that send what pip installs to another place than the environment, or nowhere: a user has them for packages of
/// their own.
const OTHER_PLACES: [&str; 5] = [
    "PIP_DRY_RUN",
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_TARGET",
    "PIP_USER",
];

/// What a pip says that was ended by Ctrl-C, which reaches each program of a terminal.
const CANCELLED: &str = "Operation cancelled by user";

/// How often pip asks again for one of the files that are listed: the index is asked after that, which tries more often.
const RETRIES: &str = "1";

/// What is installed beside the rest: half of all bytes and files are in this one package, and pip gets and unpacks one
/// after another.
const LARGEST: &str = "botocore==";

/// What prints pip's version and then its settings: one start of pip instead of two.
const VERSION_AND_SETTINGS: &str = "import pip, runpy, sys
print(pip.__version__, flush=True)
sys.argv = ['pip', 'config', 'list', '--disable-pip-version-check']
runpy.run_module('pip', run_name='__main__')";

/// A pip that installs into one environment.
pub(super) struct Pip<'a> {
    programs: Programs<'a>,
    python: OsString,
    /// What makes that interpreter run pip.
    arguments: Vec<OsString>,
    /// Whether the user has said where packages come from.
    has_source_of_its_own: bool,
}

impl<'a> Pip<'a> {
    /// Makes an environment in `folder`, of which the lock says that it is being installed. Its pip is that of the system's interpreter where it can install there, otherwise
    /// one that is copied into the environment: copying it takes longer than what is installed with it.
    pub(super) fn with_environment(
        system_python: &str,
        folder: &Path,
        lock: &'a File,
    ) -> Result<Self, Error> {
        let programs = Programs { lock };
        let python = folder.join("bin").join("python");
        let mut venv = Command::new(system_python);
        venv.args(["-m", "venv", "--without-pip"]).arg(folder);
        let (made, found) = std::thread::scope(|scope| {
            let made = scope.spawn(|| programs.run(&mut venv));
            let found = programs.version_and_settings(system_python.as_ref());
            (
                made.join().expect("running a program does not panic"),
                found,
            )
        });
        let venv_error = |output: &Output| Error::Venv {
            python: system_python.to_owned(),
            output: last_lines(output),
        };
        let made = made?;
        if !made.status.success() {
            return Err(venv_error(&made));
        }
        if let Some((version, settings)) = found
            && version >= INSTALLS_ELSEWHERE
        {
            return Ok(Self {
                programs,
                python: system_python.into(),
                arguments: vec!["-m".into(), "pip".into(), "--python".into(), python.into()],
                has_source_of_its_own: names_a_source(&settings),
            });
        }
        let copied = programs.run(Command::new(&python).args(["-m", "ensurepip"]))?;
        let found = programs.version_and_settings(python.as_os_str());
        let (true, Some((_, settings))) = (copied.status.success(), found) else {
            return Err(venv_error(&copied));
        };
        Ok(Self {
            programs,
            python: python.into(),
            arguments: vec!["-m".into(), "pip".into()],
            has_source_of_its_own: names_a_source(&settings),
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
        if !self.has_source_of_its_own {
            let wheels = write("wheels.html", WHEELS)?;
            let (largest, others): (Vec<&str>, Vec<&str>) = REQUIREMENTS
                .lines()
                .partition(|line| line.starts_with(LARGEST));
            let largest = write("largest.txt", &largest.join("\n"))?;
            let others = write("others.txt", &others.join("\n"))?;
            let listed = |requirements: &Path| {
                let mut pip = self.command(requirements);
                pip.args(["--no-index", "--retries", RETRIES, "--find-links"]);
                self.programs.run(pip.arg(&wheels))
            };
            let (largest, others) = std::thread::scope(|scope| {
                let largest = scope.spawn(|| listed(&largest));
                let others = listed(&others);
                (
                    largest.join().expect("running a program does not panic"),
                    others,
                )
            });
            let installed = [largest?, others?];
            if installed.iter().all(|output| output.status.success()) {
                return Ok(());
            }
            // Another try would go on after the command that wanted it has ended.
            if let Some(cancelled) = installed.iter().find(|output| is_cancelled(output)) {
                return Err(Error::Pip {
                    output: last_lines(cancelled),
                });
            }
        }
        let requirements = write("requirements.txt", REQUIREMENTS)?;
        let output = self.programs.run(&mut self.command(&requirements))?;
        if output.status.success() {
            return Ok(());
        }
        Err(Error::Pip {
            output: last_lines(&output),
        })
    }

    /// All dependencies are listed, so pip need not look for them. Python compiles a module when it is first imported,
    /// which is only some of them.
    fn command(&self, requirements: &Path) -> Command {
        let mut pip = Command::new(&self.python);
        pip.args(&self.arguments)
            .args(["install", "--disable-pip-version-check", "--no-input"])
            .args(["--no-deps", "--no-compile", "--requirement"])
            .arg(requirements);
        for variable in OTHER_PLACES {
            pip.env_remove(variable);
        }
        pip
    }
}

/// Whether one of the settings, such as `global.index-url='https://…'`, says where packages come from.
fn names_a_source(settings: &str) -> bool {
    settings.lines().any(|line| {
        let key = line.split('=').next().unwrap_or_default();
        let name = key.rsplit('.').next().unwrap_or_default();
        SOURCES.contains(&name)
    })
}

/// Whether a program was ended by a signal.
fn is_cancelled(output: &Output) -> bool {
    output.status.signal().is_some() || String::from_utf8_lossy(&output.stderr).contains(CANCELLED)
}

/// What runs the programs of an installation.
#[derive(Clone, Copy)]
struct Programs<'a> {
    lock: &'a File,
}

impl Programs<'_> {
    /// Runs a program to its end. It holds the lock, too: when this process is killed, pip goes on, and whoever installs next
    /// waits for it instead of removing what it is writing.
    fn run(self, command: &mut Command) -> Result<Output, Error> {
        let lock = self.lock.try_clone().map(Stdio::from);
        let output = lock.and_then(|lock| command.stdin(lock).output());
        output.map_err(|source| Error::Run {
            program: command.get_program().to_string_lossy().into_owned(),
            source,
        })
    }

    /// Which pip an interpreter has, if it has one, and how it is set.
    fn version_and_settings(self, python: &OsStr) -> Option<((u32, u32), String)> {
        let mut command = Command::new(python);
        let output = self.run(command.args(["-c", VERSION_AND_SETTINGS])).ok()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let (version, settings) = text.split_once('\n')?;
        let mut numbers = version.trim().split('.').map(str::parse);
        let version = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        Some((version, settings.to_owned()))
    }
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

    /// Whether [`Pip::install`] has installed, and what it asks pip for, and of which requirements; pip ends so where it is
    /// given one of `refused`.
    fn asked_of_pip(
        has_source_of_its_own: bool,
        refused: &str,
        end: &str,
    ) -> (bool, Vec<(String, Vec<String>)>) {
        let folder = tempfile::tempdir().unwrap();
        let (script, calls) = (folder.path().join("pip"), folder.path().join("calls"));
        // A line is written at once, so that two that run beside each other do not mix theirs.
        let written = format!(
            "echo \"$*\" >> '{}'\ncase \"$*\" in *{refused}*) {end} ;; esac\n",
            calls.display()
        );
        std::fs::write(&script, written).unwrap();
        let lock = File::create(folder.path().join("lock")).unwrap();
        let pip = Pip {
            programs: Programs { lock: &lock },
            python: "sh".into(),
            arguments: vec![script.into()],
            has_source_of_its_own,
        };
        let is_installed = pip.install(folder.path()).is_ok();
        let calls = std::fs::read_to_string(calls).unwrap();
        let requirements = |call: &str| {
            let (_, rest) = call.split_once("--requirement ").unwrap();
            let file = std::fs::read_to_string(rest.split(' ').next().unwrap()).unwrap();
            file.lines().map(str::to_owned).collect()
        };
        let calls = calls.lines();
        let asked = calls.map(|call| (call.to_owned(), requirements(call)));
        (is_installed, asked.collect())
    }

    const NOTHING: &str = "--nothing-of-this";

    const FAILS: &str = "exit 1";

    #[test]
    fn everything_is_installed_from_the_listed_files_the_largest_beside_the_rest() {
        let (_, mut asked) = asked_of_pip(false, NOTHING, FAILS);
        assert_eq!(asked.len(), 2);
        for (call, requirements) in &asked {
            assert!(
                call.contains("--no-index --retries 1 --find-links "),
                "{call}"
            );
            assert!(!requirements.is_empty(), "{call}");
        }
        asked.sort_by_key(|(_, requirements)| requirements.len());
        assert_eq!(asked[0].1.len(), 1);
        let mut installed: Vec<&String> = asked.iter().flat_map(|(_, lines)| lines).collect();
        let mut required: Vec<&str> = REQUIREMENTS.lines().collect();
        installed.sort();
        required.sort_unstable();
        assert_eq!(installed, required);
    }

    #[test]
    fn the_index_is_asked_where_the_user_has_one_and_where_a_listed_file_cannot_be_had() {
        for (has_source_of_its_own, refused, calls) in [
            (true, NOTHING, 1),
            (false, "largest.txt", 3),
            (false, "others.txt", 3),
        ] {
            let (is_installed, asked) = asked_of_pip(has_source_of_its_own, refused, FAILS);
            assert!(is_installed);
            assert_eq!(asked.len(), calls, "{asked:?}");
            let (call, requirements) = &asked[calls - 1];
            assert!(!call.contains("--no-index"), "{call}");
            let required: Vec<&str> = REQUIREMENTS.lines().collect();
            assert_eq!(requirements, &required);
        }
    }

    #[test]
    fn after_ctrl_c_the_index_is_not_asked() {
        for end in [
            "kill -INT $$",
            "echo 'ERROR: Operation cancelled by user' >&2; exit 1",
        ] {
            let (is_installed, asked) = asked_of_pip(false, "others.txt", end);
            assert!(!is_installed, "{end}");
            assert!(
                asked.iter().all(|(call, _)| call.contains("--no-index")),
                "{asked:?}"
            );
        }
    }

    #[test]
    fn a_program_of_an_installation_holds_its_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = File::create(&path).unwrap();
        let shown = Programs { lock: &lock }.run(Command::new("readlink").arg("/proc/self/fd/0"));
        let shown = String::from_utf8(shown.unwrap().stdout).unwrap();
        assert_eq!(Path::new(shown.trim_end()), path.canonicalize().unwrap());
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
