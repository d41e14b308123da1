//! Launches the stack in the local AWS, from the same template that a user launches on AWS.
//!
//! As on AWS, packages and templates are uploaded to a bucket, and a change set creates or updates the stack.

mod clients;
mod custom;
mod packages;
mod stack;
mod upload;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use delivery_action::aws::CallError;
use delivery_stack::template::Template;
use delivery_stack::yaml;

use clients::Clients;
pub use clients::SECRET_ACCESS_KEY;
pub use custom::CustomFunction;
pub use stack::Change;

/// The functions that the template needs, each named as its package: the folders of `actions/`, against which a test of
/// `tests/tests/documentation/action_lists.rs` holds this list and every other. `guard` is the one that is no action.
pub const FUNCTIONS: [&str; 10] = [
    "npm-install",
    "test-and-package",
    "release",
    "deploy-app",
    "deploy-api",
    "deploy-site",
    "deploy-stack",
    "undeploy",
    "e2e",
    "guard",
];

/// The logical id of an action's function in `actions.yaml`: `NpmInstall` of `npm-install`.
#[must_use]
pub fn logical_id(function: &str) -> String {
    let words = function.split('-').map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters)
    });
    words.flatten().collect()
}

/// The processor architecture of this machine, as Lambda spells it.
pub(crate) const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") {
    "arm64"
} else {
    "x86_64"
};

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
    /// Its access key ([`crate::aws::LocalAws::access_key_id`]).
    pub access_key_id: String,
    /// The region of both.
    pub region: String,
    /// The stack's name.
    pub stack_name: String,
    /// The folder of the templates, `delivery.yaml` first.
    pub templates: PathBuf,
    /// The built binary of each action function, or its package (`*.zip`), by the function's name
    /// (`npm-install`).
    pub functions: BTreeMap<String, PathBuf>,
    /// The folder in which packages that are made of binaries are kept for later launches.
    pub packages: Option<PathBuf>,
    /// Functions of the user's own, each launched by a template of its own before the stack.
    pub custom: Vec<CustomFunction>,
    /// The package of the layer with Node.js and npm; without one, functions find them on the `PATH`.
    pub node_layer: Option<PathBuf>,
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

impl From<CallError> for Error {
    fn from(error: CallError) -> Self {
        Self::Aws {
            operation: error.action,
            message: match error.code {
                Some(code) => format!("{code}: {}", error.message),
                None => error.message,
            },
        }
    }
}

/// Why a stack is not complete.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A template or package cannot be read.
    #[error("cannot read `{path}`; check that it is there and readable")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A template cannot be read.
    #[error("the template `{}` cannot be read", .path.display())]
    Template {
        /// Which.
        path: PathBuf,
        /// Why.
        source: yaml::Error,
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
    /// A call of an AWS API failed.
    #[error("`{operation}` failed: {message}")]
    Aws {
        /// Which.
        operation: &'static str,
        /// Its code and message.
        message: String,
    },
    /// CloudFormation refuses the change.
    #[error("CloudFormation refused the change to the stack `{stack}`: {reason}")]
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
    /// The stack of a function of the user's own is not complete.
    #[error("the stack `{stack}` of a function did not launch")]
    Function {
        /// Which stack.
        stack: String,
        /// Why.
        source: Box<Error>,
    },
    /// The stack of a function of the user's own makes no function of its name.
    #[error(
        "the template `{}` makes {}, but no Lambda function `{function}`: let the property `FunctionName` be \
         `!Ref FunctionName`", .template.display(), functions(.found)
    )]
    OtherFunction {
        /// Its name.
        function: String,
        /// Its template.
        template: PathBuf,
        /// The functions that the stack has.
        found: Vec<String>,
    },
    /// It did not become complete in time.
    #[error("the stack `{stack}` is still {status} after {seconds} seconds; check MiniStack's log")]
    Slow {
        /// Which stack.
        stack: String,
        /// Its status.
        status: String,
        /// How long the launch has waited.
        seconds: u64,
    },
}

fn functions(names: &[String]) -> String {
    if names.is_empty() {
        return "no function at all".to_owned();
    }
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// Launches the stack, or updates it where it is there already.
///
/// # Errors
///
/// When a template or package cannot be read, or the stack does not become complete: the error names the
/// resource that failed first.
pub async fn launch(request: &Request) -> Result<Launch, Error> {
    let clients = Clients::new(request);
    let templates = read_templates(request)?;
    let uploaded = upload::upload(&clients, request, &templates).await?;
    let root = format!(
        "https://{}.s3.{}.amazonaws.com/{}/{ROOT_TEMPLATE}",
        uploaded.bucket, request.region, uploaded.templates_prefix
    );
    for function in &request.custom {
        let stack = custom::stack_name(request, function);
        custom::launch(&clients, request, &stack, &uploaded.bucket, function)
            .await
            .map_err(|source| Error::Function {
                stack,
                source: source.into(),
            })?;
    }
    let parameters = parameters(request, &uploaded);
    let wanted = with_defaults(&templates[ROOT_TEMPLATE], &parameters);
    let change = if stack::is_as_wanted(&clients, &request.stack_name, &wanted).await? {
        Change::Unchanged
    } else {
        stack::change(&clients, &request.stack_name, &root, &parameters).await?
    };
    let outputs = stack::outputs(&clients, &request.stack_name).await?;
    Ok(Launch {
        stack_name: request.stack_name.clone(),
        change,
        outputs,
    })
}

/// The value of each parameter of a template. Templates and packages lie under hashes of their contents, which are parameters:
/// a stack that has equal values is an equal stack.
fn with_defaults(
    template: &str,
    parameters: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let declared = Template::read(template).map(|template| template.parameters());
    let defaults = declared.unwrap_or_default().into_iter();
    let mut values: BTreeMap<String, String> = defaults
        .filter_map(|one| Some((one.name, one.default?)))
        .collect();
    values.extend(parameters.clone());
    values
}

/// All templates of the folder by their file names.
fn read_templates(request: &Request) -> Result<BTreeMap<String, String>, Error> {
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
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        templates.insert(name, text);
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
    let mut parameters: BTreeMap<String, String> = [
        ("ConnectionArn", CONNECTION),
        ("FullRepositoryId", "local/application"),
        ("Architecture", ARCHITECTURE),
        ("CodeBucket", &uploaded.bucket),
        ("ActionsPrefix", &uploaded.actions_prefix),
        ("TemplatesPrefix", &uploaded.templates_prefix),
        ("NodeLayerKey", &uploaded.node_layer_key),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    parameters.extend(request.parameters.clone());
    parameters
}
