#![doc = include_str!("../README.md")]

use aws_sdk_cloudformation::Client;
use delivery_action::action::{Action, Completion, Continuation, Outcome};
use delivery_action::artifact::Store;
use delivery_action::aws::SdkConfig;
use delivery_action::continuation::ContinuationToken;
use delivery_action::execution::ExecutionCheck;
use delivery_action::job::Job;
use delivery_action::workspace::Workspace;
use delivery_stack::deployment::{Deployed, Deployment, DeploymentProgress, Ended};
use delivery_stack::package::Blobs;

mod error;
mod params;
mod progress;
mod source;
mod target;

pub use error::DeployStackError;
pub use params::{Capabilities, CommonParams, DeployStackParams, Names, RoleArn, TargetParams};
pub use progress::DeployStackProgress;

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

impl Action for DeployStack {
    const NAME: &'static str = "deploy-stack";
    type Params = DeployStackParams;
    type Error = DeployStackError;

    async fn run(&self, job: &Job, params: DeployStackParams) -> Result<Outcome, DeployStackError> {
        job.no_output()?;
        let progress = match &job.continuation_token {
            Some(token) => ContinuationToken::read::<DeployStackProgress>(token)?.0,
            None => DeploymentProgress::new(job.id.as_str()),
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
        let target = Target::find(&params, &artifacts, &job.account_id, &self.region).await?;
        let subject = target.subject()?;
        let sources = Sources {
            params: &params,
            target,
            artifacts,
            client: &self.client,
            blobs: Blobs::new(self.s3.clone(), &params.common.bucket, &self.region),
        };
        let options = target::options(&params);
        let check = ExecutionCheck::new(&self.config, params.execution.as_ref());
        let deadline = job.invocation.deadline;
        let deployment = Deployment::new(
            &self.client,
            sources,
            subject,
            &options,
            check,
            deadline,
            progress,
        );
        match deployment.run().await? {
            Ended::Deployed(deployed) => Ok(Outcome::Complete(completion(deployed))),
            Ended::Unfinished { progress, summary } => Ok(Outcome::Continue(Continuation {
                token: ContinuationToken::new(&DeployStackProgress(progress))?,
                summary,
                percent_complete: None,
            })),
        }
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
