//! AWS clients: timeouts, retries, configuration, and the meaning of failed calls.
//!
//! Only the SDK retries, so that layers of retries do not multiply. Endpoints come from the SDK's own variables
//! (`AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_S3`, ...), so nothing here depends on whether AWS or a local substitute
//! answers.

mod http;

use std::fmt;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::meta::region::ProvideRegion;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::profile::region::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::app_name::AppName;
use aws_types::os_shim_internal::{Env, Fs};
use aws_types::sdk_config::SharedCredentialsProvider;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

/// The configuration of AWS clients, re-exported: an action needs no dependency on `aws-config` for it.
pub use aws_config::SdkConfig;

pub use http::http_client;

use crate::env;
use crate::failure::{ActionError, FailureType};

/// Attempts of one call: the SDKs' standard mode with its default of 3. A second retry loop around
/// it would multiply the load on a service in trouble.
pub const MAX_ATTEMPTS: u32 = 3;

/// Connection timeout. Within a region, connecting takes milliseconds (the SDK's default is 3.1 s).
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Time until the first byte of a response. The slowest calls are API Gateway's imports, which take some seconds.
pub const READ_TIMEOUT: Duration = Duration::from_mins(1);

fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS)
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .build()
}

/// The configuration for a function: credentials, region and endpoints come only from the variables that Lambda sets.
///
/// The SDK's default chain (profiles, instance metadata, web identities) never finds anything in a function, but
/// would be linked into it and asked before the first job (`docs/decisions/0132-configuration-of-functions.md`).
#[must_use]
pub fn of_function() -> SdkConfig {
    of_variables(env::var)
}

/// Looks a variable up.
type Lookup = fn(&str) -> Option<String>;

fn of_variables(variable: Lookup) -> SdkConfig {
    let is_on = |name| variable(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let app_name = variable("AWS_SDK_UA_APP_ID").and_then(|name| AppName::new(name).ok());
    let mut builder = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http_client())
        .retry_config(retries())
        .timeout_config(timeouts())
        .credentials_provider(SharedCredentialsProvider::new(
            EnvironmentVariableCredentialsProvider::new(),
        ))
        .region(
            variable("AWS_REGION")
                .or_else(|| variable("AWS_DEFAULT_REGION"))
                .map(Region::new),
        )
        .use_fips(is_on("AWS_USE_FIPS_ENDPOINT"))
        .use_dual_stack(is_on("AWS_USE_DUALSTACK_ENDPOINT"))
        .service_config(Variables(variable));
    builder.set_app_name(app_name);
    builder.build()
}

/// Variables for one service or all of them (AWS SDKs and Tools Reference Guide,
/// "Service-specific endpoints"): `AWS_ENDPOINT_URL_CODEPIPELINE`, else `AWS_ENDPOINT_URL`.
#[derive(Debug)]
struct Variables(Lookup);

impl LoadServiceConfig for Variables {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().replace([' ', '-'], "_").to_uppercase();
        (self.0)(&format!("{}_{service}", key.env())).or_else(|| (self.0)(key.env()))
    }
}

/// The configuration for a person: the SDK's default chain, optionally with a named profile or region.
///
/// As in the AWS CLI, credentials then come from the named profile, whatever else is set. The SDK's chain would use
/// `AWS_ACCESS_KEY_ID` first, and act on a different account than the one named.
pub async fn load_as(profile: Option<&str>, region: Option<&str>) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client())
        .retry_config(retries())
        .timeout_config(timeouts());
    if let Some(profile) = profile {
        loader = loader
            .profile_name(profile)
            .credentials_provider(credentials_of(profile, region).await);
    }
    if let Some(region) = region {
        loader = loader.region(Region::new(region.to_owned()));
    }
    loader.load().await
}

/// The credentials of a profile. A profile that assumes a role calls STS, which needs a region.
async fn credentials_of(profile: &str, region: Option<&str>) -> ProfileFileCredentialsProvider {
    let region = if let Some(region) = region {
        Some(Region::new(region.to_owned()))
    } else {
        let of_the_profile = ProfileFileRegionProvider::builder();
        of_the_profile.profile_name(profile).build().region().await
    };
    let config = ProviderConfig::without_region()
        .with_http_client(http_client())
        .with_region(region);
    ProfileFileCredentialsProvider::builder()
        .configure(&config)
        .profile_name(profile)
        .build()
}

/// The names of the profiles in the AWS configuration, sorted. Empty if the files cannot be read; signing in then
/// reports why.
pub async fn profiles() -> Vec<String> {
    let loaded =
        aws_config::profile::load(&Fs::real(), &Env::real(), &EnvConfigFiles::default(), None)
            .await;
    let mut names: Vec<String> = loaded
        .map(|found| found.profiles().map(str::to_owned).collect())
        .unwrap_or_default();
    names.sort();
    names
}

/// Kinds of failed calls that callers distinguish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallErrorKind {
    /// The role lacks a permission, or its credentials are invalid or expired.
    Denied,
    /// What the call names does not exist.
    NotFound,
    /// Something else is changing the resource, or has changed it.
    Conflict,
    /// The service throttles, fails or cannot be reached; retrying later may work.
    Unavailable,
    /// The service does not accept the request.
    Invalid,
}

/// A call to AWS that failed, after the SDK's retries.
#[derive(Debug)]
pub struct CallError {
    /// The IAM action, such as `lambda:UpdateAlias`.
    pub action: &'static str,
    /// The resource, such as an ARN or `s3://bucket/key`.
    pub resource: String,
    /// The kind of failure.
    pub kind: CallErrorKind,
    /// The service's error code, such as `ResourceConflictException`.
    pub code: Option<String>,
    /// The message of the service, or of the transport.
    pub message: String,
    /// The service's request id.
    pub request_id: Option<String>,
    /// Whether the request may have taken effect although no answer came.
    pub outcome_unknown: bool,
}

impl CallError {
    /// Converts an error of the SDK.
    pub fn new<E>(
        action: &'static str,
        resource: impl Into<String>,
        error: &SdkError<E, HttpResponse>,
    ) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let status = error
            .raw_response()
            .map(|response| response.status().as_u16());
        let code = error.code().map(str::to_owned);
        let outcome_unknown = match error {
            SdkError::ConstructionFailure(_) => false,
            SdkError::ServiceError(_) => status.is_some_and(|status| status >= 500),
            _ => true,
        };
        Self {
            action,
            resource: resource.into(),
            kind: kind(code.as_deref(), status),
            message: error
                .message()
                .map_or_else(|| transport_message(error), str::to_owned),
            request_id: request_id(error),
            code,
            outcome_unknown,
        }
    }

    /// Whether the credentials themselves were rejected as expired, unknown or invalid.
    #[must_use]
    pub fn is_about_credentials(&self) -> bool {
        self.code
            .as_deref()
            .is_some_and(|code| is_expired(code) || BAD_CREDENTIALS.contains(&code))
    }

    /// Whether the service answered with this error code.
    #[must_use]
    pub fn is_code(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` on `{}` failed", self.action, self.resource)?;
        if let Some(code) = &self.code {
            write!(f, ": {code}")?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        if let Some(id) = &self.request_id {
            write!(f, " (request id {id})")?;
        }
        Ok(())
    }
}

impl std::error::Error for CallError {}

impl ActionError for CallError {
    fn failure_type(&self) -> FailureType {
        match self.kind {
            CallErrorKind::Denied => FailureType::PermissionError,
            CallErrorKind::NotFound | CallErrorKind::Invalid => FailureType::ConfigurationError,
            CallErrorKind::Conflict => FailureType::RevisionOutOfSync,
            CallErrorKind::Unavailable => FailureType::SystemUnavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        let Self {
            action, resource, ..
        } = self;
        Some(match self.kind {
            CallErrorKind::Denied if self.code.as_deref().is_some_and(is_expired) => {
                "the job's credentials have expired: retry the stage".to_owned()
            }
            CallErrorKind::Denied => {
                format!("allow `{action}` on `{resource}` for this function's role")
            }
            CallErrorKind::NotFound => {
                format!("check that `{resource}` exists in this account and region")
            }
            CallErrorKind::Conflict => {
                "wait for the other change to end, then retry the stage".to_owned()
            }
            CallErrorKind::Unavailable => {
                "retry the stage; if it keeps failing, check the AWS Health Dashboard".to_owned()
            }
            CallErrorKind::Invalid => "fix what the service's message says".to_owned(),
        })
    }
}

fn is_expired(code: &str) -> bool {
    code.starts_with("Expired") || code == "RequestExpired"
}

/// Error codes for unknown or invalid credentials.
const BAD_CREDENTIALS: [&str; 7] = [
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "InvalidToken",
    "MissingAuthenticationToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// Classifies a response by its error code, else by its HTTP status; no response at all is
/// [`CallErrorKind::Unavailable`].
fn kind(code: Option<&str>, status: Option<u16>) -> CallErrorKind {
    match code.unwrap_or_default() {
        "AccessDenied"
        | "AccessDeniedException"
        | "AllAccessDisabled"
        | "KMS.DisabledException"
        | "KMS.KMSInvalidStateException" => return CallErrorKind::Denied,
        code if is_expired(code) || BAD_CREDENTIALS.contains(&code) => {
            return CallErrorKind::Denied;
        }
        "ThrottlingException"
        | "Throttling"
        | "TooManyRequestsException"
        | "SlowDown"
        | "RequestLimitExceeded"
        | "RequestTimeout" => return CallErrorKind::Unavailable,
        "NotFound"
        | "NotFoundException"
        | "NoSuchKey"
        | "NoSuchBucket"
        | "NoSuchUpload"
        | "NoSuchDistribution"
        | "ResourceNotFoundException" => return CallErrorKind::NotFound,
        "ConflictException"
        | "ResourceConflictException"
        | "PreconditionFailedException"
        | "PreconditionFailed"
        | "ConditionalRequestConflict" => return CallErrorKind::Conflict,
        _ => {}
    }
    match status {
        Some(401 | 403) => CallErrorKind::Denied,
        Some(404) => CallErrorKind::NotFound,
        Some(409 | 412) => CallErrorKind::Conflict,
        Some(429 | 500..) | None => CallErrorKind::Unavailable,
        Some(_) => CallErrorKind::Invalid,
    }
}

fn request_id<E>(error: &SdkError<E, HttpResponse>) -> Option<String> {
    let headers = error.raw_response()?.headers();
    ["x-amzn-requestid", "x-amz-request-id", "x-amzn-request-id"]
        .iter()
        .find_map(|name| headers.get(*name))
        .map(str::to_owned)
}

/// What went wrong below the service: a connection, a timeout, an unreadable response.
fn transport_message<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: std::error::Error + 'static,
{
    match error {
        SdkError::ServiceError(_) => error.raw_response().map_or_else(String::new, |response| {
            format!("HTTP status {}", response.status().as_u16())
        }),
        other => crate::failure::chain(other),
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test_case(Some("AccessDenied"), Some(403), CallErrorKind::Denied)]
    #[test_case(Some("ExpiredToken"), Some(400), CallErrorKind::Denied)]
    #[test_case(Some("ThrottlingException"), Some(400), CallErrorKind::Unavailable)]
    #[test_case(Some("ResourceNotFoundException"), Some(404), CallErrorKind::NotFound)]
    #[test_case(
        Some("PreconditionFailedException"),
        Some(412),
        CallErrorKind::Conflict
    )]
    #[test_case(Some("ValidationException"), Some(400), CallErrorKind::Invalid)]
    #[test_case(None, Some(503), CallErrorKind::Unavailable)]
    #[test_case(None, None, CallErrorKind::Unavailable; "no answer")]
    fn an_answer_is_classed(code: Option<&str>, status: Option<u16>, expected: CallErrorKind) {
        assert_eq!(kind(code, status), expected);
    }

    #[test]
    fn a_function_is_configured_by_its_variables() {
        let config = of_variables(|name| {
            let value = match name {
                "AWS_DEFAULT_REGION" => "eu-west-1",
                "AWS_USE_FIPS_ENDPOINT" => "True",
                "AWS_USE_DUALSTACK_ENDPOINT" => "yes",
                "AWS_SDK_UA_APP_ID" => "deploy-site",
                "AWS_ENDPOINT_URL" => "http://all",
                "AWS_ENDPOINT_URL_S3" => "http://s3",
                "AWS_ENDPOINT_URL_API_GATEWAY" => "http://api",
                _ => return None,
            };
            Some(value.to_owned())
        });
        assert_eq!(config.region(), Some(&Region::from_static("eu-west-1")));
        assert_eq!(
            (config.use_fips(), config.use_dual_stack()),
            (Some(true), Some(false))
        );
        assert_eq!(config.app_name(), AppName::new("deploy-site").ok().as_ref());
        let endpoint = |service| {
            let key = ServiceConfigKey::builder()
                .service_id(service)
                .env("AWS_ENDPOINT_URL")
                .profile("endpoint_url");
            config.service_config()?.load_config(key.build().unwrap())
        };
        let endpoints = ["S3", "API Gateway", "Lambda"].map(|service| endpoint(service).unwrap());
        assert_eq!(endpoints, ["http://s3", "http://api", "http://all"]);
        assert_eq!(of_variables(|_| None).region(), None);
    }

    #[test]
    fn a_denied_call_names_the_permission_to_add() {
        let error = CallError {
            action: "lambda:UpdateAlias",
            resource: "arn:aws:lambda:eu-west-1:111122223333:function:app:prod".to_owned(),
            kind: CallErrorKind::Denied,
            code: Some("AccessDeniedException".to_owned()),
            message: "no identity-based policy allows it".to_owned(),
            request_id: Some("r-1".to_owned()),
            outcome_unknown: false,
        };
        insta::assert_snapshot!(crate::failure::Failure::new(&error).message("g"), @"
        `lambda:UpdateAlias` on `arn:aws:lambda:eu-west-1:111122223333:function:app:prod` failed: AccessDeniedException: no identity-based policy allows it (request id r-1)
        hint: allow `lambda:UpdateAlias` on `arn:aws:lambda:eu-west-1:111122223333:function:app:prod` for this function's role
        log: g
        ");
    }
}
