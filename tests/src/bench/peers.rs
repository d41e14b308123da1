//! The programs that this project is compared with: where they are, and which versions.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program, and how it is asked for its version.
const KNOWN: [(&str, &[&str]); 12] = [
    ("7zz", &[]),
    ("aws", &["--version"]),
    ("bsdtar", &["--version"]),
    ("node", &["--version"]),
    ("npm", &["--version"]),
    ("rclone", &["version"]),
    ("ripunzip", &["--version"]),
    ("s5cmd", &["version"]),
    ("sam", &["--version"]),
    ("serverless", &["--version"]),
    ("unzip", &["-v"]),
    ("zip", &["-v"]),
];

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peers {
    /// Path and version by name.
    pub found: BTreeMap<String, (PathBuf, String)>,
    /// What could not be had.
    pub missing: Vec<String>,
}

impl Peers {
    /// Looks first in a folder, then where programs usually are.
    #[must_use]
    pub fn find(folder: &Path) -> Self {
        let mut peers = Self::default();
        for (name, arguments) in KNOWN {
            let candidates = std::iter::once(folder.to_owned()).chain(usual_folders());
            let path = candidates
                .map(|folder| folder.join(name))
                .find(|path| path.is_file());
            let version = path.as_deref().and_then(|path| version(path, arguments));
            match (path, version) {
                (Some(path), Some(version)) => {
                    peers.found.insert(name.to_owned(), (path, version));
                }
                _ => peers.missing.push(name.to_owned()),
            }
        }
        peers
    }

    /// Where a program is.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.found.get(name).map(|(path, _)| path.clone())
    }
}

fn usual_folders() -> Vec<PathBuf> {
    let path = delivery_action::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).collect()
}

/// The first line with a digit that the program prints.
fn version(path: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new(path).args(arguments).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let line = text
        .lines()
        .find(|line| line.contains(|c: char| c.is_ascii_digit()) && !line.contains("Copyright"));
    line.or(text.lines().next())
        .map(|line| line.trim().to_owned())
}

impl fmt::Display for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| program | version |\n|---|---|")?;
        for (name, (_, version)) in &self.found {
            writeln!(f, "| {name} | {version} |")?;
        }
        for name in &self.missing {
            writeln!(
                f,
                "| {name} | could not be had on this machine: not compared |"
            )?;
        }
        Ok(())
    }
}
