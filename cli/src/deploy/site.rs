//! A site: its bucket is a stack of its own, and its files are uploaded by the action deploy-site itself.

use std::collections::BTreeMap;
use std::time::Duration;

use delivery_action::action::{Action as _, Completion, Outcome};
use delivery_action::blocking;
use delivery_action::clock::Deadline;
use delivery_action::env::LogLocation;
use delivery_action::job::{Artifact, Invocation, Job, JobId};
use delivery_archive::Creation;
use delivery_definition::Service;
use delivery_render::{SITE_BUCKET, SITE_URL};
use delivery_stack::deployment::{Desired, Settings};
use delivery_stack::package::LEFT_OUT;
use delivery_stack::service::DefinedService;
use delivery_stack::template::Template;
use deploy_site::{Delete, DeploySite, DeploySiteParams, Immutable};

use super::error::DeployError;
use super::work::Work;
use crate::error::CliError;
use crate::message::StackMessage;

/// Keys of `config.json` that deploy-site has parameters of their own for.
const API: &str = "apiBaseurl";
const VERSION: &str = "version";

/// How long files are uploaded before it is looked whether the command's time is over, as a function's time is.
const PART: Duration = Duration::from_secs(30);

/// The path of a site's template; it is in no folder.
const TEMPLATE: &str = "site.yaml";

impl Work<'_> {
    /// Makes the bucket, if it is not there, and uploads what has changed.
    pub(super) async fn site(&self, service: &Service) -> Result<(), CliError> {
        let defined = self.services.defined(service)?;
        let (desired, subject) = (
            self.site_stack(&defined, service).await?,
            self.services.subject(&defined)?,
        );
        let deployed = self.bring(&service.name, desired, subject).await?;
        let output = |name: &str| deployed.outputs.get(name).cloned().unwrap_or_default();
        self.reporter
            .show_progress(&format!("uploading the site of {}", service.name));
        let completion = self.upload(&defined, service, output(SITE_BUCKET)).await?;
        let outputs = BTreeMap::from([("Url".to_owned(), output(SITE_URL))]);
        let is_changed = completion.variables["Changed"] == "true";
        self.reporter.report(StackMessage::Service {
            environment: self.services.environment.clone(),
            service: service.name.clone(),
            stack: deployed.stack,
            changed: deployed.changed || is_changed,
            outputs,
        });
        Ok(())
    }

    async fn site_stack(
        &self,
        defined: &DefinedService,
        service: &Service,
    ) -> Result<Desired, CliError> {
        let text = delivery_render::site(&service.name, &self.services.environment);
        let template = Template::read(&text).expect("a test reads what is rendered");
        let settings = Settings {
            capabilities: Settings::default_capabilities(),
            tags: defined.tags(),
            role: self.place.role.clone(),
            boundary: self.place.boundary.clone(),
            ..Settings::default()
        };
        let desired = Desired::package(&self.files, &self.blobs, TEMPLATE, &template, settings);
        Ok(desired.await.map_err(DeployError::Deployment)?)
    }

    async fn upload(
        &self,
        defined: &DefinedService,
        service: &Service,
        bucket: String,
    ) -> Result<Completion, CliError> {
        let values = service.config.iter();
        let values = values.map(|one| (one.name.as_str(), &one.value.value));
        let config = defined.resolve(&self.client, values).await;
        let mut config = config.map_err(DeployError::Deployment)?;
        let params = DeploySiteParams {
            bucket,
            directory: String::new(),
            prefix: String::new(),
            api_baseurl: config.remove(API),
            // What is in the folder has no commit; the environment says whose it is.
            version: Some(
                config
                    .remove(VERSION)
                    .unwrap_or_else(|| self.services.environment.clone()),
            ),
            config,
            delete: Delete::default(),
            distribution: None,
            immutable: Immutable::default(),
            digest: None,
            execution: None,
            release: None,
        };
        let mut job = self.job(self.pack(service).await?);
        let action = DeploySite::new(self.cloud.config());
        loop {
            job.invocation.deadline = Deadline::after(PART);
            let ended = Box::pin(action.run(&job, params.clone())).await;
            let ended = ended.map_err(|source| DeployError::Site {
                service: service.name.clone(),
                source: Box::new(source),
            })?;
            match ended {
                Outcome::Complete(completion) => return Ok(completion),
                Outcome::Continue(next) if self.deadline.remaining().is_zero() => {
                    return Err(DeployError::Timeout {
                        service: service.name.clone(),
                        summary: next.summary,
                    }
                    .into());
                }
                Outcome::Continue(next) => {
                    self.reporter.show_progress(&next.summary);
                    job.continuation_token = Some(next.token.as_str().to_owned());
                }
            }
        }
    }

    /// Puts the site's files into the bucket for packages, as one archive.
    async fn pack(&self, service: &Service) -> Result<Artifact, CliError> {
        let folder = self.site_folder(service)?;
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| DeployError::Pack {
            service: service.name.clone(),
            source,
        };
        let zip = tempfile::NamedTempFile::new().map_err(|error| failed(error.into()))?;
        let to = zip.path().to_owned();
        let made = blocking(move || Creation::of(&folder).without(&LEFT_OUT).write_file(&to)).await;
        made.map_err(|error| failed(error.into()))?;
        let blob = self.blobs.put_file(zip.path()).await;
        let blob = blob.map_err(|error| DeployError::Deployment(error.into()))?;
        Ok(Artifact {
            name: service.name.clone(),
            revision: None,
            bucket: self.place.bucket.clone(),
            key: self.blobs.key(&blob.sha256),
        })
    }

    /// The job that deploy-site would get for this artifact.
    fn job(&self, artifact: Artifact) -> Job {
        Job {
            id: JobId::from(self.id.as_str()),
            account_id: self.place.account.clone(),
            invocation: Invocation {
                request_id: self.id.clone(),
                deadline: self.deadline,
                log: LogLocation::default(),
                function: None,
            },
            input_artifacts: vec![artifact],
            output_artifacts: Vec::new(),
            credentials: None,
            encryption_key: None,
            continuation_token: None,
            user_parameters: None,
        }
    }
}
