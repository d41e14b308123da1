//! Launches the template, and reads from its outputs where each stage answers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use delivery_render::{RenderedEnvironment, RenderedPipeline, SITE_URL};
use delivery_stack::description::describe;
use local::launch::{Change, Request};

use crate::action_functions::Function;
use crate::error::CliError;
use crate::local_aws::endpoints::Endpoints;
use crate::message::StageUrls;

/// A stack that is complete.
#[derive(Debug)]
pub(crate) struct Launched {
    /// The names of the pipelines, in their order.
    pub(crate) pipelines: Vec<String>,
    /// Where each stage answers.
    pub(crate) urls: BTreeMap<String, StageUrls>,
    /// The addresses of sites that the stack had before and has no more: their buckets stay.
    pub(crate) former_sites: Vec<String>,
    /// What the launch did, for messages.
    pub(crate) verb: &'static str,
}

/// What is launched.
#[derive(Debug)]
pub(crate) struct Stack<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// The folder of the templates.
    pub(crate) templates: &'a Path,
    /// The pipelines that they have.
    pub(crate) pipelines: &'a [RenderedPipeline],
    /// The environments that they have.
    pub(crate) environments: &'a [RenderedEnvironment],
    /// The template's parameters.
    pub(crate) parameters: BTreeMap<String, String>,
    /// The action functions.
    pub(crate) functions: &'a [Function],
    /// Where packages that are made of them are kept.
    pub(crate) packages: PathBuf,
    /// Functions of the user's own.
    pub(crate) custom: Vec<local::launch::CustomFunction>,
    /// The package of the layer with Node.js and npm; without one, they are the machine's.
    pub(crate) node_layer: Option<&'a Path>,
}

/// Launches the stack, or updates it where it is there already.
pub(crate) async fn launch(endpoints: &Endpoints, stack: Stack<'_>) -> Result<Launched, CliError> {
    let name = stack.name;
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| CliError::Launch {
        stack: name.to_owned(),
        source,
    };
    let request = Request {
        endpoint: endpoints.aws.clone(),
        access_key_id: endpoints.access_key_id.clone(),
        region: endpoints.region.clone(),
        stack_name: stack.name.to_owned(),
        templates: stack.templates.to_owned(),
        functions: stack
            .functions
            .iter()
            .map(|function| (function.name.to_owned(), function.path.clone()))
            .collect(),
        packages: Some(stack.packages),
        custom: stack.custom,
        node_layer: stack.node_layer.map(Path::to_owned),
        parameters: stack.parameters.clone(),
    };
    let before = describe(&endpoints.cloudformation(), name).await?;
    let before = before.map(|stack| stack.outputs).unwrap_or_default();
    let launched = local::launch::launch(&request)
        .await
        .map_err(|error| match error {
            // It has a stack of its own.
            local::launch::Error::Function { stack, source } => CliError::Launch { stack, source },
            error => failed(error.into()),
        })?;
    let pipeline = |one: &RenderedPipeline| {
        let name = launched.outputs.get(&one.output).cloned();
        name.ok_or_else(|| failed(format!("the template has no output `{}`", one.output).into()))
    };
    Ok(Launched {
        pipelines: stack
            .pipelines
            .iter()
            .map(pipeline)
            .collect::<Result<_, _>>()?,
        urls: urls(stack.environments, &launched.outputs),
        former_sites: former_sites(before, &launched.outputs),
        verb: match launched.change {
            Change::Created => "launched",
            Change::Updated => "updated",
            _ => "is up to date",
        },
    })
}

fn former_sites(before: BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<String> {
    let before = before.into_iter();
    let gone = before.filter(|(name, _)| name.ends_with(SITE_URL) && !now.contains_key(name));
    gone.map(|(_, url)| url).collect()
}

/// The first site and the first API of each stage.
fn urls(
    environments: &[RenderedEnvironment],
    outputs: &BTreeMap<String, String>,
) -> BTreeMap<String, StageUrls> {
    let first = |names: &[String]| names.iter().find_map(|name| outputs.get(name)).cloned();
    let urls = environments.iter().map(|environment| {
        let urls = StageUrls {
            site: first(&environment.site_urls),
            api: first(&environment.api_urls),
            ..StageUrls::default()
        };
        (environment.stage.clone(), urls)
    });
    urls.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_that_the_stack_has_no_more_is_named() {
        let outputs = |names: &[&str]| -> BTreeMap<String, String> {
            let outputs = names.iter();
            outputs
                .map(|name| ((*name).to_owned(), format!("http://{name}")))
                .collect()
        };
        let before = outputs(&["ProdWebSiteUrl", "ProdHelpSiteUrl", "ProdApiUrl"]);
        let now = outputs(&["ProdHelpSiteUrl"]);
        assert_eq!(former_sites(before, &now), ["http://ProdWebSiteUrl"]);
    }

    #[test]
    fn the_outputs_say_where_each_stage_answers() {
        let outputs = [
            ("TestSiteUrl", "a"),
            ("TestApiUrl", "b"),
            ("ProdSiteUrl", "c"),
            ("ProdApiUrl", "d"),
        ]
        .map(|(name, url)| (name.to_owned(), url.to_owned()));
        let environment = |stage: &str, prefix: &str| RenderedEnvironment {
            name: prefix.to_lowercase(),
            stage: stage.to_owned(),
            rollout: None,
            site_urls: vec![format!("{prefix}SiteUrl")],
            api_urls: vec![format!("{prefix}ApiUrl")],
        };
        let environments = [
            environment("Acceptance", "Test"),
            environment("Production", "Prod"),
        ];
        let urls = urls(&environments, &outputs.into());
        let url = |text: &str| Some(text.to_owned());
        assert_eq!(
            urls["Acceptance"],
            StageUrls {
                site: url("a"),
                api: url("b"),
                ..StageUrls::default()
            }
        );
        assert_eq!(
            urls["Production"],
            StageUrls {
                site: url("c"),
                api: url("d"),
                ..StageUrls::default()
            }
        );
    }
}
