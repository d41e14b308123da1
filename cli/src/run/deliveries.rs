//! The pipelines that a run delivers through, in their order.

use std::path::Path;

use aws_sdk_codepipeline::primitives::DateTime;
use delivery_action::glob::Glob;
use delivery_render::RenderedPipeline;

use crate::error::CliError;
use crate::follow::{Clients, Explainer, Location, Pipeline};
use crate::local_aws::environment::Environment;
use crate::message::StageShape;

/// Why an execution was stopped that began with its pipeline's creation.
const HELD_BACK: &str = "`delivery run` starts this pipeline after the ones before it";

/// A pipeline, and what a run needs to know of it.
pub(super) struct Delivery {
    /// Its name in `delivery.toml`, where there are several.
    pub(super) name: Option<String>,
    pub(super) explainer: Explainer,
    pub(super) stages: Vec<StageShape>,
    /// The execution that its creation began.
    pub(super) begun: Option<String>,
    /// The paths whose change it delivers; all where there are none.
    paths: Vec<Glob>,
}

impl Delivery {
    /// Whether it delivers a change of these paths; `None` where they are not known.
    pub(super) fn concerns(&self, changed: Option<&[String]>) -> bool {
        let Some(changed) = changed else { return true };
        self.paths.is_empty()
            || changed
                .iter()
                .any(|path| self.paths.iter().any(|pattern| pattern.is_match(path)))
    }
}

/// The pipelines. One that was created after this time began to deliver at once; those that have to wait for others are
/// stopped.
pub(super) async fn of(
    launched: Vec<(&RenderedPipeline, Pipeline)>,
    launched_at: DateTime,
    environment: &Environment,
    stack_name: &str,
    checkout: &Path,
) -> Result<Vec<Delivery>, CliError> {
    let mut deliveries: Vec<Delivery> = Vec::new();
    for (rendered, pipeline) in launched {
        // Of a pipeline that was there before, such an execution delivers an older commit.
        let mut begun = pipeline.begun_by_creation(launched_at).await?;
        if !deliveries.is_empty()
            && let Some(execution) = begun.take()
        {
            pipeline.abandon(&execution, HELD_BACK).await?;
        }
        let shape = pipeline.shape().await?;
        let paths = rendered.paths.iter();
        deliveries.push(Delivery {
            name: rendered.name.clone(),
            stages: shape.stages.clone(),
            explainer: explainer(pipeline, shape, environment, stack_name, checkout),
            begun,
            // A pattern that cannot be read here may match there: the pipeline starts too often rather than not.
            paths: paths
                .map(|pattern| Glob::new(pattern))
                .collect::<Result<_, _>>()
                .unwrap_or_default(),
        });
    }
    Ok(deliveries)
}

fn explainer(
    pipeline: Pipeline,
    shape: crate::follow::Shape,
    environment: &Environment,
    stack_name: &str,
    checkout: &Path,
) -> Explainer {
    let endpoints = environment.endpoints();
    let clients = Clients {
        lambda: endpoints.lambda(),
        logs: endpoints.logs(),
        cloudformation: endpoints.cloudformation(),
    };
    let location = Location::Local {
        delivery: format!("{} --stack-name {stack_name}", endpoints.delivery()),
        stays: environment.stays(),
    };
    Explainer::new(pipeline, shape, clients, location, checkout.to_owned())
}
