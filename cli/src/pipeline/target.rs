//! The stack that a command is about, and the pipelines in it.

use delivery_stack::description::Description;

use crate::args::Global;
use crate::cloud::Cloud;
use crate::error::{CliError, Explained};
use crate::follow::Pipeline;
use crate::settings::Settings;
use crate::stack::description;
use crate::stack::pipelines::{self, Attempt};

/// A stack, and how AWS is reached.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) cloud: Cloud,
    pub(crate) stack: Description,
}

impl Target {
    /// The stack that the settings name.
    pub(crate) async fn find(global: &Global) -> Result<Self, CliError> {
        Self::of(&Settings::load(global)?).await
    }

    /// The same.
    pub(crate) async fn of(settings: &Settings) -> Result<Self, CliError> {
        let cloud = Cloud::connect(settings).await?;
        let client = cloud.cloudformation();
        let stack = description::find(&client, &settings.stack_name, cloud.region()).await?;
        Ok(Self { cloud, stack })
    }

    /// The stack's pipelines in the order in which they deliver, once it has them.
    pub(crate) fn pipelines(&self) -> Vec<Pipeline> {
        self.of_names(&pipelines::names(&self.stack))
    }

    /// Its pipelines that apply releases.
    pub(crate) fn applying(&self) -> Vec<Pipeline> {
        let names = pipelines::applying(&self.stack);
        let names: Vec<_> = names.map(|(_, pipeline)| pipeline.to_owned()).collect();
        self.of_names(&names)
    }

    /// The pipeline of that name, else all of them; at least one.
    pub(crate) fn meant(&self, given: Option<&str>) -> Result<Vec<Pipeline>, CliError> {
        Ok(self.of_names(&pipelines::meant(&self.stack, given)?))
    }

    /// The pipeline of that name, else the only one.
    pub(crate) fn the_only(&self, given: Option<&str>) -> Result<Pipeline, CliError> {
        let names = pipelines::meant(&self.stack, given)?;
        pipelines::the_only(&self.stack, &names)?;
        Ok(Pipeline::new(self.cloud.codepipeline(), &names[0]))
    }

    /// What fits, where it does in one pipeline only.
    pub(crate) fn only<T, E: Explained + 'static>(
        &self,
        attempts: Vec<Attempt<T, E>>,
        is_ambiguous: impl Fn(&E) -> bool,
    ) -> Result<T, CliError> {
        pipelines::only(&self.stack, attempts, is_ambiguous)
    }

    /// A pipeline's name as `delivery.toml` has it.
    pub(crate) fn short<'a>(&self, pipeline: &'a Pipeline) -> &'a str {
        pipelines::short(&self.stack.name, pipeline.name())
    }

    /// The option that names a pipeline in a further command, where there are several.
    pub(crate) fn choice(&self, pipeline: &Pipeline) -> String {
        let names = pipelines::names(&self.stack);
        if names.len() < 2 && names.iter().any(|name| name == pipeline.name()) {
            return String::new();
        }
        format!(" --pipeline {}", self.short(pipeline))
    }

    fn of_names(&self, names: &[String]) -> Vec<Pipeline> {
        let names = names.iter();
        names
            .map(|name| Pipeline::new(self.cloud.codepipeline(), name))
            .collect()
    }
}
