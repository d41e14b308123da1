#![doc = include_str!("../README.md")]

use aws_sdk_cloudformation::Client;
use delivery_action::action::{Action, Outcome};
use delivery_action::artifact::Store;
use delivery_action::aws::SdkConfig;
use delivery_action::continuation::ContinuationToken;
use delivery_action::execution::ExecutionCheck;
use delivery_action::job::Job;
use delivery_action::workspace::Workspace;
use delivery_stack::package::Blobs;

mod deployment;
mod desired;
mod error;
mod params;
mod progress;
mod service;
mod source;
mod step;

pub use error::{DeployStackError, FailedDeployment};
pub use params::{Capabilities, CommonParams, DeployStackParams, Names, RoleArn, TargetParams};
pub use progress::DeployStackProgress;

use deployment::{Deployment, Subject};
use desired::Sources;
use service::DefinedService;
use source::ArtifactFiles;

/// Brings a stack to a template of an input artifact.
#[derive(Debug)]
pub struct DeployStack {
    config: SdkConfig,
    client: Client,
    s3: aws_sdk_s3::Client,
    region: String,
}

impl DeployStack {
    /// The action, whose clients use this configuration.
    ///
    /// # Errors
    ///
    /// The configuration has no region.
    pub fn new(config: &SdkConfig) -> Result<Self, DeployStackError> {
        let region = config.region().ok_or(DeployStackError::NoRegion)?;
        Ok(Self {
            client: Client::new(config),
            s3: aws_sdk_s3::Client::new(config),
            region: region.as_ref().to_owned(),
            config: config.clone(),
        })
    }

    /// The service of a definition, where the action names one.
    async fn service(
        &self,
        job: &Job,
        params: &DeployStackParams,
        artifacts: &[ArtifactFiles<'_>],
    ) -> Result<Option<DefinedService>, DeployStackError> {
        let TargetParams::Service {
            environment,
            service,
            definition,
        } = &params.target
        else {
            return Ok(None);
        };
        let read = DefinedService::read(artifacts, definition, environment, service).await?;
        read.check(&job.account_id, &self.region)?;
        Ok(Some(read))
    }
}

impl Action for DeployStack {
    const NAME: &'static str = "deploy-stack";
    type Params = DeployStackParams;
    type Error = DeployStackError;

    async fn run(&self, job: &Job, params: DeployStackParams) -> Result<Outcome, DeployStackError> {
        job.no_output()?;
        let progress = match &job.continuation_token {
            Some(token) => ContinuationToken::read(token)?,
            None => DeployStackProgress::new(job.id.as_str()),
        };
        let workspace = Workspace::create()?;
        let store = Store::for_job(&self.config, job);
        let mut artifacts = Vec::new();
        for (place, artifact) in job.input_artifacts.iter().enumerate() {
            artifacts.push(ArtifactFiles::open(&store, artifact, &workspace, place).await?);
        }
        if artifacts.is_empty() {
            return Err(DeployStackError::NoInput);
        }
        let service = self.service(job, &params, &artifacts).await?;
        let subject = subject(&params, service.as_ref())?;
        let sources = Sources {
            params: &params,
            artifacts,
            service,
            client: &self.client,
            blobs: Blobs::new(self.s3.clone(), &params.common.bucket, &self.region),
        };
        let check = ExecutionCheck::new(&self.config, params.execution.as_ref());
        let deadline = job.invocation.deadline;
        Deployment::new(sources, subject, check, deadline, progress)
            .run()
            .await
    }
}

fn subject(
    params: &DeployStackParams,
    service: Option<&DefinedService>,
) -> Result<Subject, DeployStackError> {
    match (service, &params.target) {
        (Some(service), _) => Ok(Subject {
            stack: service.stack()?,
            name: service.subject()?,
            protected: service.is_protected(),
            removable: service.is_removable(),
        }),
        (
            None,
            TargetParams::Template { stack: name, .. }
            | TargetParams::Service { service: name, .. },
        ) => Ok(Subject {
            stack: name.clone(),
            name: format!("the stack `{name}`"),
            protected: false,
            removable: false,
        }),
    }
}
