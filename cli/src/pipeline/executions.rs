//! Which execution a person means: the beginning of an id is enough, as `delivery status` shows it.

use aws_sdk_codepipeline::types::PipelineExecutionSummary;

use crate::error::{CliError, Explained};
use crate::exit::Exit;
use crate::follow::Pipeline;
use crate::stack::pipelines::Attempt;

use super::target::Target;
use super::{listed, read};

/// The characters of a whole id.
const ID_CHARS: usize = 36;

/// The execution that is meant.
pub(super) async fn resolve(pipeline: &Pipeline, given: &str) -> Result<String, CliError> {
    if given.len() == ID_CHARS {
        return Ok(given.to_owned());
    }
    let known = read::executions(pipeline).await?;
    Ok(choose(given, &ids(&known))?)
}

/// The execution that is meant, with its pipeline. In one of several pipelines it has to be.
pub(crate) async fn find(
    target: &Target,
    mut pipelines: Vec<Pipeline>,
    given: &str,
) -> Result<(Pipeline, String), CliError> {
    if pipelines.len() == 1 {
        let pipeline = pipelines.remove(0);
        let execution = resolve(&pipeline, given).await?;
        return Ok((pipeline, execution));
    }
    let mut attempts = Vec::new();
    for pipeline in pipelines {
        let found = if given.len() == ID_CHARS {
            let execution = read::find(&pipeline, given).await?;
            execution
                .map(|_| given.to_owned())
                .ok_or_else(|| Unresolved::Unknown {
                    given: given.to_owned(),
                })
        } else {
            choose(given, &ids(&read::executions(&pipeline).await?))
        };
        attempts.push(Attempt {
            pipeline: pipeline.name().to_owned(),
            found: found.map(|execution| (pipeline, execution)),
        });
    }
    target.only(attempts, |error| {
        matches!(error, Unresolved::Several { .. })
    })
}

fn ids(executions: &[PipelineExecutionSummary]) -> Vec<&str> {
    let ids = executions.iter();
    ids.filter_map(PipelineExecutionSummary::pipeline_execution_id)
        .collect()
}

fn choose(given: &str, known: &[&str]) -> Result<String, Unresolved> {
    let meant: Vec<String> = known
        .iter()
        .filter(|id| !given.is_empty() && id.starts_with(given))
        .map(|id| (*id).to_owned())
        .collect();
    match meant.as_slice() {
        [id] => Ok(id.clone()),
        [] => Err(Unresolved::Unknown {
            given: given.to_owned(),
        }),
        _ => Err(Unresolved::Several {
            given: given.to_owned(),
            meant,
        }),
    }
}

/// No execution, or no single one, is meant.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unresolved {
    /// None begins so.
    #[error("no recent execution of the pipeline has an id that begins with `{given}`")]
    Unknown {
        /// What was given.
        given: String,
    },
    /// More than one begins so.
    #[error("`{given}` is ambiguous: {}", listed(.meant))]
    Several {
        /// What was given.
        given: String,
        /// The ids that begin so.
        meant: Vec<String>,
    },
}

impl Explained for Unresolved {
    fn exit(&self) -> Exit {
        match self {
            Self::Unknown { .. } => Exit::NotFound,
            Self::Several { .. } => Exit::Usage,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "not-found",
            Self::Several { .. } => "usage",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unknown { .. } => {
                "give the whole id; `delivery status` shows the executions in the pipeline"
                    .to_owned()
            }
            Self::Several { .. } => "give more characters of the id".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_an_id_is_enough_where_it_is_of_one_only() {
        let known = ["3f2a-1", "3f2b-2", "9c00-3"];
        assert_eq!(choose("9c", &known).unwrap(), "9c00-3");
        assert_eq!(choose("3f2", &known).unwrap_err().exit(), Exit::Usage);
        assert_eq!(choose("aa", &known).unwrap_err().exit(), Exit::NotFound);
        assert_eq!(choose("", &known).unwrap_err().exit(), Exit::NotFound);
    }
}
