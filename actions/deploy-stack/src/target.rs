//! What a job deploys: a template of its first artifact, or a service that a definition has.

use aws_sdk_cloudformation::Client;
use delivery_stack::deployment::{DeploymentError, Desired, Options, Settings, Source, Subject};
use delivery_stack::package::{self, Blobs};
use delivery_stack::service::{DefinedService, Overrides};

use crate::error::DeployStackError;
use crate::params::{ArtifactTarget, DeployStackParams};
use crate::source::ArtifactFiles;

/// What is deployed.
#[derive(Debug)]
pub(crate) enum Target {
    /// A template, to a stack of this name.
    Template { stack: String, path: String },
    /// A service.
    Service(Box<DefinedService>),
}

impl Target {
    /// Finds it in the artifacts. `account` and `region` are the function's.
    pub(crate) async fn find(
        params: &ArtifactTarget,
        artifacts: &[ArtifactFiles<'_>],
        account: &str,
        region: &str,
    ) -> Result<Self, DeployStackError> {
        match params {
            ArtifactTarget::Template { stack, template } => {
                let path = package::resolve("", template);
                Ok(Self::Template {
                    stack: stack.clone(),
                    path: path.ok_or_else(|| DeployStackError::Outside {
                        path: template.clone(),
                    })?,
                })
            }
            ArtifactTarget::Service {
                environment,
                service,
                definition,
            } => {
                let found = DefinedService::read(artifacts, definition, environment, service);
                let found = found.await?;
                found.check(account, region)?;
                Ok(Self::Service(Box::new(found)))
            }
        }
    }

    pub(crate) fn subject(&self) -> Result<Subject, DeployStackError> {
        match self {
            Self::Service(service) => Ok(service.subject()?),
            Self::Template { stack, .. } => Ok(Subject {
                stack: stack.clone(),
                name: format!("the stack `{stack}`"),
                protected: false,
                removable: false,
                later: Vec::new(),
            }),
        }
    }
}

/// What a job needs to work out what its stack is brought to.
#[derive(Debug)]
pub(crate) struct Sources<'a> {
    pub(crate) params: &'a DeployStackParams,
    pub(crate) target: Target,
    pub(crate) artifacts: Vec<ArtifactFiles<'a>>,
    pub(crate) client: &'a Client,
    pub(crate) blobs: Blobs,
}

impl Source for Sources<'_> {
    async fn desired(&self) -> Result<Desired, DeploymentError> {
        let files = &self.artifacts[0];
        let common = &self.params.common;
        if let Some(digest) = common.digest {
            files.check(digest).await?;
        }
        let overrides = overrides(self.params);
        let path = match &self.target {
            Target::Service(service) => {
                let desired = service.desired(files, &self.blobs, self.client, &overrides);
                return desired.await;
            }
            Target::Template { path, .. } => path,
        };
        let capabilities = overrides.capabilities;
        let settings = Settings {
            parameters: overrides.parameters,
            capabilities: capabilities.unwrap_or_else(Settings::default_capabilities),
            allow: overrides.allow.unwrap_or_default(),
            role: overrides.role,
            boundary: overrides.boundary,
            ..Settings::default()
        };
        let template = package::read(files, path).await?;
        Desired::package(files, &self.blobs, path, &template, settings).await
    }
}

/// What the action's parameters say besides a definition.
pub(crate) fn overrides(params: &DeployStackParams) -> Overrides {
    let common = &params.common;
    Overrides {
        parameters: params.parameters.clone(),
        capabilities: common.capabilities.as_ref().map(|given| given.0.clone()),
        allow: common.allow.as_ref().map(|given| given.0.clone()),
        role: Some(common.role.as_str().to_owned()),
        boundary: common.boundary.clone(),
    }
}

/// How it is deployed.
pub(crate) fn options(params: &DeployStackParams) -> Options {
    let common = &params.common;
    let commit = common.revision.as_ref();
    let commit = commit.map(|name| format!("commit {name}"));
    let digest = || common.digest.map(|digest| format!("the artifact {digest}"));
    Options {
        role: Some(common.role.as_str().to_owned()),
        wait: common.wait.0,
        continue_rollback: common.continue_rollback.is_on(),
        release: commit.or_else(digest),
        by: "deploy-stack",
    }
}
