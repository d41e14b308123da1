#![doc = include_str!("../README.md")]

use std::collections::BTreeMap;

use delivery_action::action::{Action, Completion, Outcome};
use delivery_action::artifact::{Digest, Store};
use delivery_action::aws::SdkConfig;
use delivery_action::execution::ExecutionCheck;
use delivery_action::job::{Artifact, Job};
use delivery_action::workspace::Workspace;
use delivery_release::part::{Beginning, Part, Piece, ReleasedService, Work};

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

impl DeployApi {
    /// Deploys the document of an artifact, which `store` reads.
    async fn deploy(
        &self,
        job: &Job,
        params: &DeployApiParams,
        store: &Store,
        document: &Source<'_>,
    ) -> Result<(Completion, Change), DeployApiError> {
        let workspace = Workspace::create()?;
        let partition = Partition::of(&self.region);
        let pseudo = PseudoParameters {
            account_id: &job.account_id,
            region: &self.region,
            partition: partition.name,
        };
        let Source { artifact, digest } = *document;
        let fetched = document::fetch(store, artifact, digest, &workspace, &pseudo);
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
        let change = deployed.change;
        let completion = Completion {
            summary: summary(&api, &params.stage, &deployed),
            variables: BTreeMap::from([
                ("ApiId".to_owned(), api),
                ("DeploymentId".to_owned(), deployed.id),
                ("PreviousDeploymentId".to_owned(), deployed.previous_id),
                ("InvokeUrl".to_owned(), invoke_url),
            ]),
        };
        Ok((completion, change))
    }

    /// The same with the API of a service that a release has.
    async fn deploy_released(
        &self,
        job: &Job,
        params: &DeployApiParams,
        service: &ReleasedService,
    ) -> Result<Work, DeployApiError> {
        let blob = service.blob("api").expect("it is the action's part");
        let document = Source {
            artifact: &blob.artifact,
            digest: Some(blob.digest()),
        };
        let store = Store::for_function(&self.config, job);
        let (completion, change) = self.deploy(job, params, &store, &document).await?;
        Ok(Work::Complete {
            completion,
            changed: change != Change::Nothing,
        })
    }
}

/// Where the document is.
struct Source<'a> {
    artifact: &'a Artifact,
    digest: Option<Digest>,
}

impl Action for DeployApi {
    const NAME: &'static str = "deploy-api";
    type Params = DeployApiParams;
    type Error = DeployApiError;

    async fn run(&self, job: &Job, params: DeployApiParams) -> Result<Outcome, DeployApiError> {
        job.no_output()?;
        let Some(release) = &params.release else {
            let document = Source {
                artifact: job.only_input()?,
                digest: params.digest,
            };
            let store = Store::for_job(&self.config, job);
            let deployed = self.deploy(job, &params, &store, &document).await?;
            return Ok(Outcome::Complete(deployed.0));
        };
        let begun = Part::<Self>::begin(&self.config, job, release, Piece::Api).await?;
        let (part, job) = match begun {
            Beginning::Part(part, job) => (part, job),
            Beginning::Nothing(outcome) => return Ok(outcome),
        };
        let work = self.deploy_released(&job, &params, part.service()).await;
        Box::pin(part.conclude(work)).await
    }
}

/// What changed comes first, since a terminal cuts the rest.
fn summary(api: &str, stage: &str, deployed: &Deployed) -> String {
    let Deployed {
        id,
        previous_id,
        change,
    } = deployed;
    let what = match change {
        Change::Imported => format!("deployment {previous_id} → {id}, newly imported"),
        Change::Promoted => format!("deployment {previous_id} → {id}, of an earlier import"),
        Change::Variables => format!("deployment {id} as before, with changed stage variables"),
        Change::Nothing => format!("deployment {id} of this document already"),
    };
    format!("{stage}: {what} (API `{api}`)")
}
