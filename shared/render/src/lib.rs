#![doc = include_str!("../README.md")]

mod commit;
mod deploy;
mod limits;
mod part;
mod paths;
mod pipeline;
mod plan;
mod publish;
mod query;
mod release;
mod rollout;
mod template;
mod values;

use std::collections::BTreeMap;

use delivery_definition::{Definition, Detected, Mistakes};

use part::Part;
use plan::Plan;

/// What services and environments are rendered to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendering {
    /// The templates by file name; `delivery.yaml` is the one that is launched. It also launches `actions.yaml`, which is
    /// the same for every application.
    pub templates: BTreeMap<String, String>,
    /// The pipelines in the order in which they deliver; there is at least one.
    pub pipelines: Vec<RenderedPipeline>,
    /// The pipelines that apply releases, in the order of the environments.
    pub applying: Vec<ApplyPipeline>,
    /// The environments in the order of their stages.
    pub environments: Vec<RenderedEnvironment>,
    /// The services whose dependencies npm-install installs.
    pub projects: Vec<NodeProject>,
}

/// A pipeline, as the stack has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedPipeline {
    /// Its name in the file; none where it is the only one, with all services.
    pub name: Option<String>,
    /// The stack's output with its name.
    pub output: String,
    /// The patterns of the paths whose change starts it; every change does where there are none.
    pub paths: Vec<String>,
}

/// A pipeline that applies releases to an environment, or to those of a family: it promotes and rolls back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplyPipeline {
    /// The environment, or the family.
    pub environment: String,
    /// Its name behind that of the stack: `apply-int`.
    pub name: String,
    /// The stack's output with its name.
    pub output: String,
}

/// A service with `package.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeProject {
    /// Its folder, from the root of the repository.
    pub directory: String,
    /// The tasks that are run in it.
    pub tasks: Vec<String>,
}

/// An environment, as the pipeline and the stack have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedEnvironment {
    /// Its name.
    pub name: String,
    /// The stage that deploys to it.
    pub stage: String,
    /// How traffic moves to a new version there, for people; none where the file says nothing about it.
    pub rollout: Option<String>,
    /// The stack's outputs with the addresses of sites, in the order of the services.
    pub site_urls: Vec<String>,
    /// The stack's outputs with the addresses of APIs of apps, in the order of the services.
    pub api_urls: Vec<String>,
}

/// What is rendered.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What the file defines.
    pub definition: &'a Definition,
    /// The application's name, where the file has none.
    pub application: &'a str,
    /// What each service is deployed as, by its name.
    pub kinds: &'a BTreeMap<String, Detected>,
    /// Whether the template of a repository that is one stack, without a file, takes the environment's name as its
    /// parameter `Environment`: without the file deploy-stack does not know the name.
    pub takes_environment: bool,
    /// What messages call the file.
    pub file: &'a str,
}

/// The template of a site in an environment that no pipeline deploys to. Its outputs are [`SITE_BUCKET`] and [`SITE_URL`].
#[must_use]
pub fn site(service: &str, environment: &str) -> String {
    template::site(service, environment)
}

/// The output of [`site`]'s template with the name of the bucket.
pub const SITE_BUCKET: &str = "Site";

/// The output of [`site`]'s template with the site's address, which `delivery.toml` calls `Url`.
pub const SITE_URL: &str = "SiteUrl";

/// The output of the pipeline's stack with the address of a service's site in an environment. The service has no name where
/// the repository is one service.
#[must_use]
pub fn site_output(service: &str, environment: &str) -> String {
    format!(
        "{}{}{SITE_URL}",
        plan::camel_case(service),
        plan::camel_case(environment)
    )
}

/// Renders the templates.
///
/// # Errors
///
/// All that cannot be a pipeline, with the lines.
///
/// # Panics
///
/// If `kinds` lacks a service.
pub fn render(request: &Request<'_>) -> Result<Rendering, Mistakes> {
    let mut mistakes = Vec::new();
    let plan = Plan::of(request, &mut mistakes);
    let parts = Part::all(&plan, &mut mistakes);
    rollout::report_without_app(&plan, &mut mistakes);
    limits::check(&plan, &parts, &mut mistakes);
    if let Some(mistakes) = Mistakes::new(request.file, mistakes) {
        return Err(mistakes);
    }
    let environments = plan.environments.iter();
    Ok(Rendering {
        templates: template::render(&plan, &parts),
        pipelines: parts.iter().filter_map(Part::rendered).collect(),
        applying: parts
            .iter()
            .filter_map(Part::rendered_as_applying)
            .collect(),
        environments: environments
            .map(|environment| environment.rendered(&plan))
            .collect(),
        projects: commit::projects(&plan),
    })
}
