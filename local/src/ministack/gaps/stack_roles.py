"""The gap: MiniStack 1.5.33 takes any `RoleARN` for a stack, keeps none, and looks at none.

CloudFormation works as the role: it has to exist in the stack's account and to trust CloudFormation. The stack keeps it,
so that each later operation without a role of its own uses it, and fails when the role is gone.
"""

import json

from ministack.core.responses import get_account_id
from ministack.services import iam
from ministack.services.cloudformation import _stacks, changesets, handlers, helpers

SERVICE = "cloudformation.amazonaws.com"
KEPT = "_role"

execute_change_set = handlers._ACTION_HANDLERS["ExecuteChangeSet"]
describe_stacks = handlers._ACTION_HANDLERS["DescribeStacks"]


def listed(value):
    return value if isinstance(value, list) else [value]


def trusts_cloudformation(role):
    document = role.get("AssumeRolePolicyDocument") or {}
    document = json.loads(document) if isinstance(document, str) else document
    for statement in listed(document.get("Statement") or []):
        principal = statement.get("Principal")
        services = listed(principal.get("Service") or []) if isinstance(principal, dict) else []
        if statement.get("Effect") == "Allow" and SERVICE in services:
            return True
    return False


def refusal(arn):
    """What CloudFormation says of a role that it cannot work as; `None` where it can."""
    _, _, _, _, account, *_ = [*arn.split(":"), *[""] * 6]
    if account and account != get_account_id():
        return helpers._error("AccessDenied", "Cross-account pass role is not allowed.", 403)
    role = iam._roles.get(arn.rsplit("/", 1)[-1])
    if role is None or role["Arn"] != arn or not trusts_cloudformation(role):
        return helpers._error("ValidationError", f"Role {arn} is invalid or cannot be assumed")
    return None


def of_stack(name):
    stack = handlers._resolve_stack(name)
    return None if stack is None or stack["StackStatus"] == "DELETE_COMPLETE" else stack


def keep_in_stack(params, role):
    stack = of_stack(helpers._p(params, "StackName"))
    if stack is not None:
        stack[KEPT] = role


def keep_in_change_set(params, role):
    _, made = changesets._find_change_set(helpers._p(params, "ChangeSetName"), helpers._p(params, "StackName"))
    if made is not None:
        made[KEPT] = role


def with_role(handler, keep):
    def checked(params):
        stack = of_stack(helpers._p(params, "StackName")) or {}
        role = helpers._p(params, "RoleARN") or stack.get(KEPT)
        refused = refusal(role) if role else None
        if refused:
            return refused
        answer = handler(params)
        if answer[0] == 200 and role:
            keep(params, role)
        return answer

    return checked


def execute(params):
    _, made = changesets._find_change_set(helpers._p(params, "ChangeSetName"), helpers._p(params, "StackName"))
    role = (made or {}).get(KEPT)
    refused = refusal(role) if role else None
    if refused:
        return refused
    answer = execute_change_set(params)
    if answer[0] == 200 and role:
        _stacks[made["StackName"]][KEPT] = role
    return answer


def describe(params):
    status, headers, body = describe_stacks(params)
    for stack in list(_stacks.values()):
        if stack.get(KEPT):
            own = f"<StackId>{stack['StackId']}</StackId>"
            body = body.replace(own.encode(), f"{own}<RoleARN>{stack[KEPT]}</RoleARN>".encode())
    return status, headers, body


for operation in ("CreateStack", "UpdateStack", "DeleteStack", "ContinueUpdateRollback", "RollbackStack"):
    handlers._ACTION_HANDLERS[operation] = with_role(handlers._ACTION_HANDLERS[operation], keep_in_stack)
handlers._ACTION_HANDLERS["CreateChangeSet"] = with_role(handlers._ACTION_HANDLERS["CreateChangeSet"], keep_in_change_set)
handlers._ACTION_HANDLERS["ExecuteChangeSet"] = execute
handlers._ACTION_HANDLERS["DescribeStacks"] = describe
