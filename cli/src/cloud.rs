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
        check_endpoints()?;
        check_profile(settings.profile.as_deref()).await?;
        let config =
            delivery_action::aws::load_as(settings.profile.as_deref(), settings.region.as_deref())
                .await;
        let Some(region) = config.region().map(ToString::to_string) else {
            return Err(CliError::NoRegion {
                local: settings.has_local_aws_here(),
            });
        };
        check_region(&region, settings)?;
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

/// What the variables of endpoints begin with; the name of a service may follow.
const ENDPOINTS: &str = "AWS_ENDPOINT_URL";

/// Fails where a variable of an endpoint has no URL: the SDK would fail in each call, and not name the variable.
fn check_endpoints() -> Result<(), WrongSetting> {
    let all = delivery_action::env::with_prefix(ENDPOINTS);
    let wrong = all.into_iter().find(|(_, value)| !is_url(value));
    wrong.map_or(Ok(()), |(service, value)| {
        let variable = format!("{ENDPOINTS}{service}");
        Err(WrongSetting::Endpoint { variable, value })
    })
}

fn is_url(text: &str) -> bool {
    let scheme = text.split_once("://");
    scheme.is_some_and(|(scheme, rest)| {
        let is_known = ["http", "https"]
            .iter()
            .any(|known| scheme.eq_ignore_ascii_case(known));
        let begins_with_a_host =
            rest.starts_with(|first: char| first.is_alphanumeric() || first == '[');
        is_known && begins_with_a_host && !rest.contains(char::is_whitespace)
    })
}

/// Fails where a region cannot be a part of the name of a host: the SDK would fail in each call, and not name the region.
fn check_region(region: &str, settings: &Settings) -> Result<(), WrongSetting> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    if region.chars().all(fits) {
        return Ok(());
    }
    let is_in = |name| delivery_action::env::var(name).as_deref() == Some(region);
    let by = if is_in("AWS_REGION") {
        "`AWS_REGION`"
    } else if is_in("AWS_DEFAULT_REGION") {
        "`AWS_DEFAULT_REGION`"
    } else if settings.file_region().map(String::as_str) == Some(region) {
        "`region` in `delivery.toml`"
    } else if settings.region.is_some() {
        "`--region`"
    } else {
        "the profile"
    };
    let region = region.to_owned();
    Err(WrongSetting::Region { region, by })
}

/// A setting with which no call can be made.
#[derive(Debug, thiserror::Error)]
enum WrongSetting {
    #[error("`{region}`, which {by} names, is not an AWS region")]
    Region { region: String, by: &'static str },
    #[error("the variable `{variable}` is `{value}`, which is not a URL")]
    Endpoint { variable: String, value: String },
}

impl Explained for WrongSetting {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Region { .. } => "region",
            Self::Endpoint { .. } => "endpoint",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Region { .. } => {
                "correct it there: regions are written like `eu-central-1`".to_owned()
            }
            Self::Endpoint { variable, .. } => format!(
                "write it like `http://127.0.0.1:4566`, or `unset {variable}` to reach AWS itself; `delivery local env` prints that of a \
                 local AWS"
            ),
        })
    }
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
