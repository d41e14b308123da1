//! Functions of the user's own, which `[functions]` in `delivery.toml` names.

use std::path::PathBuf;

use super::{NAMES, build};
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
    #[error("the project `{}` has no program `{name}`", .path.display())]
    NoProgram { name: String, path: PathBuf },
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
            Self::Missing { name, .. } => {
                format!("correct `path` of `{name}` in `[functions]`; it begins at `delivery.toml`")
            }
            Self::NoProgram { name, .. } => {
                format!("name the package `{name}`, or correct the name in `[functions]`")
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

/// Checks that a function can be launched, before anything is started or built.
pub(crate) fn check(functions: &[CustomFunction]) -> Result<(), CustomFunctionError> {
    for function in functions {
        let name = function.name.clone();
        if NAMES.contains(&name.as_str()) {
            return Err(CustomFunctionError::Taken { name });
        }
        if !function.path.exists() {
            let path = function.path.clone();
            return Err(CustomFunctionError::Missing { name, path });
        }
        if !function.template.is_file() {
            let path = function.template.clone();
            return Err(CustomFunctionError::NoTemplate { name, path });
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
            built.ok_or_else(|| CustomFunctionError::NoProgram {
                name: name.clone(),
                path: path.clone(),
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
        path,
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
    fn what_is_missing_is_named_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let project = function(folder.path().to_owned());
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
