"""The gap: MiniStack 1.5.33 takes changes of a stack that CloudFormation refuses.

A change set of type CREATE is for a new name only, or for one that a first change set reserved (and whose stack
stays the same then); one of type UPDATE, and a deletion, are for a stack at rest.
"""

from ministack.services.cloudformation import _change_sets, _stack_events, _stacks, handlers, helpers

CHANGEABLE = {
    "CREATE_COMPLETE",
    "CREATE_FAILED",  # of `OnStackFailure=DO_NOTHING`: what was made is there, and an update may go on from it
    "UPDATE_COMPLETE",
    "UPDATE_FAILED",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
}

create_change_set = handlers._ACTION_HANDLERS["CreateChangeSet"]
update_stack = handlers._ACTION_HANDLERS["UpdateStack"]
delete_stack = handlers._ACTION_HANDLERS["DeleteStack"]


def existing(params):
    stack = handlers._resolve_stack(helpers._p(params, "StackName"))
    return None if stack is None or stack["StackStatus"] == "DELETE_COMPLETE" else stack


def unchangeable(stack):
    if stack is None or stack["StackStatus"] in CHANGEABLE:
        return None
    message = f"Stack:{stack['StackId']} is in {stack['StackStatus']} state and can not be updated."
    return helpers._error("ValidationError", message)


def create_change_set_at_rest(params):
    stack, kind = existing(params), helpers._p(params, "ChangeSetType", "UPDATE")
    if kind == "UPDATE":
        return unchangeable(stack) or create_change_set(params)
    if kind != "CREATE" or stack is None:
        return create_change_set(params)
    if stack["StackStatus"] == "REVIEW_IN_PROGRESS":
        return another_change_set(params, stack)
    name, change_set = stack["StackName"], helpers._p(params, "ChangeSetName")
    message = f"Stack [{name}] already exists and cannot be created again with the changeSet [{change_set}]."
    return helpers._error("ValidationError", message)


def another_change_set(params, stack):
    """MiniStack makes another stack of the name; the one that is there has to stay."""
    name, stack_id = stack["StackName"], stack["StackId"]
    status, headers, body = create_change_set(params)
    made = _stacks.get(name)
    _stacks[name] = stack
    if made is not None and made is not stack:
        _stack_events.pop(made["StackId"], None)
        for change_set in _change_sets.values():
            if change_set["StackId"] == made["StackId"]:
                change_set["StackId"] = stack_id
        body = body.replace(made["StackId"].encode(), stack_id.encode())
    return status, headers, body


def delete_stack_at_rest(params):
    stack = existing(params)
    status = stack["StackStatus"] if stack else ""
    if status == "DELETE_IN_PROGRESS":
        return helpers._xml(200, "DeleteStackResponse", "")
    if status.startswith("UPDATE_") and status.endswith("_IN_PROGRESS"):
        message = f"Stack [{stack['StackId']}] cannot be deleted while in status {status}"
        return helpers._error("ValidationError", message)
    return delete_stack(params)


handlers._ACTION_HANDLERS["CreateChangeSet"] = create_change_set_at_rest
handlers._ACTION_HANDLERS["UpdateStack"] = lambda params: unchangeable(existing(params)) or update_stack(params)
handlers._ACTION_HANDLERS["DeleteStack"] = delete_stack_at_rest
