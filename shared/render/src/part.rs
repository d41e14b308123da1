//! The pipelines: one with all services, or several with some of them each.

use delivery_definition::Mistake;

use crate::RenderedPipeline;
use crate::paths;
use crate::pipeline::Pipeline;
use crate::plan::{Plan, camel_case};

/// A pipeline, and what of the plan it delivers.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    /// Its name in the file; none where one pipeline has all services.
    pub(crate) name: Option<&'a str>,
    /// The line of its name.
    pub(crate) line: usize,
    /// What its names in templates begin with: `Infra`.
    pub(crate) id: String,
    pub(crate) plan: Plan<'a>,
    pub(crate) pipeline: Pipeline,
    /// The resources of the pipelines whose services its own need.
    pub(crate) after: Vec<String>,
    /// The patterns of the paths whose change starts it; all where there is none.
    pub(crate) paths: Vec<String>,
}

impl<'a> Part<'a> {
    /// All pipelines, in the order in which they deliver.
    pub(crate) fn all(plan: &Plan<'a>, mistakes: &mut Vec<Mistake>) -> Vec<Self> {
        let several = plan.request.definition.pipelines();
        if several.is_empty() {
            return vec![Self {
                name: None,
                line: 1,
                id: String::new(),
                plan: plan.clone(),
                pipeline: Pipeline::of(plan, mistakes),
                after: Vec::new(),
                paths: Vec::new(),
            }];
        }
        let parts = several.into_iter().map(|one| {
            let services: Vec<_> = one
                .services
                .iter()
                .map(|service| service.name.as_str())
                .collect();
            let plan = plan.with_services(&services);
            Self {
                name: Some(one.name),
                line: one.line,
                id: camel_case(one.name),
                pipeline: Pipeline::of(&plan, mistakes),
                after: one
                    .needs
                    .iter()
                    .map(|name| resource(&camel_case(name)))
                    .collect(),
                paths: paths::of(&one.services),
                plan,
            }
        });
        parts.collect()
    }

    /// The resource of its template.
    pub(crate) fn resource(&self) -> String {
        match self.name {
            Some(_) => resource(&self.id),
            None => "Delivery".to_owned(),
        }
    }

    /// The output with its name.
    pub(crate) fn output(&self) -> String {
        format!("{}Pipeline", self.id)
    }

    /// The file of its template.
    pub(crate) fn file(&self) -> String {
        match self.name {
            Some(name) => format!("pipeline-{name}.yaml"),
            None => "pipeline.yaml".to_owned(),
        }
    }

    pub(crate) fn rendered(&self) -> RenderedPipeline {
        RenderedPipeline {
            name: self.name.map(ToOwned::to_owned),
            output: self.output(),
            paths: self.paths.clone(),
        }
    }
}

fn resource(id: &str) -> String {
    format!("{id}Pipeline")
}
