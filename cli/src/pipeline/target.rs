//! The stack that a command is about, and the pipeline in it.

use delivery_stack::description::Description;

use crate::args::Global;
use crate::cloud::Cloud;
use crate::error::{CliError, Explained};
use crate::exit::Exit;
use crate::follow::Pipeline;
use crate::settings::Settings;
use crate::stack::description;

/// The output of the stack that holds the pipeline's name.
const PIPELINE_OUTPUT: &str = "Pipeline";

/// A stack, and how AWS is reached.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) cloud: Cloud,
    pub(super) stack: Description,
}

impl Target {
    /// The stack that the settings name.
    pub(super) async fn find(global: &Global) -> Result<Self, CliError> {
        let settings = Settings::load(global)?;
        let cloud = Cloud::connect(&settings).await?;
        let client = cloud.cloudformation();
        let stack = description::find(&client, &settings.stack_name, cloud.region()).await?;
        Ok(Self { cloud, stack })
    }

    /// The stack's pipeline, once it has one.
    pub(super) fn pipeline(&self) -> Option<Pipeline> {
        let name = self.stack.outputs.get(PIPELINE_OUTPUT)?;
        Some(Pipeline::new(self.cloud.codepipeline(), name))
    }

    /// The stack's pipeline, which has to be there.
    pub(super) fn needed_pipeline(&self) -> Result<Pipeline, CliError> {
        self.pipeline().ok_or_else(|| {
            NoPipeline {
                stack: self.stack.name.clone(),
                status: self.stack.status.clone(),
            }
            .into()
        })
    }
}

/// The stack has no pipeline (yet).
#[derive(Debug, thiserror::Error)]
#[error("the stack `{stack}` ({status}) has no output `{PIPELINE_OUTPUT}` that names its pipeline")]
struct NoPipeline {
    stack: String,
    status: String,
}

impl Explained for NoPipeline {
    fn exit(&self) -> Exit {
        Exit::NotFound
    }

    fn kind(&self) -> &'static str {
        "no-pipeline"
    }

    fn hint(&self) -> Option<String> {
        Some(if self.status.ends_with("_IN_PROGRESS") {
            "wait until it is complete: `delivery wait`".to_owned()
        } else {
            "see what failed with `delivery log --failed`, then launch it again with `delivery up`"
                .to_owned()
        })
    }
}
