//! Clients of the local AWS.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, RequestChecksumCalculation, SharedCredentialsProvider};

use super::Request;

/// The secret access key of every environment: the local AWS looks at access keys only.
pub const SECRET_ACCESS_KEY: &str = "test";

/// What a launch talks to.
#[derive(Debug)]
pub(super) struct Clients {
    pub(super) cloudformation: aws_sdk_cloudformation::Client,
    pub(super) s3: aws_sdk_s3::Client,
}

impl Clients {
    pub(super) fn new(request: &Request) -> Self {
        let key = &request.access_key_id;
        let credentials = Credentials::new(key, SECRET_ACCESS_KEY, None, None, "local");
        let config = SdkConfig::builder()
            .http_client(delivery_action::aws::http_client())
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(request.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(&request.endpoint)
            .build();
        let s3 = aws_sdk_s3::config::Builder::from(&config)
            .force_path_style(true)
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .build();
        Self {
            cloudformation: aws_sdk_cloudformation::Client::new(&config),
            s3: aws_sdk_s3::Client::from_conf(s3),
        }
    }
}

/// An SDK's error as one line: its code and message where the service gave one, else its causes.
pub(super) fn message<E, R>(error: &aws_sdk_s3::error::SdkError<E, R>) -> String
where
    E: aws_sdk_s3::error::ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    let metadata = error
        .as_service_error()
        .map(|error| (error.code(), error.message()));
    match metadata {
        Some((Some(code), Some(message))) => format!("{code}: {message}"),
        Some((Some(code), None)) => code.to_owned(),
        _ => {
            let mut text = error.to_string();
            let mut cause = std::error::Error::source(error);
            while let Some(error) = cause {
                text = format!("{text}: {error}");
                cause = error.source();
            }
            text
        }
    }
}
