//! The pipelines that apply a release to an environment: which there are, and how one is started.

use aws_sdk_codepipeline::types::PipelineVariable;
use delivery_definition::names::EnvironmentName;

use super::choose::Release;
use crate::error::{CliError, Explained};
use crate::exit::Exit;
use crate::follow::Pipeline;
use crate::pipeline::start::{is_commit, overriding};
use crate::pipeline::target::Target;
use crate::stack::pipelines::apply_output;

/// The value of a variable for nothing: a pipeline's variable cannot be empty (`API_PipelineVariable`, `value`).
const NONE: &str = "-";

/// The most characters of a reason, as it is encoded. A variable may have 1,000 (`API_PipelineVariable`), but so may all
/// parameters of an action together that it is put into (`API_ActionDeclaration`, `configuration`).
const MAX_REASON_CHARS: usize = 200;

/// The same of who deploys: names of users and sessions have at most 64 characters (IAM, "IAM and AWS STS quotas").
const MAX_NAME_CHARS: usize = 64;

/// Why a release is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ApplyKind {
    /// It is deployed.
    Deploy,
    /// It comes from another environment.
    Promote,
    /// It was there before.
    Rollback,
}

impl ApplyKind {
    fn word(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Promote => "promote",
            Self::Rollback => "rollback",
        }
    }
}

/// What a pipeline is started with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Application<'a> {
    pub(crate) release: &'a Release,
    pub(crate) environment: &'a EnvironmentName,
    pub(crate) kind: ApplyKind,
    /// The environment that it comes from.
    pub(crate) from: Option<&'a EnvironmentName>,
    /// On whose behalf.
    pub(crate) by: &'a str,
    pub(crate) reason: Option<&'a str>,
    /// Whether it need not be verified.
    pub(crate) unverified: bool,
}

/// The pipeline that applies releases to an environment.
pub(crate) fn pipeline(
    target: &Target,
    environment: &EnvironmentName,
) -> Result<Pipeline, NoApplyPipeline> {
    let output = apply_output(environment.family().unwrap_or(environment.as_str()));
    match target.stack.outputs.get(&output) {
        Some(pipeline) => Ok(Pipeline::new(target.cloud.codepipeline(), pipeline)),
        None => Err(NoApplyPipeline {
            environment: environment.to_string(),
            family: environment.family().map(str::to_owned),
            output,
        }),
    }
}

/// Starts the pipeline, with the source of the release: its tests are those of that commit.
pub(crate) async fn start(
    pipeline: &Pipeline,
    application: Application<'_>,
) -> Result<String, CliError> {
    let commit = application.release.commit();
    let revisions = if is_commit(commit) {
        Some(vec![overriding(pipeline, commit).await?])
    } else {
        None // A plain folder has no commits.
    };
    pipeline
        .start_with(revisions, Some(variables(application)))
        .await
}

fn variables(application: Application<'_>) -> Vec<PipelineVariable> {
    let Application {
        release,
        environment,
        kind,
        from,
        by,
        reason,
        unverified,
    } = application;
    let mut variables = vec![
        ("release", release.id.to_string()),
        ("kind", kind.word().to_owned()),
        ("from", from.map_or(NONE.to_owned(), ToString::to_string)),
        ("by", encoded(Some(by), MAX_NAME_CHARS)),
        ("reason", encoded(reason, MAX_REASON_CHARS)),
        (
            "unverified",
            if unverified { "yes" } else { "no" }.to_owned(),
        ),
    ];
    if let Some(member) = environment.member() {
        variables.push(("name", member.to_owned()));
    }
    let variables = variables.into_iter().map(|(name, value)| {
        let variable = PipelineVariable::builder().name(name).value(value);
        variable.build().expect("name and value are set")
    });
    variables.collect()
}

/// A text as it can stand in the parameters of an action, which are a query string: percent-encoded, and cut.
fn encoded(text: Option<&str>, limit: usize) -> String {
    let text = text.unwrap_or_default().trim();
    if text == NONE {
        return "%2D".to_owned();
    }
    let mut encoded = String::new();
    for character in text.chars() {
        let mut buffer = [0; 4];
        let bytes = character.encode_utf8(&mut buffer).as_bytes();
        // Not every reader of a query string takes `+` for a space.
        let piece: String = form_urlencoded::byte_serialize(bytes).collect();
        let piece = piece.replace('+', "%20");
        if encoded.len() + piece.len() > limit {
            break;
        }
        encoded.push_str(&piece);
    }
    if encoded.is_empty() {
        NONE.to_owned()
    } else {
        encoded
    }
}

/// The stack has no pipeline that applies releases there.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no pipeline applies releases to `{environment}`: the stack has no output `{output}`")]
pub(crate) struct NoApplyPipeline {
    environment: String,
    family: Option<String>,
    output: String,
}

impl Explained for NoApplyPipeline {
    fn exit(&self) -> Exit {
        Exit::NotFound
    }

    fn kind(&self) -> &'static str {
        "no-pipeline"
    }

    fn hint(&self) -> Option<String> {
        Some(match &self.family {
            Some(family) => format!(
                "give `[environments.{family}]` in `delivery.toml` a `ttl`, and launch the stack again with `delivery up`"
            ),
            None => format!(
                "add `{}` to `[environments]` in `delivery.toml`, and launch the stack again with `delivery up`",
                self.environment
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test_case(None, "-"; "nothing")]
    #[test_case(Some("  "), "-"; "spaces")]
    #[test_case(Some("-"), "%2D"; "what stands for nothing")]
    #[test_case(Some("Übel & 1+1=2"), "%C3%9Cbel%20%26%201%2B1%3D2"; "what a query string takes apart")]
    fn a_text_is_one_value_of_a_query_string(text: Option<&str>, expected: &str) {
        assert_eq!(encoded(text, MAX_REASON_CHARS), expected);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let long = "ä".repeat(100);
        let cut = encoded(Some(&long), MAX_REASON_CHARS);
        assert_eq!(cut, "%C3%A4".repeat(MAX_REASON_CHARS / 6));
    }
}
