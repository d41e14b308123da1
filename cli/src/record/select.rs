//! Which run a command means.

use std::path::PathBuf;

use super::folder::{RunFolder, RunsFolder};
use super::run::RunRecord;
use crate::error::{CliError, Explained};
use crate::exit::Exit;

/// Why there is no run to show.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoRun {
    /// Nothing was recorded here.
    #[error("no run is recorded for `{}`", .directory.display())]
    None { directory: PathBuf },
    /// None is called so.
    #[error("no run and no commit of a run begins with `{run}`")]
    Unknown { run: String },
    /// Several are.
    #[error("`{run}` is the beginning of {count} runs")]
    Ambiguous { run: String, count: usize },
}

impl Explained for NoRun {
    fn exit(&self) -> Exit {
        match self {
            Self::None { .. } | Self::Unknown { .. } => Exit::NotFound,
            Self::Ambiguous { .. } => Exit::Usage,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::None { .. } | Self::Unknown { .. } => "not-found",
            Self::Ambiguous { .. } => "usage",
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::None { .. } => {
                "`delivery run` records one; with `-C DIR` runs are looked for in another application's directory"
            }
            Self::Unknown { .. } | Self::Ambiguous { .. } => "`delivery history` lists the runs",
        };
        Some(hint.to_owned())
    }
}

/// The runs of the application in the current directory.
pub(crate) fn runs() -> Result<Vec<RunFolder>, CliError> {
    let directory = std::env::current_dir().map_err(|source| CliError::Directory {
        path: ".".into(),
        source,
    })?;
    let runs = RunsFolder::nearest(&directory);
    let runs = runs.map(|runs| runs.all()).unwrap_or_default();
    if runs.is_empty() {
        return Err(NoRun::None { directory }.into());
    }
    Ok(runs)
}

/// What is recorded of a run.
pub(crate) fn read(run: &RunFolder) -> Result<RunRecord, CliError> {
    run.read().map_err(|source| CliError::File {
        verb: "read",
        path: run.page(),
        source,
    })
}

/// The run that is meant: by its id, else the newest of a commit, else the newest.
pub(crate) fn select(named: Option<&str>) -> Result<(RunFolder, RunRecord), CliError> {
    let mut runs = runs()?;
    let Some(named) = named else {
        let newest = runs.swap_remove(0);
        let record = read(&newest)?;
        return Ok((newest, record));
    };
    let by_id: Vec<_> = runs
        .iter()
        .filter(|run| run.id().starts_with(named))
        .collect();
    match by_id.as_slice() {
        [run] => return Ok(((*run).clone(), read(run)?)),
        [] => {}
        several => {
            return Err(NoRun::Ambiguous {
                run: named.to_owned(),
                count: several.len(),
            }
            .into());
        }
    }
    for run in runs {
        let record = read(&run)?;
        if record.has_revision(named) {
            return Ok((run, record));
        }
    }
    Err(NoRun::Unknown {
        run: named.to_owned(),
    }
    .into())
}
