#![doc = include_str!("../README.md")]

use aws_sdk_cloudformation::Client;
use delivery_action::action::{Action, Completion, Continuation, Outcome};
use delivery_action::artifact::Store;
use delivery_action::aws::SdkConfig;
use delivery_action::continuation::ContinuationToken;
use delivery_action::execution::ExecutionCheck;
use delivery_action::job::Job;
use delivery_action::workspace::Workspace;
use delivery_release::part::{Beginning, Part, Piece, ReleaseParams, ReleasedService, Work};
use delivery_release::repository::Repository;
use delivery_stack::deployment::{
    Deployed, Deployment, DeploymentProgress, Ended, Options, Source, Subject,
};
use delivery_stack::package::Blobs;
use delivery_stack::service::DefinedService;

mod error;
mod params;
mod progress;
mod released;
mod source;
mod target;

pub use error::DeployStackError;
pub use params::{
    ArtifactTarget, Capabilities, CommonParams, DeployStackParams, Names, RoleArn, TargetParams,
};
pub use progress::DeployStackProgress;

use released::{ReleaseSource, ReleasedTemplate};
use source::ArtifactFiles;
use target::{Sources, Target};

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
}

impl DeployStack {
    /// Deploys what the job's artifacts have.
    async fn deploy_artifact(
        &self,
        job: &Job,
        params: &DeployStackParams,
        target: &ArtifactTarget,
    ) -> Result<Work, DeployStackError> {
        let workspace = Workspace::create()?;
        let store = Store::for_job(&self.config, job);
        let mut artifacts = Vec::new();
        for (place, artifact) in job.input_artifacts.iter().enumerate() {
            artifacts.push(ArtifactFiles::open(&store, artifact, &workspace, place).await?);
        }
        if artifacts.is_empty() {
            return Err(DeployStackError::NoInput);
        }
        let target = Target::find(target, &artifacts, &job.account_id, &self.region).await?;
        let subject = target.subject()?;
        let bucket = params.common.bucket.as_deref().unwrap_or_default();
        let sources = Sources {
            params,
            target,
            artifacts,
            client: &self.client,
            blobs: Blobs::new(self.s3.clone(), bucket, &self.region),
        };
        let options = target::options(params);
        Box::pin(self.deploy(job, params, sources, subject, &options)).await
    }

    /// Deploys a service that a release has.
    async fn deploy_released(
        &self,
        job: &Job,
        params: &DeployStackParams,
        release: &ReleaseParams,
        service: &ReleasedService,
    ) -> Result<Work, DeployStackError> {
        let defined = DefinedService::released(service)?;
        let defined = defined.with_addresses(release.addresses.clone());
        defined.check(&job.account_id, &self.region)?;
        let subject = defined.subject()?;
        let repository = Repository::new(self.s3.clone(), &release.releases);
        let blobs = Blobs::of(&repository, &self.region);
        let source = ReleaseSource {
            template: ReleasedTemplate::read(service, &blobs).await?,
            defined,
            overrides: target::overrides(params),
            client: &self.client,
        };
        let options = Options {
            release: Some(format!(
                "release {} (commit {})",
                service.release, service.revision
            )),
            ..target::options(params)
        };
        Box::pin(self.deploy(job, params, source, subject, &options)).await
    }

    /// Brings a stack to what `source` says, as far as the job's time allows.
    async fn deploy(
        &self,
        job: &Job,
        params: &DeployStackParams,
        source: impl Source,
        subject: Subject,
        options: &Options,
    ) -> Result<Work, DeployStackError> {
        let progress = match &job.continuation_token {
            Some(token) => ContinuationToken::read::<DeployStackProgress>(token)?.0,
            None => DeploymentProgress::new(job.id.as_str()),
        };
        let check = ExecutionCheck::new(&self.config, params.execution.as_ref());
        let deadline = job.invocation.deadline;
        let client = &self.client;
        let deployment =
            Deployment::new(client, source, subject, options, check, deadline, progress);
        match deployment.run().await? {
            Ended::Deployed(deployed) => Ok(Work::Complete {
                changed: deployed.changed,
                completion: completion(deployed),
            }),
            Ended::Unfinished { progress, summary } => Ok(Work::Continue(Continuation {
                token: ContinuationToken::new(&DeployStackProgress(progress))?,
                summary,
                percent_complete: None,
            })),
        }
    }
}

impl Action for DeployStack {
    const NAME: &'static str = "deploy-stack";
    type Params = DeployStackParams;
    type Error = DeployStackError;

    async fn run(&self, job: &Job, params: DeployStackParams) -> Result<Outcome, DeployStackError> {
        job.no_output()?;
        let release = match &params.target {
            TargetParams::Release(release) => release,
            TargetParams::Artifact(target) => {
                let work = self.deploy_artifact(job, &params, target).await?;
                return Ok(work.into());
            }
        };
        let begun = Part::<Self>::begin(&self.config, job, release, Piece::Stack).await?;
        let (part, job) = match begun {
            Beginning::Part(part, job) => (part, job),
            Beginning::Nothing(outcome) => return Ok(outcome),
        };
        let service = part.service();
        let work = self.deploy_released(&job, &params, release, service).await;
        Box::pin(part.conclude(work)).await
    }
}

fn completion(deployed: Deployed) -> Completion {
    let what = if deployed.changed {
        "is deployed"
    } else {
        "is unchanged"
    };
    let mut variables = deployed.outputs;
    variables.extend([
        ("Changed".to_owned(), deployed.changed.to_string()),
        ("Stack".to_owned(), deployed.stack),
    ]);
    Completion {
        summary: format!("{} {what} ({})", deployed.subject, deployed.status),
        variables,
    }
}
