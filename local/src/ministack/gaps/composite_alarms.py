"""The gap: MiniStack 1.5.33 has composite alarms, and no `AWS::CloudWatch::CompositeAlarm`."""

import json

from ministack.services import cloudwatch
from ministack.services.cloudformation import provisioners

TYPE = "AWS::CloudWatch::CompositeAlarm"
ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")


def put(name, properties):
    if properties.get("ActionsSuppressor"):
        raise ValueError(f"{TYPE} {name}: the local AWS does not suppress actions: leave out ActionsSuppressor")
    data = {
        "AlarmName": name,
        "AlarmRule": str(properties.get("AlarmRule", "")).strip(),
        "AlarmDescription": properties.get("AlarmDescription", ""),
        "ActionsEnabled": str(properties.get("ActionsEnabled", True)).lower() == "true",
        **{actions: properties.get(actions) or [] for actions in ACTIONS},
    }
    answer(cloudwatch._put_composite_alarm({}, data, False, True))
    cloudwatch.cloudformation_set_metric_alarm_tags(name, properties.get("Tags") or [])
    return name, {"Arn": cloudwatch._composite_alarms[name]["AlarmArn"]}


def answer(response):
    status, _, body = response
    if status >= 400:
        raise ValueError(json.loads(body).get("message"))


def name_of(logical_id, properties, stack_name):
    return properties.get("AlarmName") or provisioners._physical_name(stack_name, logical_id, max_len=255)


def create(logical_id, properties, stack_name):
    return put(name_of(logical_id, properties, stack_name), properties)


def update(physical_id, old, new, stack_name, logical_id):
    name = name_of(logical_id, new, stack_name)
    replaced = provisioners._rename_replacement(
        physical_id, old, new, stack_name, logical_id, name, physical_id, create, delete
    )
    return replaced if replaced is not None else put(name, new)


def delete(physical_id, _properties):
    answer(cloudwatch._delete_alarms({}, {"AlarmNames": [physical_id]}, False, True))


provisioners._RESOURCE_HANDLERS[TYPE] = {
    "create": create,
    "update": update,
    "update_with_logical_id": True,
    "delete": delete,
}
provisioners._STACK_TAG_PROPERTY[TYPE] = ("Tags", "list")
