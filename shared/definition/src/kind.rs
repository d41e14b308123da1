//! What a folder is deployed as, by its files.

use crate::definition::Service;
use crate::file::service::Kind;
use crate::nearest::list;

/// Names of templates, where the service names none.
pub const TEMPLATES: [&str; 3] = ["template.yaml", "template.yml", "template.json"];

/// A folder of the repository. Paths begin in it.
pub trait Folder {
    /// The names of the files right in it.
    fn files(&self) -> Vec<String>;

    /// Whether a file is a template with `Resources`.
    fn has_resources(&self, file: &str) -> bool;

    /// Whether `package.json` has the script `package`, or the gulpfile that task.
    fn has_package_task(&self) -> bool;
}

/// What a service is deployed as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detected {
    /// Its kind.
    pub kind: Kind,
    /// The template of a stack, from the service's folder.
    pub template: Option<String>,
}

/// A service's files do not say what it is deployed as.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownKind {
    /// Several kinds fit.
    #[error("the service `{service}` in `{directory}` fits two kinds: `{}` (`{}`) and `{}` (`{}`): choose one by the key `kind`, for example: kind = \"{}\"", .first.0, .first.1, .second.0, .second.1, .first.0)]
    Several {
        /// The service.
        service: String,
        /// Its folder.
        directory: String,
        /// A kind, and the file that makes it one.
        first: (Kind, String),
        /// Another.
        second: (Kind, String),
    },
    /// A stack has several templates.
    #[error(
        "the service `{service}` in `{directory}` has {templates} with `Resources`: choose one by the key `template`, for example: template = \"{first}\""
    )]
    SeveralTemplates {
        /// The service.
        service: String,
        /// Its folder.
        directory: String,
        /// The templates.
        templates: String,
        /// The first of them.
        first: String,
    },
    /// No kind fits.
    #[error(
        "nothing in `{directory}` can be deployed as the service `{service}`: it needs a `template.yaml` with `Resources`, a `*.tf`, a `serverless.yml`, a `package.json` with the script `package`, or the key `site`"
    )]
    None {
        /// The service.
        service: String,
        /// Its folder.
        directory: String,
    },
    /// The kind that the file says needs a template.
    #[error(
        "the service `{service}` is a `stack`, but `{directory}` has no `template.yaml`, `template.yml` or `template.json` with `Resources`: name its template by the key `template`"
    )]
    NoTemplate {
        /// The service.
        service: String,
        /// Its folder.
        directory: String,
    },
}

/// What a service is deployed as: by its keys, else by its files.
///
/// # Errors
///
/// Neither says which it is.
pub fn kind_of(service: &Service, folder: &impl Folder) -> Result<Detected, UnknownKind> {
    let declared = service.kind.as_ref().map(|kind| kind.value);
    let declared = declared.or_else(|| service.site.as_ref().map(|_| Kind::Site));
    let named = service
        .template
        .as_ref()
        .map(|template| template.value.as_str().to_owned());
    match (declared, named) {
        (None | Some(Kind::Stack), Some(template)) => Ok(Detected {
            kind: Kind::Stack,
            template: Some(template),
        }),
        (Some(Kind::Stack), None) => match template(service, folder)? {
            Some(template) => Ok(Detected {
                kind: Kind::Stack,
                template: Some(template),
            }),
            None => Err(UnknownKind::NoTemplate {
                service: service.name.clone(),
                directory: service.folder().to_owned(),
            }),
        },
        (Some(kind), template) => Ok(Detected { kind, template }),
        (None, None) => by_files(service, folder),
    }
}

fn by_files(service: &Service, folder: &impl Folder) -> Result<Detected, UnknownKind> {
    let files = folder.files();
    let is_module = |file: &&String| {
        let extension = std::path::Path::new(file).extension();
        extension.is_some_and(|extension| extension == "tf")
    };
    let template = template(service, folder)?;
    let found = [
        (Kind::Stack, template.as_ref()),
        (Kind::Terraform, files.iter().find(is_module)),
        (
            Kind::Serverless,
            files.iter().find(|file| *file == "serverless.yml"),
        ),
    ];
    let found: Vec<_> = found
        .into_iter()
        .filter_map(|(kind, file)| file.map(|file| (kind, file.clone())))
        .collect();
    match &found[..] {
        [first, second, ..] => Err(UnknownKind::Several {
            service: service.name.clone(),
            directory: service.folder().to_owned(),
            first: first.clone(),
            second: second.clone(),
        }),
        [(kind, _)] => Ok(Detected {
            kind: *kind,
            template,
        }),
        [] if files.iter().any(|file| file == "package.json") && folder.has_package_task() => {
            Ok(Detected {
                kind: Kind::App,
                template: None,
            })
        }
        [] => Err(UnknownKind::None {
            service: service.name.clone(),
            directory: service.folder().to_owned(),
        }),
    }
}

fn template(service: &Service, folder: &impl Folder) -> Result<Option<String>, UnknownKind> {
    let files = folder.files();
    let is_template =
        |name: &&str| files.iter().any(|file| file == name) && folder.has_resources(name);
    let templates: Vec<_> = TEMPLATES.into_iter().filter(is_template).collect();
    match templates[..] {
        [] => Ok(None),
        [template] => Ok(Some(template.to_owned())),
        [first, ..] => Err(UnknownKind::SeveralTemplates {
            service: service.name.clone(),
            directory: service.folder().to_owned(),
            templates: list(templates.iter().copied()).unwrap_or_default(),
            first: first.to_owned(),
        }),
    }
}
