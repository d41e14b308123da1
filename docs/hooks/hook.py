def hook(check):
    """Makes a check the handler of a hook: it passes unless it raises. CodeDeploy's events have no `Delivery`."""

    def handler(event, context):
        verdict = {"status": "Succeeded"}
        try:
            check(event)
        except Exception as error:
            verdict = {"status": "Failed", "message": str(error)}
        if "Delivery" not in event:
            import boto3

            boto3.client("codedeploy").put_lifecycle_event_hook_execution_status(
                deploymentId=event["DeploymentId"],
                lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
                status=verdict["status"],
            )
        return verdict

    return handler
