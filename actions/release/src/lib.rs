#![doc = include_str!("../README.md")]

use std::collections::BTreeMap;

use aws_sdk_s3::Client;
use delivery_action::action::{Action, Completion, Outcome};
use delivery_action::artifact::Store;
use delivery_action::aws::SdkConfig;
use delivery_action::execution::ExecutionCheck;
use delivery_action::job::Job;
use delivery_action::workspace::Workspace;
use delivery_release::repository::{Publisher, Repository};
use delivery_stack::package::Blobs;

mod end;
mod error;
mod inputs;
mod params;
mod publish;
mod services;
mod unchanged;

pub use error::ReleaseActionError;
pub use params::{EndParams, Names, PublishParams, ReleaseParams};

use inputs::Inputs;
use services::Packing;

/// Publishes a release, or ends the deployment of one.
#[derive(Debug)]
pub struct Release {
    config: SdkConfig,
    client: Client,
    region: String,
}

impl Release {
    /// The action, whose clients use this configuration.
    ///
    /// # Errors
    ///
    /// The configuration has no region.
    pub fn new(config: &SdkConfig) -> Result<Self, ReleaseActionError> {
        let region = config.region().ok_or(ReleaseActionError::NoRegion)?;
        Ok(Self {
            client: Client::new(config),
            region: region.as_ref().to_owned(),
            config: config.clone(),
        })
    }

    async fn publish(
        &self,
        job: &Job,
        params: &PublishParams,
    ) -> Result<Completion, ReleaseActionError> {
        let repository = Repository::new(self.client.clone(), &params.releases);
        let workspace = Workspace::create()?;
        let store = Store::for_job(&self.config, job);
        let whole = params.taken_whole();
        let inputs = Inputs::open(&store, &job.input_artifacts, &whole, &workspace).await?;
        let defined = inputs.definition(&params.config).await?;
        let mut publisher = Publisher::new(&repository);
        let blobs = Blobs::of(&repository, &self.region);
        let mut packing = Packing {
            params,
            inputs: &inputs,
            defined: &defined,
            blobs: &blobs,
            publisher: &mut publisher,
        };
        let mut services = match &params.entries {
            Some(digest) => repository.entries(digest).await?,
            None => BTreeMap::default(),
        };
        services.extend(packing.pack().await?);
        if params.last.is_on() {
            publish::publish(&repository, publisher, params, job, &defined, services).await
        } else {
            publish::hand_on(publisher, &services).await
        }
    }
}

impl Action for Release {
    const NAME: &'static str = "release";
    type Params = ReleaseParams;
    type Error = ReleaseActionError;

    async fn run(&self, job: &Job, params: ReleaseParams) -> Result<Outcome, ReleaseActionError> {
        job.no_output()?;
        let completion = match &params {
            ReleaseParams::Publish(params) => self.publish(job, params).await?,
            ReleaseParams::End(params) => {
                let repository = Repository::new(self.client.clone(), &params.releases);
                let check = ExecutionCheck::new(&self.config, Some(&params.execution));
                end::end(&repository, &check, params).await?
            }
        };
        Ok(Outcome::Complete(completion))
    }
}
