//! AWS as a command reaches it: the account that the credentials open, in one region.
//!
//! Endpoints come from the SDK's own variables (`AWS_ENDPOINT_URL`, ...), so the same commands work with
//! a local AWS.

use aws_sdk_sts::config::ProvideCredentials;
use delivery_action::aws::SdkConfig;
use delivery_stack::template::nearest;

use crate::error::{CliError, Explained};
use crate::exit::Exit;
use crate::settings::Settings;

/// Clients of AWS.
#[derive(Clone, Debug)]
pub(crate) struct Cloud {
    config: SdkConfig,
    region: String,
}

impl Cloud {
    /// Finds region and credentials; calls no service except where signing in needs one.
    pub(crate) async fn connect(settings: &Settings) -> Result<Self, CliError> {
        check_profile(settings.profile.as_deref()).await?;
        let config =
            delivery_action::aws::load_as(settings.profile.as_deref(), settings.region.as_deref())
                .await;
        let Some(region) = config.region().map(ToString::to_string) else {
            return Err(CliError::NoRegion {
                local: settings.has_local_aws_here(),
            });
        };
        let found = match config.credentials_provider() {
            Some(provider) => provider.provide_credentials().await.map_err(Into::into),
            None => Err("no provider of credentials".into()),
        };
        found.map_err(|source: Box<dyn std::error::Error + Send + Sync>| {
            CliError::Credentials {
                profile: settings.profile.clone(),
                local: settings.has_local_aws_here(),
                source,
            }
        })?;
        Ok(Self { config, region })
    }

    /// What clients are made with.
    pub(crate) fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// The region.
    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// A client of CloudFormation.
    pub(crate) fn cloudformation(&self) -> aws_sdk_cloudformation::Client {
        aws_sdk_cloudformation::Client::new(&self.config)
    }

    /// A client of `CodeConnections`.
    pub(crate) fn codeconnections(&self) -> aws_sdk_codeconnections::Client {
        aws_sdk_codeconnections::Client::new(&self.config)
    }

    /// A client of CodePipeline.
    pub(crate) fn codepipeline(&self) -> aws_sdk_codepipeline::Client {
        aws_sdk_codepipeline::Client::new(&self.config)
    }

    /// A client of IAM.
    pub(crate) fn iam(&self) -> aws_sdk_iam::Client {
        aws_sdk_iam::Client::new(&self.config)
    }

    /// A client of Lambda.
    pub(crate) fn lambda(&self) -> aws_sdk_lambda::Client {
        aws_sdk_lambda::Client::new(&self.config)
    }

    /// A client of CloudWatch Logs.
    pub(crate) fn logs(&self) -> aws_sdk_cloudwatchlogs::Client {
        aws_sdk_cloudwatchlogs::Client::new(&self.config)
    }

    /// A client of S3.
    pub(crate) fn s3(&self) -> aws_sdk_s3::Client {
        aws_sdk_s3::Client::new(&self.config)
    }

    /// A client of STS.
    pub(crate) fn sts(&self) -> aws_sdk_sts::Client {
        aws_sdk_sts::Client::new(&self.config)
    }
}

/// Whether calls go to this machine, as the variables of `delivery local env` have it.
pub(crate) fn is_on_this_machine() -> bool {
    delivery_action::env::var("AWS_ENDPOINT_URL").is_some_and(|url| {
        ["http://127.0.0.1", "http://localhost"]
            .iter()
            .any(|own| url.starts_with(own))
    })
}

/// Fails where a profile is named that the AWS configuration does not have: the SDK itself would only say
/// that region or credentials are missing.
async fn check_profile(settings: Option<&str>) -> Result<(), NoProfile> {
    let signs_in_by_keys = delivery_action::env::var("AWS_ACCESS_KEY_ID").is_some();
    let of_environment = delivery_action::env::var("AWS_PROFILE").filter(|_| !signs_in_by_keys);
    let Some(name) = settings.map(str::to_owned).or(of_environment) else {
        return Ok(());
    };
    let known = delivery_action::aws::profiles().await;
    if known.contains(&name) {
        return Ok(());
    }
    Err(NoProfile { name, known })
}

/// The named profile is in neither file of the AWS configuration.
#[derive(Debug, thiserror::Error)]
#[error("no profile `{name}` in the AWS configuration; it has {}", listed(.known))]
struct NoProfile {
    name: String,
    known: Vec<String>,
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

impl Explained for NoProfile {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn kind(&self) -> &'static str {
        "credentials"
    }

    fn hint(&self) -> Option<String> {
        let known = self.known.iter().map(String::as_str);
        Some(nearest(&self.name, known).map_or_else(
            || "use an existing one (`--profile`, `AWS_PROFILE`, `profile` in `delivery.toml`), or configure it: \
                `aws configure sso`".to_owned(),
            |meant| format!("did you mean `{meant}`?"),
        ))
    }
}
