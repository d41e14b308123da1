#![doc = include_str!("../README.md")]

use std::collections::BTreeMap;

use delivery_action::action::{Action, Completion, Continuation, Outcome};
use delivery_action::artifact::Store;
use delivery_action::aws::SdkConfig;
use delivery_action::blocking;
use delivery_action::continuation::ContinuationToken;
use delivery_action::execution::ExecutionCheck;
use delivery_action::job::{Artifact, Job};
use delivery_action::workspace::Workspace;
use delivery_release::part::{Beginning, Part, Piece, ReleasedService, Work};

mod announcement;
mod bucket;
mod bucket_state;
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
mod released;
mod removals;
mod served_files;
mod site;
mod site_archive;
mod upload;
mod upload_order;
mod upload_window;
mod version;

use bucket::Bucket;
use bucket_state::BucketState;
pub use error::DeploySiteError;
use invalidation::Location;
pub use naming::Immutable;
pub use params::{Delete, DeploySiteParams};
use progress::SiteProgress;
use publish::{Counts, Published, Release};
use site::Site;
use site_archive::SiteArchive;

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

impl DeploySite {
    /// Publishes the site of an artifact, which `store` reads, as far as the job's time allows.
    async fn publish(
        &self,
        job: &Job,
        params: &DeploySiteParams,
        store: &Store,
        artifact: &Artifact,
    ) -> Result<Work, DeploySiteError> {
        if let Some(token) = &job.continuation_token {
            let SiteProgress { uploaded } = ContinuationToken::read(token)?;
            tracing::info!(uploaded, "continuing a deployment");
        }
        let workspace = Workspace::create()?;
        let bucket = Bucket::new(&self.config, &params.bucket, &params.prefix);
        let (version, read, early) = tokio::join!(
            version::of(store, artifact, params.version.as_deref()),
            read(
                SiteArchive::open(store, artifact, &workspace, params.digest),
                params
            ),
            BucketState::read(&bucket),
        );
        let version = version?;
        let (archive, mut site) = read?;
        site::add_config(&mut site, params, &version);

        let execution = ExecutionCheck::new(&self.config, params.execution.as_ref());
        let release = Release {
            site: &site,
            version: &version,
            delete: params.delete,
            execution: &execution,
        };
        let (counts, manifest) =
            match publish::publish(&bucket, &archive, &release, early?, job.invocation.deadline)
                .await?
            {
                Published::Complete(counts, manifest) => (counts, manifest),
                Published::Partial { uploaded } => {
                    return Ok(Work::Continue(continuation(uploaded, site.len(), params)?));
                }
            };
        if let Some(distribution) = &params.distribution {
            let location = Location {
                bucket: &params.bucket,
                prefix: &params.prefix,
            };
            invalidation::invalidate(&self.config, distribution, &location, &manifest).await?;
        }
        // The execution may have ended during the last uploads; then this job must not report success.
        execution.still_runs().await?;
        Ok(Work::Complete {
            changed: counts.is_changed,
            completion: completion(&version, counts, params),
        })
    }

    /// The same with the site of a service that a release has.
    async fn publish_released(
        &self,
        job: &Job,
        params: &DeploySiteParams,
        service: &ReleasedService,
    ) -> Result<Work, DeploySiteError> {
        let params = released::params(&self.config, params, service).await?;
        let blob = service.blob("site").expect("it is the action's part");
        let params = DeploySiteParams {
            digest: Some(blob.digest()),
            ..params
        };
        let store = Store::for_function(&self.config, job);
        Box::pin(self.publish(job, &params, &store, &blob.artifact)).await
    }
}

impl Action for DeploySite {
    const NAME: &'static str = "deploy-site";
    type Params = DeploySiteParams;
    type Error = DeploySiteError;

    async fn run(&self, job: &Job, params: DeploySiteParams) -> Result<Outcome, DeploySiteError> {
        job.no_output()?;
        let Some(release) = &params.release else {
            let store = Store::for_job(&self.config, job);
            let artifact = job.only_input()?;
            let work = Box::pin(self.publish(job, &params, &store, artifact)).await?;
            return Ok(work.into());
        };
        let begun = Part::<Self>::begin(&self.config, job, release, Piece::Site).await?;
        let (part, job) = match begun {
            Beginning::Part(part, job) => (part, job),
            Beginning::Nothing(outcome) => return Ok(outcome),
        };
        let work = self.publish_released(&job, &params, part.service()).await;
        Box::pin(part.conclude(work)).await
    }
}

/// Reads the site of an artifact, off the async runtime: files may have to be inflated and hashed.
async fn read(
    opening: impl Future<Output = Result<SiteArchive, DeploySiteError>>,
    params: &DeploySiteParams,
) -> Result<(SiteArchive, Site), DeploySiteError> {
    let (archive, params) = (opening.await?, params.clone());
    let read = move || {
        let site = site::read(archive.artifact(), archive.read(), &params)?;
        Ok((archive, site))
    };
    blocking(read).await
}

fn continuation(
    uploaded: usize,
    files: usize,
    params: &DeploySiteParams,
) -> Result<Continuation, DeploySiteError> {
    let percent = u8::try_from(uploaded * 100 / files.max(1)).unwrap_or(100);
    Ok(Continuation {
        token: ContinuationToken::new(&SiteProgress { uploaded })?,
        summary: format!("{uploaded} of {files} files are in {}", destination(params)),
        percent_complete: Some(percent),
    })
}

fn completion(version: &str, counts: Counts, params: &DeploySiteParams) -> Completion {
    let Counts {
        uploaded,
        unchanged,
        removed,
        is_changed,
    } = counts;
    Completion {
        summary: format!(
            "{} uploaded, {unchanged} unchanged, {removed} removed: version `{version}` is in {}",
            counted(uploaded),
            destination(params)
        ),
        variables: BTreeMap::from([
            ("Version".to_owned(), version.to_owned()),
            ("Uploaded".to_owned(), uploaded.to_string()),
            ("Unchanged".to_owned(), unchanged.to_string()),
            ("Removed".to_owned(), removed.to_string()),
            ("Changed".to_owned(), is_changed.to_string()),
        ]),
    }
}

fn counted(files: usize) -> String {
    match files {
        1 => "1 file".to_owned(),
        several => format!("{several} files"),
    }
}

fn destination(params: &DeploySiteParams) -> String {
    format!("`s3://{}/{}`", params.bucket, params.prefix)
}
