//! The script of a shell that runs all commands, and what it leaves behind for the engine.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Most bytes of the environment that is read after the commands: Linux gives a new process 2 MiB for arguments and
/// variables by default (`execve(2)`), so no `env` can print more than a few of them.
const MAX_ENVIRONMENT_BYTES: u64 = 8 * 1024 * 1024;

/// The files between the script and the engine.
pub(super) struct Script {
    folder: PathBuf,
}

impl Script {
    /// The files in a folder that the commands do not work in.
    pub(super) fn in_folder(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.join("script")
    }

    fn current(&self) -> PathBuf {
        self.folder.join("command")
    }

    fn environment(&self) -> PathBuf {
        self.folder.join("environment")
    }

    /// Writes a script that runs the commands in one shell, as CodeBuild does (`version: 0.2`): a changed folder and
    /// exported variables stay for the next command, and the first one whose last exit status is not 0 ends it.
    ///
    /// A command is a text for `eval`, so that an unclosed quote or `if` cannot reach the command after it.
    pub(super) fn write(&self, commands: &[String], env: &Path) -> std::io::Result<()> {
        let (current, environment) = (quoted(&self.current()), quoted(&self.environment()));
        let mut script = String::new();
        for (index, command) in commands.iter().enumerate() {
            let shown = quote(&format!("[Container] Running command {command}"));
            let command = quote(command);
            let _infallible = writeln!(
                script,
                "printf %s {index} >|{current}\nprintf '%s\\n' {shown}\neval {command}\n\
                 DELIVERY_EXIT_STATUS=$?\n\
                 [ \"$DELIVERY_EXIT_STATUS\" -eq 0 ] || exit \"$DELIVERY_EXIT_STATUS\""
            );
        }
        let _infallible = writeln!(script, "{} -0 >|{environment}", quoted(env));
        fs::write(self.path(), script)
    }

    /// The command that ran last.
    pub(super) fn last_command<'c>(&self, commands: &'c [String]) -> Option<&'c str> {
        let index = read(&self.current(), 20)?;
        let index: usize = std::str::from_utf8(&index).ok()?.parse().ok()?;
        commands.get(index).map(String::as_str)
    }

    /// The exported variables after the last command; `None` where the shell ended before it.
    pub(super) fn exported(&self) -> Option<BTreeMap<String, String>> {
        let all = read(&self.environment(), MAX_ENVIRONMENT_BYTES)?;
        let variables = all.split(|byte| *byte == 0).filter_map(|variable| {
            let text = String::from_utf8_lossy(variable);
            let (name, value) = text.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        });
        Some(variables.collect())
    }
}

/// A file that the commands may have replaced, by a pipe that nobody writes to, too.
fn read(path: &Path, limit: u64) -> Option<Vec<u8>> {
    let is_file = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file());
    let file = is_file.then(|| fs::File::open(path).ok()).flatten()?;
    let mut content = Vec::new();
    file.take(limit).read_to_end(&mut content).ok()?;
    Some(content)
}

fn quoted(path: &Path) -> String {
    quote(&path.to_string_lossy())
}

/// A text as one word of a shell.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
