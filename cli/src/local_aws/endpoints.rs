//! Where the local AWS and the engine answer, and how a client reaches them.

use std::collections::BTreeMap;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_codepipeline::config::{Credentials, SharedCredentialsProvider};
use serde::{Deserialize, Serialize};

use crate::args::stack::Architecture;

/// Addresses, region, and the credentials that the local AWS takes. Whoever has these on this machine can run
/// programs as its user; no real account knows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Endpoints {
    /// The local AWS.
    pub(crate) aws: String,
    /// The engine.
    pub(crate) codepipeline: String,
    /// The region that both play.
    pub(crate) region: String,
    /// The key id that clients sign with.
    pub(crate) access_key_id: String,
    /// The key that clients sign with.
    pub(crate) secret_access_key: String,
}

impl Endpoints {
    /// The variables with which `aws` and any SDK find both. `DELIVERY_ARCHITECTURE` has `delivery` publish
    /// packages that can run on this machine, whatever the stack runs on in AWS.
    pub(crate) fn variables(&self) -> BTreeMap<String, String> {
        let architecture = Architecture::of_this_machine().name();
        [
            ("AWS_ENDPOINT_URL", self.aws.as_str()),
            ("AWS_ENDPOINT_URL_CODEPIPELINE", &self.codepipeline),
            ("AWS_REGION", &self.region),
            ("AWS_DEFAULT_REGION", &self.region),
            ("AWS_ACCESS_KEY_ID", &self.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", &self.secret_access_key),
            ("DELIVERY_ARCHITECTURE", architecture),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
    }

    /// The variables as shell commands.
    pub(crate) fn exports(&self) -> String {
        self.variables()
            .iter()
            .fold(String::new(), |text, (name, value)| {
                format!("{text}export {name}={value}\n")
            })
    }

    /// How another shell calls `delivery` here, whatever account it is signed in to.
    pub(crate) fn delivery(&self) -> String {
        let variables = self.variables();
        let assigned = variables
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let assigned: Vec<String> = assigned.collect();
        format!(
            "env -u AWS_PROFILE -u AWS_SESSION_TOKEN {} delivery",
            assigned.join(" ")
        )
    }

    fn config(&self, endpoint: &str) -> SdkConfig {
        let credentials = Credentials::new(
            &self.access_key_id,
            &self.secret_access_key,
            None,
            None,
            "local",
        );
        SdkConfig::builder()
            .http_client(delivery_action::aws::http_client())
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(endpoint)
            .build()
    }

    /// A client of the engine.
    pub(crate) fn codepipeline(&self) -> aws_sdk_codepipeline::Client {
        aws_sdk_codepipeline::Client::new(&self.config(&self.codepipeline))
    }

    /// A client of the local AWS's stacks.
    pub(crate) fn cloudformation(&self) -> aws_sdk_cloudformation::Client {
        aws_sdk_cloudformation::Client::new(&self.config(&self.aws))
    }

    /// A client of the local AWS's functions.
    pub(crate) fn lambda(&self) -> aws_sdk_lambda::Client {
        aws_sdk_lambda::Client::new(&self.config(&self.aws))
    }

    /// A client of the local AWS's logs.
    pub(crate) fn logs(&self) -> aws_sdk_cloudwatchlogs::Client {
        aws_sdk_cloudwatchlogs::Client::new(&self.config(&self.aws))
    }
}
