//! The local AWS that command lines are compared in: how the driver and they reach it.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_cloudformation::error::DisplayErrorContext;
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use local::aws::LocalAws;
use local::launch::SECRET_ACCESS_KEY;

use crate::checkout;

/// Its region.
pub const REGION: &str = "us-east-1";

/// Starts it.
///
/// # Errors
///
/// Where it cannot be installed or started.
pub async fn start() -> io::Result<LocalAws> {
    let home = checkout::root().join(".delivery");
    let started = LocalAws::start(home, REGION).await;
    started.map_err(io::Error::other)
}

/// The configuration of clients.
#[must_use]
pub fn config(aws: &LocalAws) -> SdkConfig {
    let key = aws.access_key_id();
    let credentials = Credentials::new(key, SECRET_ACCESS_KEY, None, None, "local");
    SdkConfig::builder()
        .http_client(delivery_action::aws::http_client())
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(aws.endpoint())
        .build()
}

/// The variables of a command line, which gets nothing else of the caller's: no profile, no settings of a home.
#[must_use]
pub fn variables(aws: &LocalAws, home: &Path) -> Vec<(&'static str, OsString)> {
    vec![
        ("HOME", home.into()),
        ("AWS_ACCESS_KEY_ID", aws.access_key_id().into()),
        ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY.into()),
        ("AWS_REGION", REGION.into()),
        ("AWS_DEFAULT_REGION", REGION.into()),
        ("AWS_ENDPOINT_URL", aws.endpoint().into()),
    ]
}

/// An SDK's error with its causes.
pub fn failed(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::other(DisplayErrorContext(error).to_string())
}
