"""A hook, as those written for CodeDeploy are."""

import os

import boto3


def handler(event, context):
    if "STATUS" in os.environ:
        boto3.client("codedeploy").put_lifecycle_event_hook_execution_status(
            deploymentId=event["DeploymentId"],
            lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
            status=os.environ["STATUS"],
        )
