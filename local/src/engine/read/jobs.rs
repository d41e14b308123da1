//! A job as its function sees it: the `CodePipeline.job` event, and `GetJobDetails`.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::engine::credentials::Credentials;
use crate::engine::execution::StoredArtifact;
use crate::engine::identity::JobId;
use crate::engine::message::{JobRequest, Refusal};
use crate::engine::state::State;

use super::present;

impl State {
    /// `JobDetails`, with credentials.
    pub(crate) fn read_job(&self, id: &JobId, credentials: &Credentials) -> Result<Value, Refusal> {
        let not_found = || Refusal::JobNotFound(id.clone());
        let request = self.job_request(id).ok_or_else(not_found)?;
        let action = self.actions.get(&request.action).ok_or_else(not_found)?;
        let execution = self
            .executions
            .get(&action.execution)
            .ok_or_else(not_found)?;
        let mut data = data(&request, credentials, None);
        // `null` stands in the event; an answer of the API leaves out what has no value.
        for kind in ["inputArtifacts", "outputArtifacts"] {
            let artifacts = data[kind].as_array_mut().into_iter().flatten();
            artifacts.for_each(|artifact| *artifact = present(artifact.take()));
        }
        data["actionTypeId"] = json!(action.action.action_type_id);
        data["pipelineContext"] = json!({
            "pipelineName": execution.pipeline,
            "stage": {"name": action.stage},
            "action": {"name": action.action.name, "actionExecutionId": action.id},
            "pipelineArn": self.pipeline_arn(&execution.pipeline),
            "pipelineExecutionId": execution.id,
        });
        Ok(json!({"id": id, "accountId": self.account_id, "data": data}))
    }
}

/// The event that a job's function is invoked with.
pub(crate) fn event(
    request: &JobRequest,
    account_id: &str,
    credentials: &Credentials,
    expiration: Timestamp,
) -> Value {
    json!({"CodePipeline.job": {
        "id": request.job,
        "accountId": account_id,
        "data": data(request, credentials, Some(expiration)),
    }})
}

fn data(request: &JobRequest, credentials: &Credentials, expiration: Option<Timestamp>) -> Value {
    let credentials = present(json!({
        "accessKeyId": credentials.access_key_id,
        "secretAccessKey": credentials.secret_access_key,
        "sessionToken": credentials.session_token,
        "expirationTime": expiration.map(Timestamp::as_millisecond),
    }));
    present(json!({
        "actionConfiguration": {"configuration": request.configuration},
        "inputArtifacts": locations(&request.inputs),
        "outputArtifacts": locations(&request.outputs),
        "artifactCredentials": credentials,
        "continuationToken": request.continuation_token,
        "encryptionKey": request.encryption_key,
    }))
}

fn locations(artifacts: &[StoredArtifact]) -> Value {
    let location = |artifact: &StoredArtifact| {
        json!({
            "name": artifact.name,
            "revision": artifact.revision,
            "location": {
                "type": "S3",
                "s3Location": {"bucketName": artifact.bucket, "objectKey": artifact.key},
            },
        })
    };
    artifacts.iter().map(location).collect()
}
