//! The engine's ports, as clients of the local AWS.

use std::path::Path;
use std::sync::Arc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::{Credentials as SdkCredentials, SharedCredentialsProvider};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::ServerSideEncryption;
use delivery_action::aws::{CallError, CallErrorKind};
use delivery_action::failure::ActionError;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

use super::commands::{Role, Runner};
use super::credentials::Credentials;
use super::ports::{
    ArtifactStore, BusEvent, EventBus, FunctionInvoker, Notifier, PortError, PortFuture, Ports,
    Roles,
};
use crate::launch::SECRET_ACCESS_KEY;

/// The source of the events. AWS's own is `aws.codepipeline`, but `PutEvents` never accepts `aws.*`, neither
/// here nor on AWS; see `docs/decisions/0021-event-source.md`.
pub const EVENT_SOURCE: &str = "local.codepipeline";

/// Where the local AWS is, and the credentials for it.
#[derive(Clone, Debug)]
pub(crate) struct LocalAws<'a> {
    pub(crate) endpoint: &'a str,
    pub(crate) region: &'a str,
    pub(crate) credentials: &'a Credentials,
}

impl LocalAws<'_> {
    /// The ports over this AWS.
    pub(crate) fn ports(&self) -> Ports {
        let config = SdkConfig::builder()
            .http_client(delivery_action::aws::http_client())
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region.to_owned()))
            .endpoint_url(self.endpoint)
            .credentials_provider(SharedCredentialsProvider::new(self.session()))
            .build();
        let s3 = aws_sdk_s3::config::Builder::from(&config)
            .force_path_style(true)
            .build();
        let iam = aws_sdk_iam::config::Builder::from(&config)
            .credentials_provider(self.service())
            .build();
        let artifacts = Arc::new(Bucket(aws_sdk_s3::Client::from_conf(s3)));
        let commands = Runner {
            artifacts: artifacts.clone(),
            logs: aws_sdk_cloudwatchlogs::Client::new(&config),
            role: Role {
                endpoint: self.endpoint.to_owned(),
                region: self.region.to_owned(),
                credentials: self.credentials.clone(),
            },
        };
        Ports {
            functions: Arc::new(Lambda(aws_sdk_lambda::Client::new(&config))),
            commands: Arc::new(commands),
            artifacts,
            events: Arc::new(Bus(aws_sdk_eventbridge::Client::new(&config))),
            notifications: Arc::new(Topics(aws_sdk_sns::Client::new(&config))),
            roles: Arc::new(Iam(aws_sdk_iam::Client::from_conf(iam))),
        }
    }

    /// The service's own credentials: CodePipeline itself asks IAM, not the pipeline's role, which need not be allowed to.
    /// They are a long-term key of the same environment instead of the session's.
    fn service(&self) -> SdkCredentials {
        let key = self.credentials.access_key_id.replacen("ASIA", "AKIA", 1);
        SdkCredentials::new(key, SECRET_ACCESS_KEY, None, None, "delivery")
    }

    /// The session of the pipeline's role.
    fn session(&self) -> SdkCredentials {
        SdkCredentials::new(
            &self.credentials.access_key_id,
            &self.credentials.secret_access_key,
            Some(self.credentials.session_token.clone()),
            None,
            "delivery",
        )
    }
}

struct Lambda(aws_sdk_lambda::Client);

impl FunctionInvoker for Lambda {
    fn invoke<'a>(
        &'a self,
        function: &'a str,
        event: Vec<u8>,
    ) -> PortFuture<'a, Result<(), PortError>> {
        Box::pin(async move {
            let call = self
                .0
                .invoke()
                .function_name(function)
                .invocation_type(InvocationType::Event)
                .payload(Blob::new(event));
            match call.send().await {
                Ok(_) => Ok(()),
                Err(error) => {
                    let error = CallError::new("lambda:InvokeFunction", function, &error);
                    Err(invocation_error(function, &error))
                }
            }
        })
    }
}

fn invocation_error(function: &str, error: &CallError) -> PortError {
    let mut message = match error.kind {
        CallErrorKind::NotFound => format!(
            "The AWS Lambda function {function} cannot be found. Check the FunctionName of the \
             action, and whether the function was deployed."
        ),
        _ => format!("the function `{function}` cannot be invoked: {error}"),
    };
    if let Some(hint) = error.hint() {
        message.push_str("\nhint: ");
        message.push_str(&hint);
    }
    let code = match error.kind {
        CallErrorKind::NotFound | CallErrorKind::Invalid => "ConfigurationError",
        CallErrorKind::Denied => "PermissionError",
        CallErrorKind::Conflict | CallErrorKind::Unavailable => "SystemUnavailable",
    };
    PortError {
        code: code.to_owned(),
        message,
    }
}

struct Bucket(aws_sdk_s3::Client);

impl ArtifactStore for Bucket {
    fn get<'a>(
        &'a self,
        bucket: &'a str,
        key: &'a str,
        to: &'a Path,
    ) -> PortFuture<'a, Result<(), PortError>> {
        Box::pin(async move {
            let resource = format!("s3://{bucket}/{key}");
            let got = self.0.get_object().bucket(bucket).key(key).send().await;
            let got = answer("s3:GetObject", resource.clone(), got)?;
            let copied = async {
                let mut file = tokio::fs::File::create(to).await?;
                tokio::io::copy(&mut got.body.into_async_read(), &mut file).await?;
                // Without it, the last bytes may still be on their way when the file is opened.
                file.flush().await
            };
            copied.await.map_err(|error| PortError {
                code: "SystemUnavailable".to_owned(),
                message: format!("cannot copy {resource}: {error}"),
            })
        })
    }

    fn put<'a>(
        &'a self,
        bucket: &'a str,
        key: &'a str,
        file: &'a Path,
        encryption_key: Option<&'a str>,
    ) -> PortFuture<'a, Result<(), PortError>> {
        Box::pin(async move {
            let body = ByteStream::from_path(file)
                .await
                .map_err(|error| PortError {
                    code: "SystemUnavailable".to_owned(),
                    message: format!("the source archive cannot be read: {error}"),
                })?;
            // The console's default bucket policy denies everything but this kind of encryption.
            let put = self
                .0
                .put_object()
                .bucket(bucket)
                .key(key)
                .content_type("application/zip")
                .server_side_encryption(ServerSideEncryption::AwsKms)
                .set_ssekms_key_id(encryption_key.map(str::to_owned))
                .body(body);
            let resource = format!("s3://{bucket}/{key}");
            answer("s3:PutObject", resource, put.send().await).map(drop)
        })
    }
}

struct Bus(aws_sdk_eventbridge::Client);

impl EventBus for Bus {
    fn put<'a>(&'a self, events: &'a [BusEvent]) -> PortFuture<'a, Result<(), PortError>> {
        Box::pin(async move {
            let entries = events.iter().filter_map(entry).collect();
            let sent = self.0.put_events().set_entries(Some(entries)).send().await;
            let sent = answer("events:PutEvents", "event bus default", sent)?;
            match sent.entries().iter().find_map(|entry| entry.error_code()) {
                None => Ok(()),
                Some(code) => Err(PortError {
                    code: code.to_owned(),
                    message: format!(
                        "the event bus `default` refused {} of {} events: {code}",
                        sent.failed_entry_count(),
                        events.len()
                    ),
                }),
            }
        })
    }
}

fn entry(event: &BusEvent) -> Option<PutEventsRequestEntry> {
    let change = &event.change;
    let entry = PutEventsRequestEntry::builder()
        .time(DateTime::from_millis(change.time.as_millisecond()))
        .source(EVENT_SOURCE)
        .detail_type(change.detail_type()?)
        .detail(change.detail().to_string())
        .resources(&event.resource);
    Some(entry.build())
}

struct Topics(aws_sdk_sns::Client);

impl Notifier for Topics {
    fn publish<'a>(
        &'a self,
        topic: &'a str,
        subject: &'a str,
        message: String,
    ) -> PortFuture<'a, Result<(), PortError>> {
        Box::pin(async move {
            let call = self.0.publish().topic_arn(topic).subject(subject);
            answer("sns:Publish", topic, call.message(message).send().await).map(drop)
        })
    }
}

struct Iam(aws_sdk_iam::Client);

impl Roles for Iam {
    fn trust_policy<'a>(
        &'a self,
        name: &'a str,
    ) -> PortFuture<'a, Result<Option<Value>, PortError>> {
        Box::pin(async move {
            let role = match self.0.get_role().role_name(name).send().await {
                Ok(found) => found.role,
                Err(error) => {
                    let error = CallError::new("iam:GetRole", name, &error);
                    return match error.kind {
                        CallErrorKind::NotFound => Ok(None),
                        _ => Err(port_error(&error)),
                    };
                }
            };
            // IAM percent-encodes documents (RFC 3986), so that no `&`, `=` or `+` is left in one.
            let encoded = role.and_then(|role| role.assume_role_policy_document);
            let encoded = encoded.unwrap_or_default();
            let document = form_urlencoded::parse(encoded.as_bytes()).next();
            let policy = document.and_then(|(document, _)| serde_json::from_str(&document).ok());
            Ok(Some(policy.unwrap_or_default()))
        })
    }
}

/// What a call returned, its failure as a port's.
fn answer<T, E>(
    action: &'static str,
    resource: impl Into<String>,
    sent: Result<T, SdkError<E, HttpResponse>>,
) -> Result<T, PortError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    sent.map_err(|error| port_error(&CallError::new(action, resource, &error)))
}

pub(super) fn port_error(error: &CallError) -> PortError {
    let failure = delivery_action::failure::Failure::new(error);
    let hint = failure
        .hint
        .map(|hint| format!("\nhint: {hint}"))
        .unwrap_or_default();
    PortError {
        code: format!("{:?}", failure.failure_type),
        message: format!("{}{hint}", failure.cause),
    }
}
