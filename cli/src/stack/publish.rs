//! `delivery publish`: packages, layer and templates go into a bucket, below prefixes that their content
//! names.

pub(crate) mod bucket;
pub(crate) mod content;
mod custom;
pub(crate) mod defaults;
pub(crate) mod objects;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aws_sdk_s3::Client;
use delivery_action::aws::CallError;
use delivery_stack::template::Template;

use super::console;
use crate::action_functions;
use crate::args::Global;
use crate::args::stack::{Architecture, Publish};
use crate::cloud::Cloud;
use crate::error::{CliError, Explained};
use crate::exit::Exit;
use crate::installation::{self, RELEASE};
use crate::message::StackMessage;
use crate::output::{Reporter, write_stdout};
use crate::settings::Settings;
use crate::settings::check::{self, Purpose, SettingsCheck};
use crate::templates::{ROOT, Templates};

use bucket::Bucket;
use content::{Files, Object, Unreadable};
use custom::PublishedFunction;
use defaults::FillError;
use objects::Sent;

/// The layer with Node.js.
const LAYER: &str = "node-layer.zip";

/// Why nothing, or not everything, was published.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    /// Packages were not built.
    #[error("there are no packages: {}", names(.paths))]
    NotBuilt {
        /// Those that are missing.
        paths: Vec<PathBuf>,
        /// What they are to be built for.
        architecture: &'static str,
    },
    /// A template cannot be read.
    #[error("cannot read the template `{}`", .path.display())]
    Template {
        /// Which.
        path: PathBuf,
        /// Why.
        source: delivery_stack::yaml::Error,
    },
    /// The addresses cannot be filled into the root template.
    #[error("cannot fill in the addresses in `{}`", .path.display())]
    Fill {
        /// Which.
        path: PathBuf,
        /// Why.
        source: FillError,
    },
    /// An object of that key has another content.
    #[error("`s3://{bucket}/{key}` exists with different content ({what}); it is not overwritten")]
    Different {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// How it differs.
        what: String,
    },
    /// The bucket is not to be used.
    #[error(
        "the bucket `{bucket}` does not belong to account {account}, or access to it is denied"
    )]
    BucketDenied {
        /// The bucket.
        bucket: String,
        /// The account that is signed in.
        account: String,
    },
    /// The bucket is in another region.
    #[error(
        "the bucket `{bucket}` is in {region}; Lambda takes code only from a bucket in its own region, {wanted}"
    )]
    BucketElsewhere {
        /// The bucket.
        bucket: String,
        /// Its region.
        region: String,
        /// The stack's.
        wanted: String,
    },
}

fn names(paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths
        .iter()
        .map(|path| format!("`{}`", path.display()))
        .collect();
    names.join(", ")
}

impl Explained for PublishError {
    fn exit(&self) -> Exit {
        match self {
            Self::BucketDenied { .. } => Exit::Denied,
            Self::NotBuilt { .. }
            | Self::Template { .. }
            | Self::Fill { .. }
            | Self::Different { .. }
            | Self::BucketElsewhere { .. } => Exit::Failed,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::NotBuilt { .. } => "functions",
            Self::Template { .. } | Self::Fill { .. } => "template",
            Self::Different { .. } => "conflict",
            Self::BucketDenied { .. } | Self::BucketElsewhere { .. } => "bucket",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotBuilt {
                paths,
                architecture,
            } => {
                if crate::checkout::find().is_none() {
                    return Some(format!(
                        "unpack the archive of {RELEASE} into `{}` (`tar -xzf ARCHIVE --strip-components 1 -C FOLDER`), or pass \
                         their folder: `--packages DIR`",
                        installation::to_fill().display()
                    ));
                }
                let is_layer = |path: &PathBuf| path.ends_with(LAYER);
                let script = |name: &str| format!("`scripts/{name} --arch {architecture}`");
                let commands = match (paths.iter().all(is_layer), paths.iter().any(is_layer)) {
                    (true, _) => script("node-layer"),
                    (_, true) => format!("{} and {}", script("package"), script("node-layer")),
                    _ => script("package"),
                };
                format!("build them with {commands}, or pass their folder: `--packages DIR`")
            }
            Self::Template { .. } | Self::Fill { .. } => {
                "check the templates: `delivery validate`".to_owned()
            }
            Self::Different { bucket, key, .. } => format!(
                "someone changed it; check it, and if it is not needed remove it (`aws s3 rm s3://{bucket}/{key}`) \
                 and try again, or publish to another bucket: `--bucket NAME`"
            ),
            Self::BucketDenied { .. } | Self::BucketElsewhere { .. } => {
                "use another bucket, which is created if it does not exist: `--bucket NAME`"
                    .to_owned()
            }
        })
    }
}

/// What to publish.
#[derive(Clone, Debug)]
pub(crate) struct Publication {
    /// Where to.
    pub(crate) bucket: Bucket,
    /// Packages and the layer.
    pub(crate) packages: Vec<Object>,
    /// Functions of the user's own.
    custom: Vec<PublishedFunction>,
    /// The nested templates.
    pub(crate) nested: Vec<Object>,
    /// The root template, its addresses filled in.
    pub(crate) root: Object,
    /// The same.
    pub(crate) template: Template,
}

impl Publication {
    /// Where the root template will be.
    pub(crate) fn template_url(&self) -> String {
        console::object_url(&self.bucket.name, &self.bucket.region, &self.root.key)
    }

    fn all(&self) -> impl Iterator<Item = &Object> {
        let root = std::iter::once(&self.root);
        // The root comes last: a template that can be launched has everything that it names.
        let custom = self.custom.iter().flat_map(PublishedFunction::objects);
        self.packages
            .iter()
            .chain(custom)
            .chain(&self.nested)
            .chain(root)
    }
}

/// Reads everything that is published; nothing is sent.
pub(crate) fn prepare(
    settings: &Settings,
    arguments: &Publish,
    account: &str,
    region: &str,
) -> Result<Publication, CliError> {
    let architecture = settings.architecture(arguments);
    let layer = !arguments.no_node_layer;
    let packages = read_packages(&Settings::packages(arguments), architecture, layer)?;
    let templates = templates(settings)?;
    let root_path = PathBuf::from(ROOT);
    let bucket = Bucket::of(settings.bucket(arguments), account, region);

    let (layers, actions): (Files, Files) =
        packages.into_iter().partition(|(name, _)| name == LAYER);
    let (roots, nested): (Files, Files) = templates.into_iter().partition(|(name, _)| name == ROOT);
    let actions_prefix = content::prefix("actions", &actions);
    let layers_prefix = content::prefix("layers", &layers);
    let templates_prefix = content::prefix("templates", &nested);
    let layer_key = layers
        .first()
        .map_or_else(String::new, |_| format!("{layers_prefix}/{LAYER}"));

    let text = roots.into_iter().next().map(|(_, body)| body);
    let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
    let original = Template::read(&text).map_err(|source| PublishError::Template {
        path: root_path.clone(),
        source,
    })?;
    let defaults = BTreeMap::from([
        ("CodeBucket", bucket.name.clone()),
        ("ActionsPrefix", actions_prefix.clone()),
        ("TemplatesPrefix", templates_prefix.clone()),
        ("NodeLayerKey", layer_key),
        ("Architecture", architecture.name().to_owned()),
    ]);
    let filled = |source| PublishError::Fill {
        path: root_path.clone(),
        source,
    };
    let text = defaults::fill(&original, &defaults).map_err(filled)?;
    let root_file = vec![(ROOT.to_owned(), text.as_bytes().to_vec())];
    let root_prefix = content::prefix("templates", &root_file);
    let template = Template::read(&text).map_err(|_| filled(FillError::Form))?;
    let mut packages = zips(&actions_prefix, actions);
    packages.extend(zips(&layers_prefix, layers));
    let nested = nested.iter().map(|(name, body)| {
        Object::template(
            format!("{templates_prefix}/{name}"),
            &String::from_utf8_lossy(body),
        )
    });
    let custom = custom::prepare(&settings.custom_functions())?;
    Ok(Publication {
        bucket,
        custom,
        packages,
        nested: nested.collect(),
        root: Object::template(format!("{root_prefix}/{ROOT}"), &text),
        template,
    })
}

/// The templates of the application by name.
fn templates(settings: &Settings) -> Result<Files, CliError> {
    let templates = Templates::of(settings)?.files.into_iter();
    Ok(templates
        .map(|(name, text)| (name, text.into_bytes()))
        .collect())
}

fn zips(prefix: &str, files: Files) -> Vec<Object> {
    files
        .into_iter()
        .map(|(name, body)| Object::zip(format!("{prefix}/{name}"), body))
        .collect()
}

fn read_packages(
    folder: &Path,
    architecture: Architecture,
    layer: bool,
) -> Result<Files, CliError> {
    let folder = folder.join(architecture.name());
    let mut names: Vec<String> = action_functions::NAMES
        .iter()
        .map(|name| format!("{name}.zip"))
        .collect();
    names.sort();
    if layer {
        names.push(LAYER.to_owned());
    }
    content::read_all(&folder, &names).map_err(|error| match error {
        Unreadable::Missing(paths) => PublishError::NotBuilt {
            paths,
            architecture: architecture.name(),
        }
        .into(),
        Unreadable::File { path, source } => CliError::File {
            verb: "read",
            path,
            source,
        },
    })
}

/// The account that is signed in.
pub(crate) async fn account(cloud: &Cloud) -> Result<String, CliError> {
    let identity = cloud
        .sts()
        .get_caller_identity()
        .send()
        .await
        .map_err(|error| CallError::new("sts:GetCallerIdentity", "*", &error))?;
    Ok(identity.account.unwrap_or_default())
}

/// Sends what is not there yet.
pub(crate) async fn send(
    s3: &Client,
    publication: &Publication,
    reporter: &Reporter,
) -> Result<(), CliError> {
    ensure_bucket(s3, &publication.bucket, reporter).await?;
    for object in publication.all() {
        reporter.show_progress(&format!("publishing {}", object.key));
        let sent = objects::bring(s3, &publication.bucket, object).await?;
        reporter.report(StackMessage::Object {
            key: object.key.clone(),
            bytes: object.bytes(),
            uploaded: sent == Sent::New,
        });
    }
    reporter.clear_progress();
    Ok(())
}

/// Makes the bucket where it is not there; says whether it did.
pub(crate) async fn ensure_bucket(
    s3: &Client,
    bucket: &Bucket,
    reporter: &Reporter,
) -> Result<bool, CliError> {
    if !bucket.exists(s3).await? {
        bucket.make(s3).await?;
        reporter.report(StackMessage::BucketMade {
            bucket: bucket.name.clone(),
        });
        return Ok(true);
    }
    if bucket.is_unfinished(s3).await? {
        bucket.secure(s3).await?;
        reporter.report(StackMessage::BucketMade {
            bucket: bucket.name.clone(),
        });
    }
    Ok(false)
}

/// The settings are checked as `up` will, before anything is sent.
fn check_settings(settings: &Settings, reporter: &Reporter) -> Result<(), CliError> {
    let findings = SettingsCheck {
        declared: &Templates::of(settings)?.parameters(),
        parameters: &settings.parameters(&[]),
        functions: &settings.custom_functions(),
        purpose: Purpose::Aws,
    }
    .findings();
    check::conclude(&findings, reporter)
}

/// The command.
pub(crate) async fn publish(global: &Global, arguments: &Publish) -> Result<Exit, CliError> {
    let settings = Settings::load(global)?;
    let cloud = Cloud::connect(&settings).await?;
    let reporter = Reporter::new(global);
    check_settings(&settings, &reporter)?;
    let account = account(&cloud).await?;
    let publication = prepare(&settings, arguments, &account, cloud.region())?;
    send(&cloud.s3(), &publication, &reporter).await?;
    let template_url = publication.template_url();
    // The console only knows AWS itself: with another endpoint a link into it would launch something else.
    let launch_url = delivery_action::env::var("AWS_ENDPOINT_URL")
        .is_none()
        .then(|| console::launch_url(cloud.region(), &template_url, &settings.stack_name));
    if !reporter.is_json() {
        write_stdout(&format!("template  {template_url}\n"));
        if let Some(url) = &launch_url {
            write_stdout(&format!("launch    {url}\n"));
        }
    }
    let or_by_link = match launch_url {
        Some(_) => ", or open the launch link in a browser",
        None => "",
    };
    reporter.report(StackMessage::Published {
        bucket: publication.bucket.name.clone(),
        template_url: template_url.clone(),
        launch_url,
    });
    for function in &publication.custom {
        let architecture = settings.architecture(arguments);
        let command = function.launch_command(&publication.bucket.name, architecture);
        reporter.notice(format!(
            "launch the function `{}` first: `{command}`",
            function.name
        ));
    }
    reporter.notice(format!(
        "next: `delivery up --template-url {template_url}`{or_by_link}"
    ));
    Ok(Exit::Success)
}
