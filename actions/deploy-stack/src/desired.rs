//! What a stack is brought to.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::Client;
use delivery_stack::change_set::TemplateSource;
use delivery_stack::package::{self, Blobs, MAX_BODY_BYTES};
use delivery_stack::parameters::Value;
use delivery_stack::template::{Template, nearest};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::error::DeployStackError;
use crate::params::{DeployStackParams, TargetParams};
use crate::service::DefinedService;
use crate::source::ArtifactFiles;

/// Hex digits of a digest in names: 64 bits, of which a stack meets few.
const DIGITS: usize = 16;

/// What a stack is brought to.
#[derive(Clone, Debug)]
pub(crate) struct Desired {
    pub(crate) template: TemplateSource,
    pub(crate) parameters: BTreeMap<String, Value>,
    pub(crate) capabilities: Vec<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) allow: Vec<String>,
    /// All of it in few digits: equal digits, equal stacks.
    pub(crate) entry: String,
}

/// What a job needs to work it out.
#[derive(Debug)]
pub(crate) struct Sources<'a> {
    pub(crate) params: &'a DeployStackParams,
    pub(crate) artifacts: Vec<ArtifactFiles<'a>>,
    /// The service, where it is not a template alone.
    pub(crate) service: Option<DefinedService>,
    pub(crate) client: &'a Client,
    pub(crate) blobs: Blobs,
}

impl Sources<'_> {
    /// Packages the template and resolves the parameters.
    pub(crate) async fn desired(&self) -> Result<Desired, DeployStackError> {
        let files = &self.artifacts[0];
        if let Some(digest) = self.params.common.digest {
            files.check(digest).await?;
        }
        let path = match (&self.service, &self.params.target) {
            (Some(service), _) => service.template(files).await?,
            (None, TargetParams::Template { template, .. }) => normal(template)?,
            (None, TargetParams::Service { service, .. }) => unreachable!("`{service}` was read"),
        };
        let template = package::read(files, &path).await?;
        let values = self.values(&template).await?;
        let common = &self.params.common;
        let boundary = common.boundary.as_deref();
        let text = package::package(files, &self.blobs, &path, &template, boundary).await?;
        let service = self.service.as_ref();
        let capabilities = match &common.capabilities {
            Some(given) => given.0.clone(),
            None => service.map_or_else(default_capabilities, DefinedService::capabilities),
        };
        let allow = match &common.allow {
            Some(given) => given.0.clone(),
            None => service.map(DefinedService::allow).unwrap_or_default(),
        };
        let tags = service.map(DefinedService::tags).unwrap_or_default();
        let all = json!([text, values, capabilities, tags, common.role.as_str()]);
        let template = if text.len() <= MAX_BODY_BYTES {
            TemplateSource::Body(text)
        } else {
            let key = self.blobs.put_text(&text).await?;
            TemplateSource::Url(self.blobs.url(&key))
        };
        let given = |(name, value)| (name, Value::Given(value));
        Ok(Desired {
            template,
            parameters: values.into_iter().map(given).collect(),
            capabilities,
            tags,
            allow,
            entry: digits(&all.to_string()),
        })
    }

    async fn values(
        &self,
        template: &Template,
    ) -> Result<BTreeMap<String, String>, DeployStackError> {
        let own = &self.params.parameters;
        let values = match &self.service {
            Some(service) => service.parameters(self.client, template, own).await?,
            None => own.clone(),
        };
        let declared = template.parameters();
        let known = || declared.iter().map(|one| one.name.as_str());
        for (name, value) in &values {
            let Some(one) = declared.iter().find(|one| one.name == *name) else {
                return Err(DeployStackError::Undeclared {
                    parameter: name.clone(),
                    meant: nearest(name, known()).map(str::to_owned),
                    known: known().map(str::to_owned).collect(),
                });
            };
            if let Some(why) = one.refusal(value) {
                return Err(DeployStackError::Value {
                    parameter: name.clone(),
                    why,
                });
            }
        }
        Ok(values)
    }
}

/// Those of a service that names none: a template that makes roles, or uses SAM.
fn default_capabilities() -> Vec<String> {
    ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
        .map(str::to_owned)
        .into()
}

/// A template's path without detours; archives have no others.
fn normal(path: &str) -> Result<String, DeployStackError> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        let outside = || DeployStackError::Outside {
            path: path.to_owned(),
        };
        match part {
            "" if parts.is_empty() => return Err(outside()),
            "" | "." => {}
            ".." => drop(parts.pop().ok_or_else(outside)?),
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

/// A text's digest in few digits.
pub(crate) fn digits(text: &str) -> String {
    hex::encode(Sha256::digest(text))[..DIGITS].to_owned()
}
