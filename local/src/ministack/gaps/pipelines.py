"""The gap: MiniStack 1.5.33 has no `AWS::CodePipeline::Pipeline`.

The gateway makes pipelines in the engine, as CloudFormation's own handler does by the CodePipeline API.
"""

from ministack.services.cloudformation import _stacks, provisioners, stacks

from . import gateway

TYPE = "AWS::CodePipeline::Pipeline"


def change(kind, stack_name, logical_id, properties, physical_id=None):
    # CloudFormation's own tags are not for the API, which keeps their prefix for AWS.
    tags = [tag for tag in properties.get("Tags") or [] if not tag["Key"].startswith("aws:")]
    event = {
        "RequestType": kind,
        "StackId": (_stacks.get(stack_name) or {}).get("StackId", stack_name),
        "LogicalResourceId": logical_id,
        "PhysicalResourceId": physical_id,
        "ResourceProperties": {**properties, "Tags": tags},
    }
    answer = gateway.call("POST", "pipeline-resource", event)
    if answer["Status"] != "SUCCESS":
        raise ValueError(answer["Reason"])
    return answer["PhysicalResourceId"], answer["Data"]


def create(logical_id, properties, stack_name):
    return change("Create", stack_name, logical_id, properties)


def update(physical_id, _old, new, stack_name, logical_id):
    return change("Update", stack_name, logical_id, new, physical_id)


def delete(physical_id, properties):
    change("Delete", "", "", properties, physical_id)


provisioners._RESOURCE_HANDLERS[TYPE] = {
    "create": create,
    "update": update,
    "update_with_logical_id": True,
    "delete": delete,
}
provisioners._STACK_TAG_PROPERTY[TYPE] = ("Tags", "list")

# It waits for the engine, so it must not hold up the event loop.
runs_on_worker_thread = stacks._runs_on_worker_thread
stacks._runs_on_worker_thread = lambda kind: kind == TYPE or runs_on_worker_thread(kind)
