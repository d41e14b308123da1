//! Where services answer: the outputs of their stacks that are addresses.

use std::collections::BTreeMap;

use delivery_render::RenderedEnvironment;

use crate::follow::outcome::Progress;
use crate::local_aws::environment::Environment;
use crate::message::{RunMessage, StageUrls};
use crate::output::Reporter;
use crate::pipeline::environments::{EnvironmentStack, is_address, stacks};
use crate::settings::Settings;
use crate::templates::Templates;

/// Adds those of an application's stacks, as far as they are there. A delivery does not fail where they cannot be read.
pub(super) async fn add(
    environment: &Environment,
    settings: &Settings,
    templates: &Templates,
    progress: &mut Progress,
) {
    let client = environment.endpoints().cloudformation();
    if let Ok(stacks) = stacks(&client, settings, &settings.application()).await {
        add_outputs(stacks, &templates.environments, &mut progress.urls);
    }
}

/// Adds them, and says where all that is known so far answers.
pub(super) async fn report(
    environment: &Environment,
    settings: &Settings,
    templates: &Templates,
    reporter: &Reporter,
    progress: &mut Progress,
) {
    add(environment, settings, templates, progress).await;
    let urls = progress.urls.clone();
    reporter.report(RunMessage::Addresses { urls });
}

fn add_outputs(
    stacks: Vec<EnvironmentStack>,
    environments: &[RenderedEnvironment],
    urls: &mut BTreeMap<String, StageUrls>,
) {
    for one in stacks {
        let mut stages = environments.iter();
        let Some(stage) = stages.find(|stage| stage.name == one.environment) else {
            continue; // a developer's environment is not of the pipeline
        };
        let mut outputs = one.stack.outputs;
        outputs.retain(|_, value| is_address(value));
        if !outputs.is_empty() {
            let urls = urls.entry(stage.stage.clone()).or_default();
            urls.services.insert(one.service, outputs);
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudformation::types::{Output, Stack};
    use delivery_stack::description::Description;

    use super::*;

    #[test]
    fn outputs_that_are_addresses_are_those_of_the_stage() {
        let output = |key: &str, value: &str| {
            let output = Output::builder().output_key(key).output_value(value);
            output.build()
        };
        let stack = |environment: &str| EnvironmentStack {
            environment: environment.to_owned(),
            service: "orders".to_owned(),
            stack: Description::from(
                Stack::builder()
                    .outputs(output("Table", "shop-table"))
                    .outputs(output("Url", "https://api/prod"))
                    .build(),
            ),
        };
        let prod = RenderedEnvironment {
            name: "prod".to_owned(),
            stage: "Production".to_owned(),
            rollout: None,
            site_urls: Vec::new(),
            api_urls: Vec::new(),
        };
        let mut urls = BTreeMap::new();
        add_outputs(vec![stack("prod"), stack("dev-anna")], &[prod], &mut urls);
        let named: Vec<_> = urls["Production"].named().collect();
        assert_eq!(named, [("orders Url".to_owned(), "https://api/prod")]);
        assert_eq!(urls.len(), 1);
    }
}
