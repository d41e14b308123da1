#![doc = include_str!("../README.md")]

use aws_sdk_lambda::Client;
use delivery_action::action::{Action, Outcome};
use delivery_action::artifact::Store;
use delivery_action::aws::SdkConfig;
use delivery_action::continuation::ContinuationToken;
use delivery_action::execution::ExecutionCheck;
use delivery_action::job::Job;
use delivery_action::workspace::Workspace;

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
        let workspace = Workspace::create()?;
        let store = Store::for_job(&self.config, job);
        let artifact = job.only_input()?;
        let code_sha256 = code::hash(&store, artifact, params.digest, &workspace).await?;
        Ok(DeployAppProgress::new(code_sha256, found.as_ref(), rollout))
    }
}

impl Action for DeployApp {
    const NAME: &'static str = "deploy-app";
    type Params = DeployAppParams;
    type Error = DeployAppError;

    async fn run(&self, job: &Job, params: DeployAppParams) -> Result<Outcome, DeployAppError> {
        let artifact = job.only_input()?;
        job.no_output()?;
        let progress = self.progress(job, &params).await?;
        let deadline = job.invocation.deadline;
        let check = ExecutionCheck::new(&self.config, params.execution.as_ref());
        Deployment::new(
            (&self.lambda, &self.cloud_watch),
            &params,
            artifact,
            check,
            deadline,
            progress,
        )
        .run()
        .await
    }
}
