#![doc = include_str!("../README.md")]

use std::collections::BTreeMap;

use delivery_action::action::{Action, Completion, Outcome};
use delivery_action::artifact::Store;
use delivery_action::aws::SdkConfig;
use delivery_action::execution::ExecutionCheck;
use delivery_action::job::Job;
use delivery_action::workspace::Workspace;

mod deploy;
mod document;
mod document_check;
mod error;
mod gateway;
mod params;
mod partition;
mod substitute;

use deploy::{Change, Deployed, Release};
pub use error::{DeployApiError, DocumentLocation, SyntaxError};
use gateway::Gateway;
pub use params::DeployApiParams;
use partition::Partition;
use substitute::PseudoParameters;

/// Imports an OpenAPI document into an API and moves a stage to a deployment of it.
#[derive(Debug)]
pub struct DeployApi {
    config: SdkConfig,
    gateway: Gateway,
    region: String,
}

impl DeployApi {
    /// The action, whose clients use this configuration.
    ///
    /// # Errors
    ///
    /// [`DeployApiError::NoRegion`] if the configuration has no region.
    pub fn new(config: &SdkConfig) -> Result<Self, DeployApiError> {
        let region = config.region().ok_or(DeployApiError::NoRegion)?.to_string();
        Ok(Self {
            config: config.clone(),
            gateway: Gateway::new(config, &region),
            region,
        })
    }
}

impl Action for DeployApi {
    const NAME: &'static str = "deploy-api";
    type Params = DeployApiParams;
    type Error = DeployApiError;

    async fn run(&self, job: &Job, params: DeployApiParams) -> Result<Outcome, DeployApiError> {
        let artifact = job.only_input()?;
        job.no_output()?;
        let workspace = Workspace::create()?;
        let store = Store::for_job(&self.config, job);
        let partition = Partition::of(&self.region);
        let pseudo = PseudoParameters {
            account_id: &job.account_id,
            region: &self.region,
            partition: partition.name,
        };
        let fetched = document::fetch(&store, artifact, params.digest, &workspace, &pseudo);
        let document = fetched.await?;
        let api = self.gateway.resolve(&params.api).await?;
        let release = Release {
            api: &api,
            stage: &params.stage,
            document: &document,
            variables: &params.variables,
            revision: params.revision.as_deref().or(artifact.revision.as_deref()),
        };
        let check = ExecutionCheck::new(&self.config, params.execution.as_ref());
        let deadline = job.invocation.deadline;
        let deployed = deploy::deploy(&self.gateway, &release, &check, deadline).await?;
        let invoke_url = format!(
            "https://{api}.execute-api.{}.{}/{}",
            self.region, partition.dns_suffix, params.stage
        );
        Ok(Outcome::Complete(Completion {
            summary: summary(&api, &params.stage, &deployed),
            variables: BTreeMap::from([
                ("ApiId".to_owned(), api),
                ("DeploymentId".to_owned(), deployed.id),
                ("PreviousDeploymentId".to_owned(), deployed.previous_id),
                ("InvokeUrl".to_owned(), invoke_url),
            ]),
        }))
    }
}

fn summary(api: &str, stage: &str, deployed: &Deployed) -> String {
    let Deployed {
        id,
        previous_id,
        change,
    } = deployed;
    let what = match change {
        Change::Imported => format!("serves new deployment `{id}`, previously `{previous_id}`"),
        Change::Promoted => {
            format!("serves deployment `{id}` of an earlier import, previously `{previous_id}`")
        }
        Change::Variables => {
            format!("still serves deployment `{id}`, with changed stage variables")
        }
        Change::Nothing => format!("already served deployment `{id}` of this document"),
    };
    format!("stage `{stage}` of API `{api}` {what}")
}
