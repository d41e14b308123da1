//! `delivery new-action`: a folder with an action of one's own.
//!
//! What it writes is `examples/custom-action` under another name, so that the two cannot differ.

mod sdk;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use crate::action_functions;
use crate::args::Global;
use crate::args::new_action::NewAction;
use crate::checkout;
use crate::error::{CliError, Explained};
use crate::exit::Exit;
use crate::installation::{self, RELEASE};
use crate::output::answer::{self, CommandAnswer};

/// The example's own name, which stands in its files as a package, a type and a library.
const EXAMPLE: &str = "notify-webhook";

/// Longest name: a function's, of which a stack's resources append a part (`API_CreateFunction`: 64).
const MAX_NAME_CHARS: usize = 40;

macro_rules! example {
    ($($path:literal),* $(,)?) => {
        [$(($path, include_str!(concat!("../../examples/custom-action/", $path)))),*]
    };
}

/// The example's files.
const FILES: [(&str, &str); 10] = example![
    ".gitignore",
    "Cargo.toml",
    "README.md",
    "delivery.toml",
    "src/error.rs",
    "src/lib.rs",
    "src/main.rs",
    "src/webhook.rs",
    "template.yaml",
    "tests/jobs.rs",
];

/// The settings of cargo for the folder.
const CARGO_SETTINGS: &str = ".cargo/config.toml";

/// Where cargo finds the crates while they are not on crates.io.
const CRATES: [&str; 3] = ["action", "archive", "testing"];

/// The folder that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Written {
    /// The action's name.
    name: String,
    /// The folder.
    folder: PathBuf,
    /// Its files, as paths in it.
    files: Vec<String>,
}

impl CommandAnswer for Written {
    const TYPE: &'static str = "new-action";

    fn text(&self) -> String {
        let folder = self.folder.display();
        let files = self.files.iter().map(|file| format!("{folder}/{file}\n"));
        files.collect::<String>() + &format!("next: cd {folder} && cargo test\n")
    }
}

/// Why no folder was written.
#[derive(Debug, thiserror::Error)]
enum NewActionError {
    #[error("`{name}` cannot be the name of an action")]
    Name { name: String },
    #[error("`{name}` cannot be the name of an action: it is one word")]
    OneWord { name: String },
    #[error("`{name}` is a crate that the action itself depends on")]
    Dependency { name: String },
    #[error("`{}` is a file; `--into` takes a folder", .path.display())]
    IntoFile { path: PathBuf },
    #[error("`{name}` is an action of Serverless Delivery itself")]
    Taken { name: String },
    #[error("`{}` already exists", .path.display())]
    Exists { path: PathBuf },
    #[error("the crates that an action is built on did not come with this program")]
    NoCrates { folder: PathBuf },
}

impl Explained for NewActionError {
    fn exit(&self) -> Exit {
        match self {
            Self::NoCrates { .. } => Exit::Failed,
            _ => Exit::Usage,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Name { .. }
            | Self::OneWord { .. }
            | Self::Dependency { .. }
            | Self::Taken { .. } => "name",
            Self::IntoFile { .. } => "usage",
            Self::Exists { .. } => "conflict",
            Self::NoCrates { .. } => "functions",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Name { .. } => format!(
                "write at least two words joined by `-`, of lower-case letters and digits, the first beginning with \
                 a letter, {MAX_NAME_CHARS} characters at most, such as `notify-chat`"
            ),
            Self::OneWord { name } => format!(
                "add a word, such as `{name}-release`: one alone may be a crate or a word of Rust's"
            ),
            Self::Dependency { .. } | Self::Taken { .. } => {
                "choose another name, such as `notify-chat`".to_owned()
            }
            Self::IntoFile { .. } => {
                "name a folder, which is created if it does not exist: `--into DIR`".to_owned()
            }
            Self::Exists { .. } => {
                "choose another name, or another folder: `--into DIR`".to_owned()
            }
            Self::NoCrates { folder } => format!(
                "unpack the archive of {RELEASE} into `{}` (`tar -xzf ARCHIVE --strip-components 1 -C FOLDER`)",
                folder.display()
            ),
        })
    }
}

/// The command.
pub(crate) fn new_action(global: &Global, arguments: &NewAction) -> Result<Exit, CliError> {
    let name = &arguments.name;
    check(name)?;
    // A folder that does not exist is created, unless a file is in its way.
    let into = &arguments.into;
    if let Some(file) = into.ancestors().find(|part| part.is_file()) {
        let path = file.to_owned();
        return Err(NewActionError::IntoFile { path }.into());
    }
    let folder = into.join(name);
    if folder.exists() {
        return Err(NewActionError::Exists { path: folder }.into());
    }
    let mut files: Vec<(&str, String)> = FILES
        .iter()
        .map(|(path, text)| (*path, renamed(text, name)))
        .collect();
    let sdk = if let Some(checkout) = checkout::find() {
        files.push((CARGO_SETTINGS, crates_in(&checkout)));
        None
    } else {
        let folder = installation::to_fill();
        let sdk = installation::sdk().ok_or(NewActionError::NoCrates { folder })?;
        files.push((CARGO_SETTINGS, sdk::settings()));
        Some(sdk)
    };
    for (path, text) in &files {
        write(&folder.join(path), text)?;
    }
    let mut written: Vec<String> = files.iter().map(|(path, _)| (*path).to_owned()).collect();
    if let Some(sdk) = sdk {
        written.extend(sdk::copy(&sdk, &folder)?);
    }
    let written = Written {
        name: name.clone(),
        folder,
        files: written,
    };
    answer::print(global.json, &written);
    Ok(Exit::Success)
}

fn check(name: &str) -> Result<(), NewActionError> {
    let is_word = |word: &str| {
        let mut letters = word.chars();
        !word.is_empty() && letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    let begins_well = name.starts_with(|c: char| c.is_ascii_lowercase());
    let fits = begins_well && name.len() <= MAX_NAME_CHARS && name.split('-').all(is_word);
    let name = name.to_owned();
    if action_functions::NAMES.contains(&name.as_str()) {
        Err(NewActionError::Taken { name })
    } else if !fits {
        Err(NewActionError::Name { name })
    } else if dependencies().contains(&name) {
        Err(NewActionError::Dependency { name })
    } else if !name.contains('-') {
        // One word alone may be a word of Rust's, or a crate's (`test`, `http`).
        Err(NewActionError::OneWord { name })
    } else {
        Ok(())
    }
}

/// The packages that the example depends on: cargo takes no other one of the same name.
fn dependencies() -> BTreeSet<String> {
    let manifest = FILES.iter().find(|(path, _)| *path == "Cargo.toml");
    let manifest: toml::Table = manifest
        .and_then(|(_, text)| toml::from_str(text).ok())
        .unwrap_or_default();
    ["dependencies", "dev-dependencies"]
        .iter()
        .filter_map(|section| manifest.get(*section)?.as_table())
        .flat_map(|table| table.keys().cloned())
        .collect()
}

/// The text with another name than the example's, in each way that it is written.
fn renamed(text: &str, name: &str) -> String {
    text.replace(EXAMPLE, name)
        .replace(&EXAMPLE.replace('-', "_"), &name.replace('-', "_"))
        .replace(&type_name(EXAMPLE), &type_name(name))
}

/// `notify-chat` as `NotifyChat`.
fn type_name(name: &str) -> String {
    name.split('-')
        .filter_map(|word| Some((word.get(..1)?, word.get(1..)?)))
        .flat_map(|(first, rest)| [first.to_uppercase(), rest.to_owned()])
        .collect()
}

/// The settings of cargo that let the folder build against the checkout of this program.
fn crates_in(checkout: &Path) -> String {
    let shared = checkout.join("shared");
    settings(|name| shared.join(name).display().to_string())
}

/// The settings of cargo that take the crates from where they are.
fn settings(place: impl Fn(&str) -> String) -> String {
    let lines = CRATES.map(|name| {
        let path = serde_json::Value::from(place(name));
        format!("delivery-{name} = {{ path = {path} }}\n")
    });
    format!(
        "# Where the crates of Serverless Delivery are, as long as they are not on crates.io.\n[patch.crates-io]\n{}",
        lines.concat()
    )
}

fn write(path: &Path, text: &str) -> Result<(), CliError> {
    let failed = |source| CliError::File {
        verb: "write",
        path: path.to_owned(),
        source,
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(path, text).map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    #[test]
    fn every_file_of_the_example_is_written() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/custom-action");
        let mut found = Vec::new();
        for part in ["", "src", "tests"] {
            for entry in std::fs::read_dir(folder.join(part)).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() && !path.ends_with("Cargo.lock") {
                    let path = path.strip_prefix(&folder).unwrap();
                    found.push(path.to_str().unwrap().to_owned());
                }
            }
        }
        found.sort();
        assert_eq!(found, FILES.map(|(path, _)| path.to_owned()));
    }

    #[test]
    fn the_name_is_written_in_three_ways() {
        let text = "notify-webhook, notify_webhook::NotifyWebhookError, a webhook";
        assert_eq!(
            renamed(text, "post-to-chat"),
            "post-to-chat, post_to_chat::PostToChatError, a webhook"
        );
    }

    #[test]
    fn a_file_is_no_place_for_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("afile");
        std::fs::write(&file, "").unwrap();
        for into in [file.clone(), file.join("below")] {
            let cli = Cli::parse_from(
                ["delivery", "new-action", "foo-bay", "--into"]
                    .map(OsString::from)
                    .into_iter()
                    .chain([into.into()]),
            );
            let Command::NewAction(arguments) = &cli.command else {
                panic!("not `new-action`")
            };
            let error = new_action(&cli.global, arguments).unwrap_err();
            assert_eq!(error.exit(), Exit::Usage);
            let expected = format!("`{}` is a file; `--into` takes a folder", file.display());
            assert!(
                error.message().starts_with(&expected),
                "{}",
                error.message()
            );
        }
    }

    #[test]
    fn names_that_cargo_or_lambda_would_refuse_are_refused() {
        for name in [
            "",
            "Notify-Chat",
            "notify--chat",
            "-chat",
            "a/b-c",
            "a-".repeat(40).as_str(),
        ] {
            let error = check(name).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("`{name}` cannot be the name of an action")
            );
        }
        assert!(matches!(
            check("deploy-app"),
            Err(NewActionError::Taken { .. })
        ));
        for one_word in ["chat", "test"] {
            let error = check(one_word).unwrap_err();
            assert!(matches!(error, NewActionError::OneWord { .. }), "{error}");
        }
        for dependency in [
            "delivery-action",
            "delivery-testing",
            "hyper-rustls",
            "serde",
        ] {
            let error = check(dependency).unwrap_err();
            assert!(
                matches!(error, NewActionError::Dependency { .. }),
                "{error}"
            );
        }
        for fine in ["notify-chat2", "foo-1", "deploy-app-2"] {
            check(fine).unwrap();
        }
    }
}
