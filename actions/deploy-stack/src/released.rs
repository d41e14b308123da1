//! A service of a release: its template is packaged, and its definition says the rest.

use aws_sdk_cloudformation::Client;
use delivery_release::manifest::Service;
use delivery_release::part::ReleasedService;
use delivery_stack::deployment::{DeploymentError, Desired, Source};
use delivery_stack::package::Blobs;
use delivery_stack::service::{DefinedService, Overrides};

use crate::error::DeployStackError;

/// What messages call the template of a site's own stack, which is in no repository.
const SITE_TEMPLATE: &str = "site.yaml";

/// A template that is packaged.
#[derive(Debug)]
pub(crate) struct ReleasedTemplate {
    path: String,
    text: String,
    /// Where CloudFormation finds it, if it is too large to be sent.
    url: String,
}

/// What a job needs to work out what the stack of a service is brought to.
#[derive(Debug)]
pub(crate) struct ReleaseSource<'a> {
    pub(crate) defined: DefinedService,
    pub(crate) template: ReleasedTemplate,
    pub(crate) overrides: Overrides,
    pub(crate) client: &'a Client,
}

impl ReleasedTemplate {
    /// The template of a stack, or of the stack with the bucket of a site.
    pub(crate) async fn read(
        service: &ReleasedService,
        blobs: &Blobs,
    ) -> Result<Self, DeployStackError> {
        let Service::CloudFormation(stack) = &service.entry else {
            return Ok(Self {
                path: SITE_TEMPLATE.to_owned(),
                text: delivery_render::site(&service.name, service.environment.as_str()),
                url: String::new(),
            });
        };
        let bytes = service.file(&stack.template).await?;
        let path = stack.template.path.clone();
        let text = String::from_utf8(bytes);
        Ok(Self {
            text: text.map_err(|_| DeployStackError::NotText { path: path.clone() })?,
            path,
            url: blobs.url(&stack.template.sha256),
        })
    }
}

impl Source for ReleaseSource<'_> {
    async fn desired(&self) -> Result<Desired, DeploymentError> {
        let ReleasedTemplate { path, text, url } = &self.template;
        let template = (path.as_str(), text.as_str(), url.clone());
        let (client, overrides) = (self.client, &self.overrides);
        let defined = &self.defined;
        defined
            .desired_of_packaged(template, client, overrides)
            .await
    }
}
