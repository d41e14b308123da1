"""Calls every operation that the engine serves, in one protocol, and prints what was answered.

usage: operations.py ENDPOINT json|smithy-rpc-v2-cbor

The functions are played by the test that runs this: for a line `job` on standard output it writes the id of the next
job to standard input. The last line is the transcript as JSON, which is the same for every protocol.
"""

import datetime
import json
import sys
import time

import botocore.config
import botocore.exceptions
import botocore.session

ENDPOINT, PROTOCOL = sys.argv[1:]
ARN = "arn:aws:codepipeline:us-east-1:000000000000:p"
PATIENCE = 60  # seconds; only a test that fails waits that long
transcript = []


def client():
    session = botocore.session.Session()
    loader = session.get_component("data_loader")
    load = loader.load_service_model

    def in_one_protocol(*asked, **named):
        model = load(*asked, **named)
        if model.get("metadata", {}).get("serviceId") == "CodePipeline":
            model["metadata"].update(protocol=PROTOCOL, protocols=[PROTOCOL])
        return model

    loader.load_service_model = in_one_protocol
    session.set_credentials("AKIAPLANTED", "test")
    config = botocore.config.Config(parameter_validation=False, retries={"total_max_attempts": 1})
    return session.create_client("codepipeline", "us-east-1", endpoint_url=ENDPOINT, config=config)


def shown(value):
    """What an answer says, without what differs from run to run."""
    if isinstance(value, dict):
        return {key: shown(item) for key, item in value.items() if key != "ResponseMetadata"}
    if isinstance(value, list):
        return [shown(item) for item in value]
    if isinstance(value, datetime.datetime):
        return "datetime" if value.year == 2026 else repr(value)
    if isinstance(value, str) and (len(value) > 20 or value.startswith("p/SourceOutp/")):
        return "a long text"  # ids and keys, and what holds one
    return value


pipelines = client()


def checked(metadata):
    protocol = metadata["HTTPHeaders"].get("smithy-protocol")
    assert (protocol == "rpc-v2-cbor") == (PROTOCOL != "json"), metadata


def call(operation, **arguments):
    answer = getattr(pipelines, operation)(**arguments)
    checked(answer["ResponseMetadata"])
    transcript.append([operation, shown(answer)])
    return answer


def refused(operation, code, **arguments):
    try:
        getattr(pipelines, operation)(**arguments)
    except botocore.exceptions.ClientError as error:
        checked(error.response["ResponseMetadata"])
        found = error.response["Error"]
        assert found["Code"] == code and found["Message"], found
        transcript.append([operation, found["Code"]])
        return error
    raise AssertionError(f"{operation} was not refused")


def job():
    print("job", flush=True)
    return sys.stdin.readline().strip()


def until(reached):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = reached()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it does not happen")


def action(category, provider, name, **members):
    kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": name, "actionTypeId": kind, **members}


source = action(
    "Source",
    "CodeStarSourceConnection",
    "Checkout",
    configuration={"ConnectionArn": "arn:c", "FullRepositoryId": "octo/greeter", "BranchName": "main"},
    outputArtifacts=[{"name": "SourceOutput"}],
    namespace="S",
)
build = action(
    "Invoke",
    "Lambda",
    "a",
    runOrder=1,
    configuration={"FunctionName": "a", "UserParameters": "#{variables.greeting} \N{GRINNING FACE}"},
    inputArtifacts=[{"name": "SourceOutput"}],
)
declaration = {
    "name": "p",
    "roleArn": "arn:aws:iam::000000000000:role/pipeline",
    "pipelineType": "V2",
    "artifactStore": {"type": "S3", "location": "artifact-store"},
    "variables": [{"name": "greeting", "defaultValue": "hello"}],
    "stages": [
        {"name": "Source", "actions": [source]},
        {"name": "Commit", "actions": [build]},
        {"name": "Sign", "actions": [action("Approval", "Manual", "Ask")]},
    ],
}

created = call("create_pipeline", pipeline=declaration, tags=[{"key": "team", "value": "x"}])
assert created["pipeline"]["version"] == 1
assert isinstance(call("get_pipeline", name="p")["metadata"]["created"], datetime.datetime)
assert call("list_pipelines", maxResults=1)["pipelines"][0]["name"] == "p"
call("tag_resource", resourceArn=ARN, tags=[{"key": "stage", "value": "y"}])
call("untag_resource", resourceArn=ARN, tagKeys=["team"])
assert call("list_tags_for_resource", resourceArn=ARN)["tags"] == [{"key": "stage", "value": "y"}]

first = job()
details = call("get_job_details", jobId=first)["jobDetails"]
execution = details["data"]["pipelineContext"]["pipelineExecutionId"]
failure = {"type": "JobFailed", "message": "broken", "externalExecutionId": "x-1"}
call("put_job_failure_result", jobId=first, failureDetails=failure)
place = {"pipelineName": "p", "pipelineExecutionId": execution}
call("retry_stage_execution", stageName="Commit", retryMode="FAILED_ACTIONS", **place)
second = job()
call(
    "put_job_success_result",
    jobId=second,
    currentRevision={
        "revision": "r",
        "changeIdentifier": "c",
        "created": datetime.datetime(2026, 11, 20, 10, tzinfo=datetime.timezone.utc),
    },
    executionDetails={"summary": "done", "percentComplete": 100},
    outputVariables={"Version": "7", "created": "never"},
)


def token():
    states = pipelines.get_pipeline_state(name="p")["stageStates"]
    return states[2]["actionStates"][0].get("latestExecution", {}).get("token")


answer = until(token)
state = call("get_pipeline_state", name="p")
revision = state["stageStates"][1]["actionStates"][0]["currentRevision"]
assert revision["created"].timestamp() == 1795168800, revision
asked = {"pipelineName": "p", "stageName": "Sign", "actionName": "Ask"}
result = {"summary": "ok", "status": "Approved"}
approved = call("put_approval_result", result=result, token=answer, **asked)
assert isinstance(approved["approvedAt"], datetime.datetime)
assert call("get_pipeline_execution", **place)["pipelineExecution"]["status"] == "Succeeded"

transition = {"pipelineName": "p", "stageName": "Commit", "transitionType": "Inbound"}
call("disable_stage_transition", reason="freeze", **transition)
variables = [{"name": "greeting", "value": "bye"}]
started = call("start_pipeline_execution", name="p", variables=variables)["pipelineExecutionId"]


def waits():
    stage = pipelines.get_pipeline_state(name="p")["stageStates"][1]
    return stage.get("inboundExecution", {}).get("pipelineExecutionId") == started


until(waits)
stop = {"pipelineName": "p", "pipelineExecutionId": started}
call("stop_pipeline_execution", abandon=True, reason="wrong", **stop)
call("enable_stage_transition", **transition)

call("list_pipeline_executions", pipelineName="p", filter={"succeededInStage": {"stageName": "Sign"}})
call("list_action_executions", pipelineName="p", filter={"pipelineExecutionId": execution})
for operation, items in [
    ("list_pipeline_executions", "pipelineExecutionSummaries"),
    ("list_action_executions", "actionExecutionDetails"),
]:
    pages = pipelines.get_paginator(operation).paginate(pipelineName="p", PaginationConfig={"PageSize": 1})
    transcript.append([operation, [len(page[items]) for page in pages]])
assert call("update_pipeline", pipeline=declaration)["pipeline"]["version"] == 2

refused("stop_pipeline_execution", "PipelineExecutionNotStoppableException", **stop)
refused("get_job_details", "ValidationException", jobId="x")
refused("list_pipelines", "InvalidNextTokenException", nextToken="x")
refused("poll_for_jobs", "UnknownOperationException", actionTypeId=source["actionTypeId"])
refused("put_job_success_result", "InvalidJobStateException", jobId=second)
call("delete_pipeline", name="p")
error = refused("get_pipeline_state", "PipelineNotFoundException", name="p")
assert isinstance(error, pipelines.exceptions.PipelineNotFoundException), type(error)

print(json.dumps(transcript))
