//! The pipelines of a stack, by its outputs: one, or several where `delivery.toml` has `[pipelines]`. Pure.

use delivery_stack::description::Description;

use crate::error::Explained;
use crate::exit::Exit;
use crate::pipeline::listed;

/// The output with the name of the only pipeline.
const PIPELINE_OUTPUT: &str = "Pipeline";

/// The output with the names of several, in the order in which they deliver.
const PIPELINES_OUTPUT: &str = "Pipelines";

/// The names of all, in the order in which they deliver; none while the stack has no outputs.
pub(crate) fn names(stack: &Description) -> Vec<String> {
    let outputs = &stack.outputs;
    match (outputs.get(PIPELINES_OUTPUT), outputs.get(PIPELINE_OUTPUT)) {
        (Some(names), _) => names.split(',').map(ToOwned::to_owned).collect(),
        (None, Some(name)) => vec![name.clone()],
        (None, None) => Vec::new(),
    }
}

/// What the outputs with the pipelines that apply releases begin and end with; the name of the environment, or of the
/// family, is in between.
const APPLY_OUTPUT: (&str, &str) = ("Apply", "Pipeline");

/// The output with the pipeline that applies releases to an environment or a family.
pub(crate) fn apply_output(name: &str) -> String {
    let (first, rest) = name.split_at(name.len().min(1));
    let first = first.to_ascii_uppercase();
    format!("{}{first}{rest}{}", APPLY_OUTPUT.0, APPLY_OUTPUT.1)
}

/// The environments and families with a pipeline that applies releases to them, each with the pipeline's name.
pub(crate) fn applying(stack: &Description) -> impl Iterator<Item = (String, &str)> {
    let delivering = names(stack);
    stack.outputs.iter().filter_map(move |(output, pipeline)| {
        let (before, after) = APPLY_OUTPUT;
        let name = output.strip_prefix(before)?.strip_suffix(after)?;
        // One that delivers may have such a name.
        let is_name = !name.is_empty() && !delivering.contains(pipeline);
        is_name.then(|| (name.to_ascii_lowercase(), pipeline.as_str()))
    })
}

/// The names of those that are meant: the one that is given, else all. There is at least one.
pub(crate) fn meant(
    stack: &Description,
    given: Option<&str>,
) -> Result<Vec<String>, PipelineError> {
    let mut names = names(stack);
    if names.is_empty() {
        return Err(PipelineError::None {
            stack: stack.name.clone(),
            status: stack.status.clone(),
        });
    }
    let Some(given) = given else {
        return Ok(names);
    };
    names.extend(applying(stack).map(|(_, pipeline)| pipeline.to_owned()));
    let known = names
        .iter()
        .map(|name| short(&stack.name, name).to_owned())
        .collect();
    names.retain(|name| name == given || short(&stack.name, name) == given);
    if names.is_empty() {
        return Err(PipelineError::Unknown {
            given: given.to_owned(),
            known,
        });
    }
    Ok(names)
}

/// A pipeline's name as `delivery.toml` has it: without the stack's.
pub(crate) fn short<'a>(stack: &str, name: &'a str) -> &'a str {
    let rest = name.strip_prefix(stack);
    rest.and_then(|rest| rest.strip_prefix('-')).unwrap_or(name)
}

/// What was found in one of several pipelines for what a command is about.
pub(crate) struct Attempt<T, E> {
    /// The pipeline's name.
    pub(crate) pipeline: String,
    /// What fits there, or why nothing does.
    pub(crate) found: Result<T, E>,
}

/// What fits, where it does in one pipeline only. `is_ambiguous`: several things of one pipeline fit.
pub(crate) fn only<T, E: Explained + 'static>(
    stack: &Description,
    attempts: Vec<Attempt<T, E>>,
    is_ambiguous: impl Fn(&E) -> bool,
) -> Result<T, crate::error::CliError> {
    let fits = |one: &Attempt<T, E>| match &one.found {
        Ok(_) => true,
        Err(error) => is_ambiguous(error),
    };
    let fitting = attempts.iter().filter(|one| fits(one));
    let pipelines: Vec<_> = fitting
        .map(|one| short(&stack.name, &one.pipeline).to_owned())
        .collect();
    if pipelines.len() > 1 {
        return Err(PipelineError::Several { pipelines }.into());
    }
    // Where nothing fits, the pipeline in which something is wrong says more than one in which nothing is there.
    let rank = |one: &Attempt<T, E>| match &one.found {
        _ if fits(one) => 0,
        Err(error) if error.exit() != Exit::NotFound => 1,
        _ => 2,
    };
    let best = attempts.into_iter().min_by_key(rank);
    let best = best.ok_or_else(|| PipelineError::None {
        stack: stack.name.clone(),
        status: stack.status.clone(),
    })?;
    Ok(best.found?)
}

/// Fails where there are several pipelines, for a command that cannot find out which is meant.
pub(crate) fn the_only(stack: &Description, names: &[String]) -> Result<(), PipelineError> {
    if names.len() < 2 {
        return Ok(());
    }
    let pipelines = names.iter().map(|name| short(&stack.name, name).to_owned());
    Err(PipelineError::Several {
        pipelines: pipelines.collect(),
    })
}

/// No pipeline, or no single one, is meant.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PipelineError {
    /// The stack has none (yet).
    #[error(
        "the stack `{stack}` ({status}) has no output `{PIPELINE_OUTPUT}` that names its pipeline"
    )]
    None {
        /// The stack's name.
        stack: String,
        /// CloudFormation's word for its status.
        status: String,
    },
    /// There is none of this name.
    #[error("the stack has no pipeline `{given}`; it has {}", listed(.known))]
    Unknown {
        /// What was given.
        given: String,
        /// What there is.
        known: Vec<String>,
    },
    /// More than one fits.
    #[error("more than one pipeline can be meant: {}", listed(.pipelines))]
    Several {
        /// Their names.
        pipelines: Vec<String>,
    },
}

impl Explained for PipelineError {
    fn exit(&self) -> Exit {
        match self {
            Self::None { .. } | Self::Unknown { .. } => Exit::NotFound,
            Self::Several { .. } => Exit::Usage,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::None { .. } => "no-pipeline",
            Self::Unknown { .. } => "not-found",
            Self::Several { .. } => "usage",
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::None { status, .. } if status.ends_with("_IN_PROGRESS") => {
                "wait until it is complete: `delivery wait`"
            }
            Self::None { .. } => {
                "see what failed with `delivery log --failed`, then launch it again with `delivery up`"
            }
            Self::Unknown { .. } => "give one of these names",
            Self::Several { .. } => "name one: `--pipeline NAME`",
        };
        Some(hint.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::error::CliError;

    fn stack(outputs: &[(&str, &str)]) -> Description {
        let outputs = outputs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Description {
            name: "shop".to_owned(),
            status: "CREATE_COMPLETE".to_owned(),
            outputs: outputs.collect(),
            id: String::new(),
            reason: None,
            description: None,
            tags: BTreeMap::new(),
            parameters: BTreeMap::new(),
            role: None,
            protected: false,
            created: None,
            updated: None,
        }
    }

    fn several() -> Description {
        stack(&[
            ("AppPipeline", "shop-app"),
            ("InfraPipeline", "shop-infra"),
            ("Pipelines", "shop-infra,shop-app"),
        ])
    }

    #[test]
    fn pipelines_are_in_the_order_in_which_they_deliver() {
        assert_eq!(names(&several()), ["shop-infra", "shop-app"]);
        assert_eq!(names(&stack(&[("Pipeline", "shop")])), ["shop"]);
        assert_eq!(meant(&several(), Some("app")).unwrap(), ["shop-app"]);
        assert_eq!(meant(&several(), Some("shop-app")).unwrap(), ["shop-app"]);
        let unknown = meant(&several(), Some("ap")).unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "the stack has no pipeline `ap`; it has infra and app"
        );
        let none = meant(&stack(&[]), None).unwrap_err();
        assert_eq!(none.exit(), Exit::NotFound);
    }

    #[test]
    fn a_pipeline_that_applies_releases_is_meant_only_by_its_name() {
        let stack = stack(&[
            ("Pipeline", "shop"),
            ("ApplyPrdPipeline", "shop-apply-prd"),
            ("ApplyPipeline", "shop-apply"),
        ]);
        let found: Vec<_> = applying(&stack).collect();
        assert_eq!(found, [("prd".to_owned(), "shop-apply-prd")]);
        assert_eq!(apply_output("prd"), "ApplyPrdPipeline");
        assert_eq!(meant(&stack, None).unwrap(), ["shop"]);
        assert_eq!(
            meant(&stack, Some("apply-prd")).unwrap(),
            ["shop-apply-prd"]
        );
    }

    /// How many things fit in each pipeline.
    fn chosen(fitting: [usize; 2]) -> Result<usize, CliError> {
        let attempts = names(&several()).into_iter().zip(fitting);
        let attempts = attempts.map(|(pipeline, count)| Attempt {
            pipeline,
            found: match count {
                1 => Ok(1),
                0 => Err(PipelineError::Unknown {
                    given: "x".to_owned(),
                    known: Vec::new(),
                }),
                _ => Err(PipelineError::Several {
                    pipelines: Vec::new(),
                }),
            },
        });
        only(&several(), attempts.collect(), |error| {
            matches!(error, PipelineError::Several { .. })
        })
    }

    #[test]
    fn what_fits_in_one_pipeline_only_is_meant() {
        assert_eq!(chosen([0, 1]).unwrap(), 1);
        assert_eq!(chosen([0, 0]).unwrap_err().exit(), Exit::NotFound);
        assert_eq!(chosen([0, 2]).unwrap_err().exit(), Exit::Usage);
        let message = "more than one pipeline can be meant: infra and app";
        assert!(chosen([1, 1]).unwrap_err().message().starts_with(message));
        assert!(chosen([1, 2]).unwrap_err().message().starts_with(message));
    }
}
