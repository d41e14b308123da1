//! What `delivery init` would write, and how it is shown before.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::build::MissingScript;
use super::find::{Found, joined};
use super::{file, script, starter};
use crate::error::CliError;
use crate::settings::FILE_NAME;

/// What is written, and why.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) found: Found,
    files: Vec<PlannedFile>,
}

#[derive(Debug)]
struct PlannedFile {
    path: String,
    text: String,
    /// What is shown of it, where that is not all.
    part: Option<String>,
}

impl Plan {
    /// Plans the file, the scripts that it names, and in an empty folder a first service.
    pub(super) fn new(
        folder: &Path,
        mut found: Found,
        application: &str,
        environments: &[String],
        is_empty: bool,
    ) -> Self {
        let mut files = vec![PlannedFile {
            path: FILE_NAME.to_owned(),
            text: file::text(application, &found.services, environments),
            part: None,
        }];
        if is_empty {
            let new = starter::FILES
                .iter()
                .filter(|(path, _)| !folder.join(path).exists());
            files.extend(new.map(|(path, text)| PlannedFile {
                path: (*path).to_owned(),
                text: (*text).to_owned(),
                part: None,
            }));
        }
        for missing in &found.scripts {
            match planned_script(folder, missing) {
                Some(file) => files.push(file),
                None => found.missing.push(format!(
                    "`{}` needs the script `{}`: {}",
                    joined(&missing.directory, "package.json"),
                    MissingScript::NAME,
                    missing.by_npm()
                )),
            }
        }
        Self { found, files }
    }

    /// The text of `delivery.toml`.
    pub(super) fn definition(&self) -> &str {
        self.files
            .first()
            .map(|file| file.text.as_str())
            .unwrap_or_default()
    }

    /// The question before it is written.
    pub(super) fn question(&self) -> String {
        match &self.files[..] {
            [only] => format!("Write {}?", only.path),
            files => format!("Write these {} files?", files.len()),
        }
    }

    /// What a person has to do, and the files.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for one in &self.found.missing {
            let _infallible = writeln!(text, "to do: {one}");
        }
        for file in &self.files {
            let shown = file.part.as_ref().unwrap_or(&file.text);
            let what = if file.part.is_some() {
                "with one script more"
            } else {
                "new"
            };
            let _infallible = writeln!(text, "\n--- {} ({what})\n{}", file.path, shown.trim_end());
        }
        text.push('\n');
        text
    }

    /// Writes the files; `delivery.toml` last, since with it nothing is written again.
    pub(super) fn write(&self, folder: &Path) -> Result<Vec<PathBuf>, CliError> {
        for file in self.files.iter().rev() {
            let path = folder.join(&file.path);
            write(&path, file).map_err(|source| CliError::File {
                verb: "write",
                path,
                source,
            })?;
        }
        Ok(self
            .files
            .iter()
            .map(|file| folder.join(&file.path))
            .collect())
    }
}

fn write(path: &Path, file: &PlannedFile) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    let options = options.write(true);
    // What was not there a moment ago is not overwritten now.
    let mut open = match file.part {
        None => options.create_new(true).open(path)?,
        Some(_) => options.truncate(true).open(path)?,
    };
    std::io::Write::write_all(&mut open, file.text.as_bytes())
}

fn planned_script(folder: &Path, missing: &MissingScript) -> Option<PlannedFile> {
    let path = joined(&missing.directory, "package.json");
    let text = std::fs::read_to_string(folder.join(&path)).ok()?;
    let changed = script::with_script(&text, MissingScript::NAME, &missing.command)?;
    let name = serde_json::Value::from(MissingScript::NAME);
    let command = serde_json::Value::from(missing.command.as_str());
    Some(PlannedFile {
        path,
        text: changed,
        part: Some(format!(
            "  \"scripts\": {{\n    {name}: {command},\n    ..."
        )),
    })
}
