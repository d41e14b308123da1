//! The job: the content of a `CodePipeline.job` event.
//!
//! The event contains credentials, so it is never logged, and `Debug` hides them. The types of `aws_lambda_events`
//! are not used because they lack `encryptionKey` and print credentials. Source of the shape: CodePipeline User
//! Guide, "Invoke an AWS Lambda function in a pipeline".

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use crate::clock::Deadline;
use crate::env::LogLocation;
use crate::failure::cut_end;
use crate::text::one_line;

mod error;
mod find_id;

pub use error::{ArtifactCountError, EventError};
pub use find_id::job_id_in;

/// The only key of the event.
pub const EVENT_KEY: &str = "CodePipeline.job";

/// Longest job id in logs and messages, in characters; CodePipeline's have 36
/// (`API_PutJobFailureResult`, `jobId`).
const MAX_SHOWN_ID_CHARS: usize = 64;

/// Longest key of an object, in bytes (S3 User Guide, "Naming Amazon S3 objects").
const MAX_KEY_BYTES: usize = 1_024;

/// Longest name of a bucket that ever was, in characters (S3 User Guide, "Bucket naming rules").
const MAX_BUCKET_CHARS: usize = 255;

/// Longest id of a KMS key, in characters (KMS API, `KeyId`).
const MAX_KMS_KEY_CHARS: usize = 2_048;

/// A job's id; CodePipeline makes a new one for each continuation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(transparent)]
pub struct JobId(String);

impl JobId {
    /// The id as CodePipeline writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobId {
    /// Truncated and without control characters, because an event can contain anything as its id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&cut_end(&one_line(&self.0), MAX_SHOWN_ID_CHARS))
    }
}

impl From<&str> for JobId {
    fn from(id: &str) -> Self {
        Self(id.to_owned())
    }
}

/// One job: the work of one invocation of the function.
#[derive(Clone, Debug)]
pub struct Job {
    /// The job's id.
    pub id: JobId,
    /// The account of the pipeline, 12 digits.
    pub account_id: String,
    /// The invocation of the function that runs the job.
    pub invocation: Invocation,
    /// The action's input artifacts, 0 to 5, in the order of the pipeline's declaration.
    pub input_artifacts: Vec<Artifact>,
    /// The action's output artifacts, 0 to 5, with the locations that CodePipeline chose for them.
    pub output_artifacts: Vec<Artifact>,
    /// Credentials for the artifact store; `None` in events of some test tools.
    pub credentials: Option<ArtifactCredentials>,
    /// The customer's key of the artifact store; `None` with the service's default key.
    pub encryption_key: Option<EncryptionKey>,
    /// The token that the previous job of this action execution returned; `None` in the first job.
    pub continuation_token: Option<String>,
    /// `UserParameters` as configured; `None` if not configured.
    pub user_parameters: Option<String>,
}

/// One invocation of the function: Lambda may deliver a job more than once.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Lambda's request id.
    pub request_id: String,
    /// When Lambda ends the function.
    pub deadline: Deadline,
    /// The invocation's log stream.
    pub log: LogLocation,
    /// The function's name; `None` outside Lambda.
    pub function: Option<String>,
}

/// An artifact of the pipeline and its location in the artifact store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// The name in the pipeline's declaration.
    pub name: String,
    /// The source revision; often absent.
    pub revision: Option<String>,
    /// The artifact store's bucket.
    pub bucket: String,
    /// The object's key.
    pub key: String,
}

impl fmt::Display for Artifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` (`s3://{}/{}`)", self.name, self.bucket, self.key)
    }
}

/// The job's own, short-lived credentials for the artifact store.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactCredentials {
    access_key_id: SecretString,
    secret_access_key: SecretString,
    session_token: Option<SecretString>,
}

impl ArtifactCredentials {
    /// Creates credentials.
    #[must_use]
    pub fn new(access_key_id: &str, secret_access_key: &str, session_token: Option<&str>) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            secret_access_key: secret_access_key.into(),
            session_token: session_token.map(Into::into),
        }
    }

    /// Access key id, secret access key and session token, for the S3 client alone.
    pub(crate) fn expose(&self) -> (&str, &str, Option<&str>) {
        (
            self.access_key_id.expose_secret(),
            self.secret_access_key.expose_secret(),
            self.session_token.as_ref().map(ExposeSecret::expose_secret),
        )
    }
}

impl fmt::Debug for ArtifactCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ArtifactCredentials(hidden)")
    }
}

/// The customer's KMS key of the artifact store.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct EncryptionKey {
    /// Key id, key ARN or alias ARN.
    pub id: String,
}

impl Job {
    /// Reads a job from an event.
    ///
    /// # Errors
    ///
    /// [`EventError`] if the event is not one that CodePipeline sends.
    pub fn from_event(event: &Value, invocation: Invocation) -> Result<Self, EventError> {
        let body = event.get(EVENT_KEY).ok_or(EventError::NotAJob)?;
        let body = JobBody::deserialize(body).map_err(|error| EventError::shape(&error))?;
        let data = body.data;
        let configuration = data.action_configuration.configuration;
        check_function(&configuration, &invocation)?;
        let job = Self {
            id: body.id,
            account_id: body.account_id.unwrap_or_default(),
            invocation,
            input_artifacts: data
                .input_artifacts
                .into_iter()
                .map(Artifact::from)
                .collect(),
            output_artifacts: data
                .output_artifacts
                .into_iter()
                .map(Artifact::from)
                .collect(),
            credentials: data.artifact_credentials,
            encryption_key: data.encryption_key,
            continuation_token: data.continuation_token,
            user_parameters: configuration.user_parameters,
        };
        job.check()?;
        Ok(job)
    }

    /// Checks the values that the SDK puts into requests unchanged: it panics on some that are not allowed there.
    fn check(&self) -> Result<(), EventError> {
        let account = &self.account_id;
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        expect("accountId", "12 digits", account.is_empty() || is_account)?;
        if let Some(credentials) = &self.credentials {
            let (id, secret, token) = credentials.expose();
            let field = "data.artifactCredentials";
            let fits = [Some(id), Some(secret), token]
                .into_iter()
                .flatten()
                .all(is_visible_ascii);
            expect(field, "values of visible ASCII characters", fits)?;
        }
        if let Some(key) = &self.encryption_key {
            let fits = is_visible_ascii(&key.id) && (1..=MAX_KMS_KEY_CHARS).contains(&key.id.len());
            expect("data.encryptionKey.id", "the id or ARN of a KMS key", fits)?;
        }
        for artifact in self.input_artifacts.iter().chain(&self.output_artifacts) {
            let known = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
            let bucket = &artifact.bucket;
            let fits = (1..=MAX_BUCKET_CHARS).contains(&bucket.len()) && bucket.bytes().all(known);
            expect("s3Location.bucketName", "the name of a bucket", fits)?;
            let fits = (1..=MAX_KEY_BYTES).contains(&artifact.key.len());
            expect("s3Location.objectKey", "a key of 1 to 1024 bytes", fits)?;
        }
        Ok(())
    }

    /// The only input artifact.
    ///
    /// # Errors
    ///
    /// [`ArtifactCountError`] unless there is exactly one.
    pub fn only_input(&self) -> Result<&Artifact, ArtifactCountError> {
        only(&self.input_artifacts, "input")
    }

    /// The only output artifact.
    ///
    /// # Errors
    ///
    /// [`ArtifactCountError`] unless there is exactly one.
    pub fn only_output(&self) -> Result<&Artifact, ArtifactCountError> {
        only(&self.output_artifacts, "output")
    }

    /// Checks that the action has no output artifact.
    ///
    /// # Errors
    ///
    /// [`ArtifactCountError`] if there is one, which would stay empty.
    pub fn no_output(&self) -> Result<(), ArtifactCountError> {
        if self.output_artifacts.is_empty() {
            return Ok(());
        }
        Err(ArtifactCountError::new("output", 0, &self.output_artifacts))
    }
}

/// The job id of an event that may be invalid otherwise.
#[must_use]
pub fn job_id_of(event: &Value) -> Option<JobId> {
    let id = event.get(EVENT_KEY)?.get("id")?.as_str()?;
    (!id.is_empty()).then(|| JobId::from(id))
}

fn expect(field: &'static str, expected: &'static str, fits: bool) -> Result<(), EventError> {
    if fits {
        Ok(())
    } else {
        Err(EventError::Value { field, expected })
    }
}

fn is_visible_ascii(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Checks that the event is for this function, in case it was sent to the wrong one. This does not protect against
/// someone who forges an event.
fn check_function(
    configuration: &Configuration,
    invocation: &Invocation,
) -> Result<(), EventError> {
    match (&configuration.function_name, &invocation.function) {
        (Some(named), Some(own)) if unqualified(named) != own => {
            Err(EventError::OtherFunction { own: own.clone() })
        }
        _ => Ok(()),
    }
}

/// The function's name, given as a name, a name with version or alias, or an ARN.
fn unqualified(function: &str) -> &str {
    let name = function
        .split_once(":function:")
        .map_or(function, |(_, name)| name);
    name.split(':').next().unwrap_or(name)
}

fn only<'a>(
    artifacts: &'a [Artifact],
    side: &'static str,
) -> Result<&'a Artifact, ArtifactCountError> {
    match artifacts {
        [artifact] => Ok(artifact),
        _ => Err(ArtifactCountError::new(side, 1, artifacts)),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JobBody {
    id: JobId,
    account_id: Option<String>,
    data: JobData,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JobData {
    #[serde(default)]
    action_configuration: ActionConfiguration,
    #[serde(default)]
    input_artifacts: Vec<ArtifactBody>,
    #[serde(default)]
    output_artifacts: Vec<ArtifactBody>,
    artifact_credentials: Option<ArtifactCredentials>,
    encryption_key: Option<EncryptionKey>,
    continuation_token: Option<String>,
}

#[derive(Default, Deserialize)]
struct ActionConfiguration {
    #[serde(default)]
    configuration: Configuration,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Configuration {
    function_name: Option<String>,
    user_parameters: Option<String>,
}

#[derive(Deserialize)]
struct ArtifactBody {
    name: String,
    revision: Option<String>,
    location: LocationBody,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LocationBody {
    s3_location: S3LocationBody,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct S3LocationBody {
    bucket_name: String,
    object_key: String,
}

impl From<ArtifactBody> for Artifact {
    fn from(body: ArtifactBody) -> Self {
        let location = body.location.s3_location;
        Self {
            name: body.name,
            revision: body.revision,
            bucket: location.bucket_name,
            key: location.object_key,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::failure::{ActionError as _, FailureType};

    fn invocation() -> Invocation {
        Invocation {
            request_id: "r".to_owned(),
            deadline: Deadline::after(Duration::from_mins(1)),
            log: LogLocation::default(),
            function: Some("f".to_owned()),
        }
    }

    fn event() -> Value {
        json!({"CodePipeline.job": {
            "id": "11111111-abcd-1111-abcd-111111abcdef", "accountId": "111122223333",
            "data": {
                "actionConfiguration": {"configuration": {"FunctionName": "f", "UserParameters": "a=1"}},
                "inputArtifacts": [{"name": "SourceOutput", "revision": null, "location":
                    {"type": "S3", "s3Location": {"bucketName": "b", "objectKey": "p/SourceOutp/x"}}}],
                "outputArtifacts": [],
                "artifactCredentials": {"accessKeyId": "AKIAPLANTED", "secretAccessKey": "planted-secret",
                    "sessionToken": "planted-token", "expirationTime": 1_575_493_418_000_u64},
                "encryptionKey": {"id": "arn:aws:kms:eu-west-1:111122223333:key/k", "type": "KMS"},
                "continuationToken": "t"
            }
        }})
    }

    #[test]
    fn a_full_event_is_read_whole() {
        let job = Job::from_event(&event(), invocation()).unwrap();
        assert_eq!(job.id.as_str(), "11111111-abcd-1111-abcd-111111abcdef");
        assert_eq!(job.user_parameters.as_deref(), Some("a=1"));
        assert_eq!(job.continuation_token.as_deref(), Some("t"));
        assert_eq!(
            job.only_input().unwrap().to_string(),
            "`SourceOutput` (`s3://b/p/SourceOutp/x`)"
        );
        assert_eq!(
            job.credentials.as_ref().unwrap().expose(),
            ("AKIAPLANTED", "planted-secret", Some("planted-token"))
        );
        assert!(job.encryption_key.is_some());
    }

    #[test]
    fn optional_fields_may_be_absent() {
        let event = json!({"CodePipeline.job": {"id": "1", "data": {}}});
        let job = Job::from_event(&event, invocation()).unwrap();
        assert_eq!(job.input_artifacts, []);
        assert_eq!(job.user_parameters, None);
        assert!(job.credentials.is_none());
    }

    #[test]
    fn debug_shows_no_credentials() {
        let shown = format!("{:?}", Job::from_event(&event(), invocation()).unwrap());
        assert!(
            !shown.contains("PLANTED") && !shown.contains("planted"),
            "{shown}"
        );
    }

    #[test]
    fn an_unreadable_event_still_gives_its_job_id() {
        let mut event = event();
        event["CodePipeline.job"]["data"]["inputArtifacts"] = json!("not a list");
        let error = Job::from_event(&event, invocation()).unwrap_err();
        assert_eq!(
            crate::failure::chain(&error),
            "the event's `CodePipeline.job` cannot be read: expected a sequence"
        );
        assert_eq!(
            job_id_of(&event),
            Some("11111111-abcd-1111-abcd-111111abcdef".into())
        );
    }

    #[test]
    fn a_wrong_number_of_artifacts_is_named() {
        let job = Job::from_event(&event(), invocation()).unwrap();
        assert_eq!(
            job.only_output().unwrap_err().to_string(),
            "the action takes 1 output artifact but has none"
        );
    }

    #[test_case::test_case("/data/artifactCredentials/sessionToken", "planted\ntoken", "the event has an invalid `data.artifactCredentials`: expected values of visible ASCII characters"; "token")]
    #[test_case::test_case("/data/inputArtifacts/0/location/s3Location/objectKey", &"k".repeat(100_000), "the event has an invalid `s3Location.objectKey`: expected a key of 1 to 1024 bytes"; "key")]
    #[test_case::test_case("/data/inputArtifacts/0/location/s3Location/bucketName", "a/b", "the event has an invalid `s3Location.bucketName`: expected the name of a bucket"; "bucket")]
    #[test_case::test_case("/data/encryptionKey/id", "planted\r\nx-evil: 1", "the event has an invalid `data.encryptionKey.id`: expected the id or ARN of a KMS key"; "KMS key")]
    #[test_case::test_case("/accountId", "1111", "the event has an invalid `accountId`: expected 12 digits"; "account")]
    #[test_case::test_case("/data/actionConfiguration/configuration/FunctionName", "other", "the event is for a different function than `f`"; "function")]
    fn a_value_that_cannot_be_used_is_named_and_not_shown(field: &str, value: &str, message: &str) {
        let mut event = event();
        *event["CodePipeline.job"].pointer_mut(field).unwrap() = value.into();
        let error = Job::from_event(&event, invocation()).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert_eq!(error.failure_type(), FailureType::ConfigurationError);
    }

    #[test_case::test_case("f")]
    #[test_case::test_case("f:live")]
    #[test_case::test_case("111122223333:function:f")]
    #[test_case::test_case("arn:aws:lambda:eu-west-1:111122223333:function:f:live")]
    fn a_function_has_several_names(name: &str) {
        assert_eq!(unqualified(name), "f");
    }
}
