//! What a stack is brought to.

use std::collections::BTreeMap;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::{DeploymentError, Planned};
use crate::change_set::{Change, TemplateSource};
use crate::package::{self, Blobs, Files, MAX_BODY_BYTES, PackageError};
use crate::parameters::Value;
use crate::template::{Template, nearest};

/// Hex digits of a digest in names: 64 bits, of which a stack meets few.
const DIGITS: usize = 16;

/// Where it is worked out what a stack is brought to. A part of a deployment that only follows an operation does not ask.
pub trait Source: Sync {
    /// Works it out.
    ///
    /// # Errors
    ///
    /// The template or its parameters cannot be deployed.
    fn desired(&self) -> impl Future<Output = Result<Desired, DeploymentError>> + Send;
}

/// What a stack is brought to.
#[derive(Clone, Debug)]
pub struct Desired {
    pub(super) template: TemplateSource,
    pub(super) parameters: BTreeMap<String, Value>,
    pub(super) capabilities: Vec<String>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) allow: Vec<String>,
    /// The template's resources and their types.
    resources: Vec<(String, String)>,
    /// All of it in few digits: equal digits, equal stacks.
    pub(super) entry: String,
}

impl Source for Desired {
    async fn desired(&self) -> Result<Desired, DeploymentError> {
        Ok(self.clone())
    }
}

/// What goes with a template.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The parameters.
    pub parameters: BTreeMap<String, String>,
    /// What the template may do that CloudFormation asks about, in its words.
    pub capabilities: Vec<String>,
    /// The resources that hold data and may be replaced or removed.
    pub allow: Vec<String>,
    /// The stack's tags.
    pub tags: BTreeMap<String, String>,
    /// The role that CloudFormation works with.
    pub role: Option<String>,
    /// The permissions boundary of the roles that the template makes.
    pub boundary: Option<String>,
}

impl Settings {
    /// The capabilities of those who name none: a template that makes roles, or uses SAM.
    #[must_use]
    pub fn default_capabilities() -> Vec<String> {
        ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
            .map(str::to_owned)
            .into()
    }

    /// Fails where the template does not take one of the parameters.
    fn check(&self, template: &Template) -> Result<(), DeploymentError> {
        let declared = template.parameters();
        let known = || declared.iter().map(|one| one.name.as_str());
        for (name, value) in &self.parameters {
            let Some(one) = declared.iter().find(|one| one.name == *name) else {
                return Err(DeploymentError::Undeclared {
                    parameter: name.clone(),
                    meant: nearest(name, known()).map(str::to_owned),
                    known: known().map(str::to_owned).collect(),
                });
            };
            if let Some(why) = one.refusal(value) {
                return Err(DeploymentError::Value {
                    parameter: name.clone(),
                    why,
                });
            }
        }
        Ok(())
    }
}

impl Desired {
    /// Packages the template at a path of a tree, with all that it names.
    ///
    /// # Errors
    ///
    /// It cannot be packaged, or does not take one of the parameters.
    pub async fn package(
        files: &impl Files,
        blobs: &Blobs,
        path: &str,
        template: &Template,
        settings: Settings,
    ) -> Result<Self, DeploymentError> {
        settings.check(template)?;
        let boundary = settings.boundary.as_deref();
        let mut publisher = blobs.publisher();
        let package =
            package::package(files, blobs, &mut publisher, path, template, boundary).await?;
        let mut source = TemplateSource::Body(package.text.clone());
        if package.text.len() > MAX_BODY_BYTES {
            let blob = publisher.put_bytes(package.text.as_bytes()).await;
            source = TemplateSource::Url(blobs.url(&blob.map_err(PackageError::from)?.sha256));
        }
        Ok(Self::new(&package.text, source, template, settings))
    }

    /// Takes a template of the repository, which was packaged before; `file` is what messages call it, and `url` where it is.
    ///
    /// # Errors
    ///
    /// It is not a template, or does not take one of the parameters.
    pub fn of_packaged(
        file: &str,
        text: &str,
        url: String,
        settings: Settings,
    ) -> Result<Self, DeploymentError> {
        let template = package::parse(file, text)?;
        settings.check(&template)?;
        let source = if text.len() <= MAX_BODY_BYTES {
            TemplateSource::Body(text.to_owned())
        } else {
            TemplateSource::Url(url)
        };
        Ok(Self::new(text, source, &template, settings))
    }

    fn new(text: &str, source: TemplateSource, template: &Template, settings: Settings) -> Self {
        let Settings {
            parameters,
            capabilities,
            allow,
            tags,
            role,
            boundary: _,
        } = settings;
        let all = json!([text, parameters, capabilities, tags, role]);
        let resources = template.section("Resources");
        let resources = resources.map(|(name, resource)| {
            let kind = resource["Type"].as_str().unwrap_or_default();
            (name.clone(), kind.to_owned())
        });
        let resources = resources.collect();
        let given = |(name, value)| (name, Value::Given(value));
        Self {
            template: source,
            parameters: parameters.into_iter().map(given).collect(),
            capabilities,
            tags,
            allow,
            resources,
            entry: digits(&all.to_string()),
        }
    }
}

impl Desired {
    /// What is planned where the stack is not there.
    pub(super) fn planned_creation(&self) -> Planned {
        let resources = self.resources.iter();
        Planned {
            creates: true,
            changes: resources
                .map(|(name, kind)| Change::creation(name, kind))
                .collect(),
            at_stake: Vec::new(),
        }
    }
}

/// A text's digest in few digits.
pub(super) fn digits(text: &str) -> String {
    hex::encode(Sha256::digest(text))[..DIGITS].to_owned()
}
