"""The gap: MiniStack 1.5.33 keeps a stack's policy and does not follow it.

CloudFormation fails the resource of an update that the policy does not allow to be modified, replaced or deleted, and rolls
the update back. A policy for one update alone (`StackPolicyDuringUpdate`) is refused here.
"""

import fnmatch
import json

from ministack.services.cloudformation import _stacks, handlers, helpers, stacks

update_resource = stacks._update_keeping_seed
validate = stacks._fail_property_validation
update_stack = handlers._ACTION_HANDLERS["UpdateStack"]

ROLLED_BACK = ("_template", "_resolved_params", "_template_body", "_conditions", "Parameters", "Tags", "Outputs")


def listed(value):
    return value if isinstance(value, list) else [value]


def matches(statement, name, value):
    """Whether `Action` or `Resource` is meant, or `NotAction` or `NotResource` is not."""
    if f"Not{name}" in statement:
        return not any(fnmatch.fnmatchcase(value, pattern) for pattern in listed(statement[f"Not{name}"]))
    return any(fnmatch.fnmatchcase(value, pattern) for pattern in listed(statement.get(name, [])))


def holds(statement, kind):
    """Conditions know the resource's type only (User Guide, "Defining a stack policy")."""
    conditions = statement.get("Condition") or {}
    return all(
        any(fnmatch.fnmatchcase(kind, pattern) for pattern in listed(keys.get("ResourceType", [])))
        for keys in conditions.values()
    )


def refusal(stack, action, logical_id, kind):
    """Why the policy of a stack forbids an action on a resource; `None` where it allows it."""
    policy = stack.get("_stack_policy")
    if not policy:
        return None
    resource, allowed = f"LogicalResourceId/{logical_id}", False
    for number, statement in enumerate(listed(json.loads(policy)["Statement"]), 1):
        meant = matches(statement, "Action", action) and matches(statement, "Resource", resource)
        if not meant or not holds(statement, kind):
            continue
        if statement["Effect"] == "Deny":
            return f"Action denied by stack policy: Statement [#{number}] does not allow [{action}] for resource [{resource}]"
        allowed = True
    return None if allowed else "Action not allowed by stack policy"


def update(kind, physical_id, old, new, stack_name, logical_id, attributes):
    # Rollbacks do not come this way.
    if old != new:
        action = "Update:Replace" if stacks._replacing_change(kind, old, new) else "Update:Modify"
        reason = refusal(_stacks.get(stack_name) or {}, action, logical_id, kind)
        if reason:
            raise ValueError(reason)
    return update_resource(kind, physical_id, old, new, stack_name, logical_id, attributes)


def fail(stack, stack_id, stack_name, definitions, ordered, params, conditions, mappings, disable_rollback, previous_stack=None):
    """Before anything is changed: what the template no longer has must be allowed to go."""
    gone = {name: one for name, one in (previous_stack or {}).get("_resources", {}).items() if name not in ordered}
    reasons = {name: refusal(stack, "Update:Delete", name, one["ResourceType"]) for name, one in gone.items()}
    refused = {name: reason for name, reason in reasons.items() if reason}
    if not refused:
        return validate(
            stack, stack_id, stack_name, definitions, ordered, params, conditions, mappings, disable_rollback, previous_stack
        )
    event = lambda name, *rest: stacks._add_event(stack_id, stack_name, name, *rest)
    for name, reason in refused.items():
        event(name, gone[name]["ResourceType"], "UPDATE_FAILED", reason, gone[name]["PhysicalResourceId"])
    stack.update({key: previous_stack[key] for key in ROLLED_BACK if key in previous_stack})
    reason = f"The following resource(s) failed to update: [{', '.join(sorted(refused))}]. "
    ends = ["UPDATE_FAILED"] if disable_rollback else ["UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"]
    for status in ends:
        event(stack_name, "AWS::CloudFormation::Stack", status, reason if status == ends[0] else "", stack_id)
    stack["StackStatus"] = ends[-1]
    return True


def update_by_the_kept_policy(params):
    if any(name.startswith("StackPolicyDuringUpdate") for name in params):
        message = "the local AWS knows no StackPolicyDuringUpdate: set the stack's policy before the update, and again after it"
        return helpers._error("ValidationError", message)
    return update_stack(params)


stacks._update_keeping_seed = update
stacks._fail_property_validation = fail
handlers._ACTION_HANDLERS["UpdateStack"] = update_by_the_kept_policy
