//! `CodePipeline.job` events as CodePipeline sends them.

use std::time::Duration;

use serde_json::{Map, Value, json};

use delivery_action::clock::Deadline;
use delivery_action::env::LogLocation;
use delivery_action::job::{EVENT_KEY, Invocation};

/// The account in all events; one of those that AWS reserves for documentation.
pub const ACCOUNT_ID: &str = "111122223333";

/// The job's id where a test does not choose one.
pub const JOB_ID: &str = "11111111-abcd-1111-abcd-111111abcdef";

/// How long an invocation may take where a test does not choose; longer than any test.
const INVOCATION_TIME: Duration = Duration::from_mins(5);

/// A key pair, with or without a session token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keys {
    /// Access key id.
    pub access_key_id: &'static str,
    /// Secret access key.
    pub secret_access_key: &'static str,
    /// Session token.
    pub session_token: Option<&'static str>,
}

/// The function's own credentials.
pub const FUNCTION_KEYS: Keys = Keys {
    access_key_id: "AKIAFUNCTIONROLE0000",
    secret_access_key: "function-secret",
    session_token: None,
};

/// The credentials for the artifact store that every job brings along.
pub const JOB_KEYS: Keys = Keys {
    access_key_id: "ASIAJOBCREDENTIALS00",
    secret_access_key: "job-secret",
    session_token: Some("job-session-token"),
};

/// The credentials of the test itself, which puts things in place and looks at what became of them.
pub const TEST_KEYS: Keys = Keys {
    access_key_id: "AKIATHETESTITSELF000",
    secret_access_key: "test-secret",
    session_token: None,
};

/// Builds an event.
///
/// ```
/// use delivery_testing::events::JobEvent;
///
/// let event = JobEvent::new()
///     .input("DistLambdaOutput", "store", "greeter/DistLambda/aB3xY9z")
///     .user_parameters("function=greeter&alias=test")
///     .build();
/// assert_eq!(event["CodePipeline.job"]["data"]["outputArtifacts"], serde_json::json!([]));
/// ```
#[derive(Clone, Debug)]
pub struct JobEvent {
    id: String,
    configuration: Map<String, Value>,
    inputs: Vec<Value>,
    outputs: Vec<Value>,
    keys: Option<Keys>,
    continuation_token: Option<String>,
    encryption_key: Option<String>,
}

impl Default for JobEvent {
    fn default() -> Self {
        Self::new()
    }
}

impl JobEvent {
    /// An event without artifacts or user parameters, with [`JOB_KEYS`].
    #[must_use]
    pub fn new() -> Self {
        let mut configuration = Map::new();
        configuration.insert("FunctionName".to_owned(), "the-function".into());
        Self {
            id: JOB_ID.to_owned(),
            configuration,
            inputs: Vec::new(),
            outputs: Vec::new(),
            keys: Some(JOB_KEYS),
            continuation_token: None,
            encryption_key: None,
        }
    }

    /// Another job id.
    #[must_use]
    pub fn id(mut self, id: &str) -> Self {
        id.clone_into(&mut self.id);
        self
    }

    /// One more input artifact, without a revision.
    #[must_use]
    pub fn input(self, name: &str, bucket: &str, key: &str) -> Self {
        self.input_of_revision(name, bucket, key, None)
    }

    /// One more input artifact.
    #[must_use]
    pub fn input_of_revision(
        mut self,
        name: &str,
        bucket: &str,
        key: &str,
        revision: Option<&str>,
    ) -> Self {
        self.inputs.push(artifact(name, bucket, key, revision));
        self
    }

    /// One more output artifact.
    #[must_use]
    pub fn output(mut self, name: &str, bucket: &str, key: &str) -> Self {
        self.outputs.push(artifact(name, bucket, key, None));
        self
    }

    /// The action's `UserParameters`.
    #[must_use]
    pub fn user_parameters(mut self, text: &str) -> Self {
        self.configuration
            .insert("UserParameters".to_owned(), text.into());
        self
    }

    /// The job's credentials; `None` leaves them out, as some test tools do.
    #[must_use]
    pub fn credentials(mut self, keys: Option<Keys>) -> Self {
        self.keys = keys;
        self
    }

    /// The token that the job before this one ended with.
    #[must_use]
    pub fn continuation_token(mut self, token: &str) -> Self {
        self.continuation_token = Some(token.to_owned());
        self
    }

    /// The customer's key of the artifact store.
    #[must_use]
    pub fn encryption_key(mut self, id: &str) -> Self {
        self.encryption_key = Some(id.to_owned());
        self
    }

    /// The event.
    #[must_use]
    pub fn build(self) -> Value {
        let mut data = json!({
            "actionConfiguration": {"configuration": self.configuration},
            "inputArtifacts": self.inputs,
            "outputArtifacts": self.outputs,
        });
        if let Some(keys) = self.keys {
            data["artifactCredentials"] = json!({
                "accessKeyId": keys.access_key_id,
                "secretAccessKey": keys.secret_access_key,
                "sessionToken": keys.session_token,
                "expirationTime": 4_102_444_800_000_u64,
            });
        }
        if let Some(token) = self.continuation_token {
            data["continuationToken"] = token.into();
        }
        if let Some(id) = self.encryption_key {
            data["encryptionKey"] = json!({"id": id, "type": "KMS"});
        }
        json!({EVENT_KEY: {"id": self.id, "accountId": ACCOUNT_ID, "data": data}})
    }
}

fn artifact(name: &str, bucket: &str, key: &str, revision: Option<&str>) -> Value {
    json!({
        "name": name,
        "revision": revision,
        "location": {"type": "S3", "s3Location": {"bucketName": bucket, "objectKey": key}},
    })
}

/// An invocation that has time enough.
#[must_use]
pub fn invocation() -> Invocation {
    invocation_of(INVOCATION_TIME)
}

/// An invocation that Lambda ends after `time`.
#[must_use]
pub fn invocation_of(time: Duration) -> Invocation {
    Invocation {
        request_id: "5c3b5a3e-request".to_owned(),
        deadline: Deadline::after(time),
        log: LogLocation {
            group: Some("/aws/lambda/the-function".to_owned()),
            stream: Some("2026/11/21/[$LATEST]0123".to_owned()),
        },
        function: None,
    }
}
