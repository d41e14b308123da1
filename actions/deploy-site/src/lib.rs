#![doc = include_str!("../README.md")]

use std::collections::BTreeMap;

use delivery_action::action::{Action, Completion, Continuation, Outcome};
use delivery_action::artifact::Store;
use delivery_action::aws::SdkConfig;
use delivery_action::blocking;
use delivery_action::continuation::ContinuationToken;
use delivery_action::execution::ExecutionCheck;
use delivery_action::job::Job;
use delivery_action::workspace::Workspace;

mod bucket;
mod contents;
mod error;
mod headers;
mod invalidation;
mod listing;
mod manifest;
mod naming;
mod ownership;
mod params;
mod plan;
mod progress;
mod publish;
mod site;
mod source;
mod tree;
mod upload;
mod version;
mod window;

use bucket::Bucket;
pub use error::DeploySiteError;
use invalidation::Place;
pub use naming::Immutable;
pub use params::{Delete, DeploySiteParams};
use plan::BucketState;
use progress::SiteProgress;
use publish::{Counts, Published, Release};
use site::Site;
use source::Source;

/// Publishes a site's files and its `config.json` into a bucket.
#[derive(Clone, Debug)]
pub struct DeploySite {
    config: SdkConfig,
}

impl DeploySite {
    /// The action with the clients of this configuration.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            config: config.clone(),
        }
    }
}

impl Action for DeploySite {
    const NAME: &'static str = "deploy-site";
    type Params = DeploySiteParams;
    type Error = DeploySiteError;

    async fn run(&self, job: &Job, params: DeploySiteParams) -> Result<Outcome, DeploySiteError> {
        let artifact = job.only_input()?;
        job.no_output()?;
        if let Some(token) = &job.continuation_token {
            let SiteProgress { there } = ContinuationToken::read(token)?;
            tracing::info!(there, "going on with a site");
        }
        let workspace = Workspace::create()?;
        let store = Store::for_job(&self.config, job);
        let bucket = Bucket::new(&self.config, &params.bucket, &params.prefix);
        let (version, read, early) = tokio::join!(
            version::of(&store, artifact, params.version.as_deref()),
            read(
                Source::open(&store, artifact, &workspace, params.digest),
                &params
            ),
            BucketState::read(&bucket),
        );
        let version = version?;
        let (source, mut site) = read?;
        site::add_config(&mut site, &params, &version);

        let execution = ExecutionCheck::new(&self.config, params.execution.as_ref());
        let release = Release {
            site: &site,
            version: &version,
            delete: params.delete,
            execution: &execution,
        };
        let (counts, manifest) =
            match publish::publish(&bucket, &source, &release, early?, job.invocation.deadline)
                .await?
            {
                Published::Wholly(counts, manifest) => (counts, manifest),
                Published::Partly { there } => return going_on(there, site.len(), &params),
            };
        if let Some(distribution) = &params.distribution {
            let place = Place {
                bucket: &params.bucket,
                prefix: &params.prefix,
            };
            invalidation::invalidate(&self.config, distribution, &place, &manifest).await?;
        }
        // What was on its way when the execution ended is no success of this job.
        execution.still_runs().await?;
        Ok(Outcome::Complete(completion(&version, counts, &params)))
    }
}

/// Reads the release that an artifact holds, beside the async runtime: none of it is extracted.
async fn read(
    opening: impl Future<Output = Result<Source, DeploySiteError>>,
    params: &DeploySiteParams,
) -> Result<(Source, Site), DeploySiteError> {
    let (source, params) = (opening.await?, params.clone());
    let read = move || {
        let site = site::read(source.artifact(), source.read(), &params)?;
        Ok((source, site))
    };
    blocking(read).await
}

fn going_on(
    there: usize,
    files: usize,
    params: &DeploySiteParams,
) -> Result<Outcome, DeploySiteError> {
    let percent = u8::try_from(there * 100 / files.max(1)).unwrap_or(100);
    Ok(Outcome::Continue(Continuation {
        token: ContinuationToken::new(&SiteProgress { there })?,
        summary: format!("{there} of {files} files are in {}", place(params)),
        percent_complete: Some(percent),
    }))
}

fn completion(version: &str, counts: Counts, params: &DeploySiteParams) -> Completion {
    let Counts {
        uploaded,
        unchanged,
        removed,
    } = counts;
    Completion {
        summary: format!(
            "version `{version}` is in {}: {uploaded} uploaded, {unchanged} unchanged, {removed} removed",
            place(params)
        ),
        variables: BTreeMap::from([
            ("Version".to_owned(), version.to_owned()),
            ("Uploaded".to_owned(), uploaded.to_string()),
            ("Unchanged".to_owned(), unchanged.to_string()),
            ("Removed".to_owned(), removed.to_string()),
        ]),
    }
}

fn place(params: &DeploySiteParams) -> String {
    format!("`s3://{}/{}`", params.bucket, params.prefix)
}
