//! How the tests of a Python project are run.

use std::path::Path;

use super::find::joined;

/// Where tests are, from the service's folder.
const FOLDERS: [&str; 3] = ["tests/unit", "tests", "test"];

/// Files whose settings may be those of pytest.
const SETTINGS: [&str; 3] = ["pyproject.toml", "setup.cfg", "tox.ini"];

const PYTEST: &str = "pytest";

/// An environment of the build's own, outside of what is packaged: a distribution's Python refuses packages that pip installs
/// (PEP 668), and an environment that is active is the developer's.
pub(crate) const ENVIRONMENT: &str =
    "venv=$(mktemp -d) && python3 -m venv $venv && . $venv/bin/activate";

/// The tests that nothing runs, and the commands that do.
pub(super) fn tests_to_run(service: &Path, directory: &str) -> Option<String> {
    let tests = FOLDERS
        .iter()
        .find(|tests| !test_files(&service.join(tests)).is_empty())?;
    let commands = commands(service, tests);
    let word = match commands[..] {
        [_] => "a command such as",
        _ => "commands such as",
    };
    let commands: Vec<_> = commands.iter().map(|one| format!("`{one}`")).collect();
    let listed = match commands.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => commands.concat(),
    };
    Some(format!(
        "the tests in `{}` are not run: add {word} {listed} to the service's `build`",
        joined(directory, tests),
    ))
}

/// unittest comes with Python, but passes over the functions that are tests of pytest, and succeeds.
fn commands(service: &Path, tests: &str) -> Vec<String> {
    let requirements = requirements(service, tests);
    if requirements.is_none() && !uses_pytest(service, tests) {
        return vec![format!(
            "python3 -m unittest discover --start-directory {tests}"
        )];
    }
    let packages = match requirements {
        Some(file) => format!("--requirement {file}"),
        None => PYTEST.to_owned(),
    };
    vec![
        ENVIRONMENT.to_owned(),
        format!("python3 -m pip install {packages}"),
        format!("python3 -m {PYTEST} {tests}"),
    ]
}

/// The file that installs pytest: in the folder of the tests, or above it in the service.
fn requirements(service: &Path, tests: &str) -> Option<String> {
    let mut folders = Path::new(tests).ancestors();
    folders.find_map(|folder| {
        let names = names(&service.join(folder));
        let mut files = names
            .into_iter()
            .filter(|name| name.starts_with("requirements") && has_end(name, "txt"))
            .map(|name| folder.join(name));
        let found = files.find(|file| {
            let text = read(&service.join(file));
            text.lines().any(|line| line.trim().starts_with(PYTEST))
        });
        found.map(|file| file.display().to_string())
    })
}

fn uses_pytest(service: &Path, tests: &str) -> bool {
    let has_settings = SETTINGS
        .iter()
        .any(|file| read(&service.join(file)).contains(PYTEST));
    let folder = service.join(tests);
    let mut files = test_files(&folder).into_iter();
    has_settings
        || service.join("pytest.ini").is_file()
        || files.any(|file| is_of_pytest(&read(&folder.join(file))))
}

/// Whether a file has tests that unittest does not find: those are methods of its classes.
fn is_of_pytest(text: &str) -> bool {
    let imports = ["import pytest", "from pytest"];
    let functions = ["def test_", "async def test_"];
    let begins = |beginnings: [&str; 2]| {
        text.lines()
            .any(|line| beginnings.iter().any(|one| line.starts_with(one)))
    };
    begins(imports) || (begins(functions) && !text.contains("unittest"))
}

/// The files of tests that are right in a folder.
fn test_files(folder: &Path) -> Vec<String> {
    let mut names = names(folder);
    names.retain(|name| name.starts_with("test") && has_end(name, "py"));
    names
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

fn has_end(name: &str, end: &str) -> bool {
    Path::new(name).extension().is_some_and(|one| one == end)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(files: &[(&str, &str)]) -> Option<String> {
        let service = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = service.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        tests_to_run(service.path(), "api")
    }

    const FUNCTION: &str = "def test_x():\n    assert False\n";
    const CLASS: &str = "import unittest\n\nclass Slugs(unittest.TestCase):\n    def test_x(self):\n        self.fail()\n";

    #[test]
    fn tests_are_run_by_what_finds_them() {
        let pytest = "commands such as `venv=$(mktemp -d) && python3 -m venv $venv && . $venv/bin/activate`, `python3 -m pip install pytest` and `python3 -m pytest tests`";
        for (files, expected) in [
            (
                vec![("tests/test_a.py", CLASS)],
                "a command such as `python3 -m unittest discover --start-directory tests` to",
            ),
            (vec![("tests/test_a.py", FUNCTION)], pytest),
            (
                vec![("tests/test_a.py", "import pytest\nimport unittest\n")],
                pytest,
            ),
            (vec![("tests/test_a.py", CLASS), ("pytest.ini", "")], pytest),
            (
                vec![
                    ("tests/test_a.py", CLASS),
                    ("pyproject.toml", "[tool.pytest.ini_options]\n"),
                ],
                pytest,
            ),
            (
                vec![
                    ("tests/test_a.py", FUNCTION),
                    ("requirements.txt", "requests\n"),
                    ("requirements-dev.txt", "moto\npytest==8.4.0\n"),
                ],
                "`python3 -m pip install --requirement requirements-dev.txt` and `python3 -m pytest tests`",
            ),
            // As `sam init` makes it.
            (
                vec![
                    ("tests/unit/test_handler.py", "import pytest\n"),
                    ("tests/requirements.txt", "pytest\nboto3\n"),
                ],
                "`python3 -m pip install --requirement tests/requirements.txt` and `python3 -m pytest tests/unit`",
            ),
        ] {
            let told = told(&files).unwrap();
            assert!(told.contains(expected), "{told}");
        }
        assert_eq!(told(&[("src/app.py", "")]), None);
    }
}
