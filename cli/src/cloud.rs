//! AWS as a command reaches it: the account that the credentials open, in one region.
//!
//! Endpoints come from the SDK's own variables (`AWS_ENDPOINT_URL`, ...), so the same commands work with
//! a local AWS.

use aws_sdk_sts::config::ProvideCredentials;
use shared::aws::SdkConfig;

use crate::error::CliError;
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
        let config =
            shared::aws::load_as(settings.profile.as_deref(), settings.region.as_deref()).await;
        let Some(region) = config.region().map(ToString::to_string) else {
            return Err(CliError::NoRegion);
        };
        let found = match config.credentials_provider() {
            Some(provider) => provider.provide_credentials().await.map_err(Into::into),
            None => Err("no provider of credentials".into()),
        };
        found.map_err(|source: Box<dyn std::error::Error + Send + Sync>| {
            CliError::Credentials {
                profile: settings.profile.clone(),
                source,
            }
        })?;
        Ok(Self { config, region })
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
