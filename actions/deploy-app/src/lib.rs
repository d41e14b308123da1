#![doc = include_str!("../README.md")]

use aws_sdk_lambda::Client;
use delivery_action::action::{Action, Outcome};
use delivery_action::artifact::Store;
use delivery_action::aws::SdkConfig;
use delivery_action::continuation::ContinuationToken;
use delivery_action::execution::ExecutionCheck;
use delivery_action::job::{Artifact, Job};
use delivery_action::workspace::Workspace;
use delivery_release::part::{Beginning, Part, Piece, ReleasedService, Work};

mod code;
mod deployment;
mod error;
mod function;
mod params;
mod progress;
mod rollout;
mod versions;

pub use error::DeployAppError;
pub use params::{
    AliasName, Compare, DeployAppParams, ErrorRate, FunctionName, HookFunction, NoData,
};
pub use progress::DeployAppProgress;

use deployment::Deployment;
use progress::RolloutProgress;

/// Publishes a version of a function and moves an alias to it.
#[derive(Debug)]
pub struct DeployApp {
    config: SdkConfig,
    lambda: Client,
    cloud_watch: aws_sdk_cloudwatch::Client,
}

impl DeployApp {
    /// The action, whose clients use this configuration.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            config: config.clone(),
            lambda: Client::new(config),
            cloud_watch: aws_sdk_cloudwatch::Client::new(config),
        }
    }

    /// The progress of this action execution: from the token or, in its first job, read now.
    async fn progress(
        &self,
        job: &Job,
        params: &DeployAppParams,
        code: &Code,
    ) -> Result<DeployAppProgress, DeployAppError> {
        if let Some(token) = &job.continuation_token {
            return Ok(ContinuationToken::read(token)?);
        }
        let alias = params.alias(&self.lambda);
        let found = alias.read().await?;
        let rollout = if params.is_rollout() {
            let good = alias.good().read().await?;
            Some(RolloutProgress::begin(
                job.id.as_str(),
                found.as_ref(),
                good.as_ref(),
            ))
        } else {
            None
        };
        let code_sha256 = if let Some(known) = &code.sha256 {
            known.clone()
        } else {
            let workspace = Workspace::create()?;
            let store = Store::for_job(&self.config, job);
            code::hash(&store, &code.artifact, params.digest, &workspace).await?
        };
        Ok(DeployAppProgress::new(code_sha256, found.as_ref(), rollout))
    }

    /// Publishes the code and moves the alias, as far as the job's time allows.
    async fn deploy(
        &self,
        job: &Job,
        params: &DeployAppParams,
        code: &Code,
    ) -> Result<Work, DeployAppError> {
        let progress = self.progress(job, params, code).await?;
        let deadline = job.invocation.deadline;
        let check = ExecutionCheck::new(&self.config, params.execution.as_ref());
        Deployment::new(
            (&self.lambda, &self.cloud_watch),
            params,
            &code.artifact,
            check,
            deadline,
            progress,
        )
        .run()
        .await
    }

    /// The same with a function of a release.
    async fn deploy_released(
        &self,
        job: &Job,
        params: &DeployAppParams,
        service: &ReleasedService,
    ) -> Result<Work, DeployAppError> {
        let settings = service.target().settings;
        let params = params.of_release(&service.revision, settings);
        let params = params.map_err(|source| DeployAppError::Settings {
            release: service.release.to_string(),
            source,
        })?;
        let code = service.blob("function").expect("it is the action's part");
        let code = Code {
            artifact: code.artifact,
            sha256: Some(code.sha256.base64()),
        };
        self.deploy(job, &params, &code).await
    }
}

/// The code that is deployed.
struct Code {
    artifact: Artifact,
    /// Its hash as Lambda writes it, where that is known.
    sha256: Option<String>,
}

impl Action for DeployApp {
    const NAME: &'static str = "deploy-app";
    type Params = DeployAppParams;
    type Error = DeployAppError;

    async fn run(&self, job: &Job, params: DeployAppParams) -> Result<Outcome, DeployAppError> {
        job.no_output()?;
        let Some(release) = &params.release else {
            let artifact = job.only_input()?.clone();
            let code = Code {
                artifact,
                sha256: None,
            };
            return Ok(self.deploy(job, &params, &code).await?.into());
        };
        let begun = Part::<Self>::begin(&self.config, job, release, Piece::Function).await?;
        let (part, job) = match begun {
            Beginning::Part(part, job) => (part, job),
            Beginning::Nothing(outcome) => return Ok(outcome),
        };
        let work = self.deploy_released(&job, &params, part.service()).await;
        Box::pin(part.conclude(work)).await
    }
}
