"""The gap: when a nested stack of MiniStack 1.5.33 fails, nothing in the parent leads to it, and what it made stays.

CloudFormation names the nested stack in the parent's event, whose reason lists what failed, and deletes what a
failed creation made.
"""

import re

from ministack.services.cloudformation import _stack_events, _stacks, provisioners, stacks

STACK = "AWS::CloudFormation::Stack"
EMBEDDED = re.compile(r"Embedded stack (\S+) was not successfully (?:created|updated|deleted): ")

add_event = stacks._add_event
operations = provisioners._RESOURCE_HANDLERS[STACK]
create, update = operations["create"], operations["update"]


def failed_resources(stack):
    """What failed in a stack, first things first."""
    failed = []
    for event in _stack_events.get(stack["StackId"], []):
        name = event["LogicalResourceId"]
        if event["ResourceStatus"] in ("CREATE_FAILED", "UPDATE_FAILED") and name not in (*failed, stack["StackName"]):
            failed.append(name)
    return failed


def end(stack, verb, error):
    """The event of the nested stack's own failure, and the reason that its parent gets."""
    status = "CREATE_FAILED" if verb == "create" else "UPDATE_FAILED"
    failed = failed_resources(stack)
    reason = f"The following resource(s) failed to {verb}: [{', '.join(failed)}]. " if failed else str(error)
    stack.update(StackStatus=status, StackStatusReason=reason)
    name, stack_id = stack["StackName"], stack["StackId"]
    add_event(stack_id, name, name, STACK, status, reason, physical_id=stack_id)
    return ValueError(f"Embedded stack {stack_id} was not successfully {verb}d: {reason}")


def create_or_name(logical_id, properties, parent):
    known = set(_stacks)
    try:
        return create(logical_id, properties, parent)
    except Exception as error:  # whatever a handler raises is the nested stack's failure
        made = [name for name in _stacks if name not in known and name.startswith(f"{parent}-{logical_id}-")]
        if not made:
            raise
        stack = _stacks[made[0]]
        reason = end(stack, "create", error)
        operations["delete"](stack["StackId"], properties)
        raise reason from error


def update_or_name(physical_id, old, new, parent):
    try:
        return update(physical_id, old, new, parent)
    except Exception as error:  # as above
        stack = _stacks.get(provisioners._nested_stack_lookup_name(physical_id))
        if stack is None or stack["StackStatus"] != "UPDATE_FAILED":
            raise
        raise end(stack, "update", error) from error


def event_with_nested_stack(
    stack_id, stack_name, logical_id, resource_type, status, reason="", physical_id="", detailed_status=""
):
    embedded = EMBEDDED.match(reason or "")
    if embedded and resource_type == STACK and not physical_id:
        physical_id = embedded[1]
    add_event(stack_id, stack_name, logical_id, resource_type, status, reason, physical_id, detailed_status)


operations["create"], operations["update"] = create_or_name, update_or_name
stacks._add_event = event_with_nested_stack
