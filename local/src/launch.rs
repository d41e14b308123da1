//! Launches the very template that a user launches on AWS, in the local AWS.
//!
//! What CloudFormation gets is a copy of the template that knows where it runs ([`adapt`]). The rest is
//! as on AWS: packages and nested templates go into a bucket, and a change set creates the stack or
//! updates it.

pub mod adapt;
mod clients;
mod packages;
mod stack;
pub mod template;
mod upload;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use serde_json::Value;

use clients::Clients;
pub use clients::{ACCESS_KEY_ID, SECRET_ACCESS_KEY};
pub use stack::Change;

/// The template that a user launches.
const ROOT_TEMPLATE: &str = "delivery.yaml";

/// The connection that stands for the local source; the engine's own source provider reads no
/// connection.
const CONNECTION: &str = "arn:aws:codeconnections:us-east-1:000000000000:connection/00000000-0000-0000-0000-000000000000";

/// What is launched, and where.
#[derive(Clone, Debug)]
pub struct Request {
    /// The endpoint of the local AWS ([`crate::gateway::Gateway::endpoint`]).
    pub endpoint: String,
    /// The endpoint of the CodePipeline engine.
    pub codepipeline: String,
    /// The region of both.
    pub region: String,
    /// The stack's name.
    pub stack_name: String,
    /// The folder of the templates, `delivery.yaml` first.
    pub templates: PathBuf,
    /// The built binary of each action function, by the function's name (`npm-install`).
    pub functions: BTreeMap<String, PathBuf>,
    /// Parameters of the template; what only AWS needs (the connection) has a default.
    pub parameters: BTreeMap<String, String>,
}

/// A stack that is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// Its name.
    pub stack_name: String,
    /// What it took.
    pub change: Change,
    /// Its outputs; addresses in it are local ones.
    pub outputs: BTreeMap<String, String>,
}

/// Why a stack is not complete.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of ours.
    #[error("cannot read `{path}`; check that it is there and readable")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A template of ours.
    #[error("cannot launch the template `{path}`")]
    Template {
        /// Which.
        path: PathBuf,
        /// Why.
        source: template::Error,
    },
    /// A package cannot be made.
    #[error(
        "cannot make the package of the function `{function}` from `{path}`; check that the binary was built"
    )]
    Package {
        /// Which.
        function: String,
        /// Of what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The gateway does not do what it is asked to.
    #[error("the local AWS at `{endpoint}` refused `{call}`: {answer}")]
    Gateway {
        /// Where.
        endpoint: String,
        /// What was asked.
        call: String,
        /// Its answer.
        answer: String,
    },
    /// A call of an AWS API failed.
    #[error("`{operation}` failed: {message}")]
    Aws {
        /// Which.
        operation: &'static str,
        /// Its code and message.
        message: String,
    },
    /// CloudFormation refuses the change.
    #[error("CloudFormation refuses the change of the stack `{stack}`: {reason}")]
    Refused {
        /// Which stack.
        stack: String,
        /// Its reason.
        reason: String,
    },
    /// A resource failed.
    #[error("the stack `{stack}` is {status}: the resource `{resource}` failed: {reason}")]
    Failed {
        /// Which stack.
        stack: String,
        /// Its status.
        status: String,
        /// The resource that failed first.
        resource: String,
        /// Why.
        reason: String,
    },
    /// It takes too long.
    #[error(
        "the stack `{stack}` is still {status} after {seconds} seconds; look into MiniStack's log"
    )]
    Slow {
        /// Which stack.
        stack: String,
        /// Its status.
        status: String,
        /// How long it was waited for.
        seconds: u64,
    },
}

/// Launches the stack, or updates it where it is there already.
///
/// # Errors
///
/// When a template or package cannot be read, or the stack does not become complete: the error names the
/// resource that failed first.
pub async fn launch(request: &Request) -> Result<Launch, Error> {
    let clients = Clients::new(&request.endpoint, &request.region);
    let templates = read_templates(request)?;
    let sites = open_sites(&clients, &request.stack_name, &templates).await?;
    let locally = adapt::Locally {
        endpoint: &request.endpoint,
        codepipeline: &request.codepipeline,
        sites: &sites,
    };
    let copies: BTreeMap<&String, Value> = templates
        .iter()
        .map(|(name, template)| (name, adapt::adapt(template, &locally)))
        .collect();

    let uploaded = upload::upload(&clients, request, &copies).await?;
    let parameters = parameters(request, &uploaded);
    let root = adapt::adapt(&templates[ROOT_TEMPLATE], &locally).to_string();
    let change = stack::change(&clients, &request.stack_name, &root, &parameters).await?;
    let outputs = stack::outputs(&clients, &request.stack_name).await?;
    connect_sites(&clients, &request.stack_name, &templates).await?;
    Ok(Launch {
        stack_name: request.stack_name.clone(),
        change,
        outputs,
    })
}

/// All templates of the folder by their file names.
fn read_templates(request: &Request) -> Result<BTreeMap<String, Value>, Error> {
    let file = |path: &std::path::Path| {
        let path = path.to_path_buf();
        move |source| Error::File { path, source }
    };
    let folder = &request.templates;
    let mut templates = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(file(folder))? {
        let path = entry.map_err(file(folder))?.path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).map_err(file(&path))?;
        let template = template::parse(&text).map_err(|source| Error::Template {
            path: path.clone(),
            source,
        })?;
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        templates.insert(name, template);
    }
    if !templates.contains_key(ROOT_TEMPLATE) {
        let path = folder.join(ROOT_TEMPLATE);
        return Err(Error::File {
            path,
            source: io::ErrorKind::NotFound.into(),
        });
    }
    Ok(templates)
}

/// The parameters of the root template: the caller's, and what is the same in every local launch.
fn parameters(request: &Request, uploaded: &upload::Uploaded) -> BTreeMap<String, String> {
    let architecture = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "x86_64"
    };
    let mut parameters: BTreeMap<String, String> = [
        ("ConnectionArn", CONNECTION),
        ("FullRepositoryId", "local/application"),
        ("Architecture", architecture),
        ("CodeBucket", &uploaded.bucket),
        ("ActionsPrefix", &uploaded.actions_prefix),
        ("TemplatesPrefix", &uploaded.templates_prefix),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    parameters.extend(request.parameters.clone());
    parameters
}

/// What the gateway calls a site.
fn site_name(stack: &str, bucket: &str) -> String {
    format!("{stack}.{bucket}")
}

/// The addresses of all sites, by their bucket's logical id.
async fn open_sites(
    clients: &Clients,
    stack: &str,
    templates: &BTreeMap<String, Value>,
) -> Result<BTreeMap<String, String>, Error> {
    let mut sites = BTreeMap::new();
    for bucket in templates.values().flat_map(adapt::sites) {
        let path = format!("/_delivery/sites/{}", site_name(stack, &bucket));
        let opened = clients.gateway("POST", &path, "{}").await?;
        let url = opened["url"].as_str().unwrap_or_default().to_owned();
        sites.insert(bucket, url);
    }
    Ok(sites)
}

/// Tells the gateway which bucket each site is.
async fn connect_sites(
    clients: &Clients,
    stack: &str,
    templates: &BTreeMap<String, Value>,
) -> Result<(), Error> {
    let sites: Vec<String> = templates.values().flat_map(adapt::sites).collect();
    let buckets = stack::physical_ids(clients, stack, "AWS::S3::Bucket").await?;
    for site in sites {
        let Some(bucket) = buckets.get(&site) else {
            continue;
        };
        let path = format!("/_delivery/sites/{}", site_name(stack, &site));
        let body = serde_json::json!({ "bucket": bucket }).to_string();
        clients.gateway("PUT", &path, &body).await?;
    }
    Ok(())
}
