//! Functions of the user's own, which `[functions]` in `delivery.toml` names.

use std::path::{Component, Path, PathBuf};

use delivery_stack::template::nearest;

use super::{NAMES, build, program};
use crate::args::stack::Architecture;
use crate::error::{CliError, Explained};
use crate::exit::Exit;
use crate::settings::CustomFunction;

/// Why a function of the user's own cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CustomFunctionError {
    #[error(
        "`[functions]` in `delivery.toml` has `{name}`, an action of Serverless Delivery itself"
    )]
    Taken { name: String },
    #[error("the function `{name}` is not at `{}`", .path.display())]
    Missing { name: String, path: PathBuf },
    #[error("the function `{name}`: `{}` is not a cargo project, a program or a package", .path.display())]
    NotAProject { name: String, path: PathBuf },
    #[error("the program `{}` of the function `{name}` cannot be started here: {why}", .path.display())]
    NotAProgram {
        name: String,
        path: PathBuf,
        why: String,
    },
    #[error("the project `{}` has no program `{name}`{}", .path.display(), has(.programs))]
    NoProgram {
        name: String,
        path: PathBuf,
        programs: Vec<String>,
    },
    #[error("the function `{name}` has no template at `{}`", .path.display())]
    NoTemplate { name: String, path: PathBuf },
    #[error("the function `{name}` is not packaged: there is no `{}`", .path.display())]
    NotPackaged { name: String, path: PathBuf },
}

impl Explained for CustomFunctionError {
    fn exit(&self) -> Exit {
        match self {
            Self::Taken { .. } => Exit::Usage,
            _ => Exit::NotFound,
        }
    }

    fn kind(&self) -> &'static str {
        "functions"
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Taken { .. } => "give the function another name".to_owned(),
            Self::Missing { name, .. } | Self::NotAProject { name, .. } => {
                format!("correct `path` of `{name}` in `[functions]`; it begins at `delivery.toml`")
            }
            Self::NotAProgram { name, .. } => {
                let machine = Architecture::of_this_machine().name();
                format!(
                    "let `path` of `{name}` in `[functions]` lead to an executable file that is built for this machine \
                     ({machine}), or to its cargo project"
                )
            }
            Self::NoProgram { name, programs, .. } => {
                match nearest(name, programs.iter().map(String::as_str)) {
                    Some(meant) => {
                        format!("did you mean `{meant}`? correct the name in `[functions]`")
                    }
                    None => {
                        format!("name the package `{name}`, or correct the name in `[functions]`")
                    }
                }
            }
            Self::NoTemplate { name, .. } => {
                format!("add it, or name another: `template` of `{name}` in `[functions]`")
            }
            Self::NotPackaged { name, .. } => format!(
                "build it in its project, `cargo lambda build --release --arm64 --output-format zip`, or let `path` \
                 of `{name}` lead to its package"
            ),
        })
    }
}

fn has(programs: &[String]) -> String {
    if programs.is_empty() {
        return "; it has none".to_owned();
    }
    let names: Vec<String> = programs.iter().map(|name| format!("`{name}`")).collect();
    format!("; it has {}", names.join(", "))
}

/// The path as it is shown: `a/../b` as `b`. Links are not followed, so it is not for opening.
fn shown(path: &Path) -> PathBuf {
    let mut shown = PathBuf::new();
    for part in path.components() {
        let is_below = matches!(shown.components().next_back(), Some(Component::Normal(_)));
        match part {
            Component::CurDir => {}
            Component::ParentDir if is_below => {
                shown.pop();
            }
            _ => shown.push(part),
        }
    }
    shown
}

/// Checks that a function can be launched, before anything is started or built.
pub(crate) fn check(functions: &[CustomFunction]) -> Result<(), CustomFunctionError> {
    for function in functions {
        let name = function.name.clone();
        if NAMES.contains(&name.as_str()) {
            return Err(CustomFunctionError::Taken { name });
        }
        if !function.path.exists() {
            let path = shown(&function.path);
            return Err(CustomFunctionError::Missing { name, path });
        }
        let is_project = function.path.join("Cargo.toml").is_file();
        if function.path.is_dir() && !is_project && package(function).is_err() {
            let path = shown(&function.path);
            return Err(CustomFunctionError::NotAProject { name, path });
        }
        if !function.template.is_file() {
            let path = shown(&function.template);
            return Err(CustomFunctionError::NoTemplate { name, path });
        }
    }
    Ok(())
}

/// Checks also that the programs that are not built from a project can be started here.
pub(crate) fn check_here(functions: &[CustomFunction]) -> Result<(), CustomFunctionError> {
    check(functions)?;
    let is_package = |path: &Path| path.extension().is_some_and(|end| end == "zip");
    let programs = functions
        .iter()
        .filter(|one| one.path.is_file() && !is_package(&one.path));
    for function in programs {
        let architecture = Architecture::of_this_machine().name();
        if let Some(why) = program::refusal(&function.path, architecture) {
            return Err(CustomFunctionError::NotAProgram {
                name: function.name.clone(),
                path: shown(&function.path),
                why,
            });
        }
    }
    Ok(())
}

/// The functions as they are launched on this machine; those that are projects are built.
pub(crate) async fn programs(
    functions: &[CustomFunction],
    quiet: bool,
) -> Result<Vec<local::launch::CustomFunction>, CliError> {
    let mut programs = Vec::new();
    for function in functions {
        let (name, path) = (&function.name, &function.path);
        let program = if path.is_dir() {
            let built = build::build_project(path, name, quiet).await?;
            built
                .find(name)
                .ok_or_else(|| CustomFunctionError::NoProgram {
                    name: name.clone(),
                    path: shown(path),
                    programs: built.names(),
                })?
        } else {
            path.clone()
        };
        programs.push(local::launch::CustomFunction {
            name: name.clone(),
            program,
            template: function.template.clone(),
            parameters: function.parameters.clone(),
        });
    }
    Ok(programs)
}

/// The function's package for AWS: what `path` names, or what cargo-lambda made of the project.
pub(crate) fn package(function: &CustomFunction) -> Result<PathBuf, CustomFunctionError> {
    let path = if function.path.is_dir() {
        let built = function.path.join("target/lambda").join(&function.name);
        built.join("bootstrap.zip")
    } else {
        function.path.clone()
    };
    let is_package = path.extension().is_some_and(|end| end == "zip") && path.is_file();
    if is_package {
        return Ok(path);
    }
    Err(CustomFunctionError::NotPackaged {
        name: function.name.clone(),
        path: shown(&path),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(path: PathBuf) -> CustomFunction {
        CustomFunction {
            name: "notify-chat".to_owned(),
            template: path.join("template.yaml"),
            path,
            parameters: std::collections::BTreeMap::new(),
        }
    }

    #[test]
    fn a_project_without_the_program_says_which_it_has() {
        let error = |programs: &[&str]| CustomFunctionError::NoProgram {
            name: "size-buget".to_owned(),
            path: shown(Path::new("/app/greeter/.././size-budget")),
            programs: programs.iter().map(|name| (*name).to_owned()).collect(),
        };
        let mistyped = error(&["size-budget", "other"]);
        assert_eq!(
            mistyped.to_string(),
            "the project `/app/size-budget` has no program `size-buget`; it has `size-budget`, `other`"
        );
        assert!(
            mistyped.hint().unwrap().contains("`size-budget`"),
            "{mistyped}"
        );
        assert!(error(&[]).to_string().ends_with("; it has none"));
        assert_eq!(shown(Path::new("../../a/..")), Path::new("../.."));
    }

    #[test]
    fn a_file_that_is_no_program_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        std::fs::write(&path, "text").unwrap();
        let at = |path| CustomFunction {
            template: folder.path().join("template.yaml"),
            ..function(path)
        };
        std::fs::write(folder.path().join("template.yaml"), "").unwrap();
        let error = check_here(&[at(path)]).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("it is neither a program nor a script"),
            "{error}"
        );
        assert!(
            error.hint().unwrap().contains("in `[functions]`"),
            "{error}"
        );
        let package = folder.path().join("notify-chat.zip");
        std::fs::write(&package, "zip").unwrap();
        check_here(&[at(package)]).unwrap();
    }

    #[test]
    fn what_is_missing_is_named_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let project = function(folder.path().to_owned());
        let error = check(std::slice::from_ref(&project)).unwrap_err();
        assert!(
            matches!(error, CustomFunctionError::NotAProject { .. }),
            "{error}"
        );
        std::fs::write(folder.path().join("Cargo.toml"), "").unwrap();
        let error = check(std::slice::from_ref(&project)).unwrap_err();
        assert!(
            matches!(error, CustomFunctionError::NoTemplate { .. }),
            "{error}"
        );
        std::fs::write(&project.template, "").unwrap();
        check(std::slice::from_ref(&project)).unwrap();

        let error = package(&project).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("target/lambda/notify-chat/bootstrap.zip`"),
            "{error}"
        );
        assert!(
            error.hint().unwrap().contains("cargo lambda build"),
            "{error}"
        );

        let error = check(&[function(folder.path().join("elsewhere"))]).unwrap_err();
        assert!(
            matches!(error, CustomFunctionError::Missing { .. }),
            "{error}"
        );
        let taken = CustomFunction {
            name: "e2e".to_owned(),
            ..project
        };
        assert!(matches!(
            check(&[taken]),
            Err(CustomFunctionError::Taken { .. })
        ));
    }
}
