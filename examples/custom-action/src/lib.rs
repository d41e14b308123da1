//! `notify-webhook`: a CodePipeline action that posts a message to a webhook.
//!
//! The webhook's address is a secret, so it is the function's configuration (`WEBHOOK_URL`) and no parameter
//! of the pipeline, which more people may read.

use std::collections::BTreeMap;
use std::time::Duration;

use delivery_action::action::{Action, Completion, Outcome};
use delivery_action::aws::SdkConfig;
use delivery_action::env;
use delivery_action::job::Job;
use delivery_action::parameters::{HumanDuration, Parameters};
use serde::Deserialize;

mod error;
mod webhook;

pub use error::NotifyWebhookError;

use webhook::Webhook;

/// The variable with the webhook's address.
const URL: &str = "WEBHOOK_URL";

/// How long the webhook may take where `give-up-after` does not say.
const GIVE_UP_AFTER: Duration = Duration::from_secs(10);

/// Posts a message to a webhook.
#[derive(Debug)]
pub struct NotifyWebhook {
    webhook: Webhook,
}

/// The action's `UserParameters`, such as `message=released&give-up-after=30s`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct NotifyWebhookParams {
    /// What is posted.
    pub message: String,
    /// How long the webhook may take.
    pub give_up_after: Option<HumanDuration>,
}

impl NotifyWebhook {
    /// The action of a function whose variable `WEBHOOK_URL` is set.
    ///
    /// # Errors
    ///
    /// [`NotifyWebhookError`] where it is not set, or is not an address. It is reported as the job's failure.
    pub fn new(_config: &SdkConfig) -> Result<Self, NotifyWebhookError> {
        Self::to(&env::var(URL).ok_or(NotifyWebhookError::NoUrl)?)
    }

    /// The action that posts to this address.
    ///
    /// # Errors
    ///
    /// [`NotifyWebhookError`] where it is not an address.
    pub fn to(url: &str) -> Result<Self, NotifyWebhookError> {
        Ok(Self {
            webhook: Webhook::new(url)?,
        })
    }
}

impl Action for NotifyWebhook {
    const NAME: &'static str = "notify-webhook";
    type Params = Parameters<NotifyWebhookParams>;
    type Error = NotifyWebhookError;

    async fn run(
        &self,
        job: &Job,
        Parameters(params): Parameters<NotifyWebhookParams>,
    ) -> Result<Outcome, NotifyWebhookError> {
        job.no_output()?;
        let patience = params.give_up_after.map_or(GIVE_UP_AFTER, |given| given.0);
        // Lambda may deliver a job twice: the job's id lets the receiver drop the second message.
        let status = self
            .webhook
            .post(job.id.as_str(), &params.message, patience)
            .await?;
        Ok(Outcome::Complete(Completion {
            summary: format!("the webhook answered with {status}"),
            variables: BTreeMap::from([("Status".to_owned(), status.as_u16().to_string())]),
        }))
    }
}
