"""The gap: when MiniStack 1.5.33 deletes a nested stack, it deletes resources that must be retained, keeps no events, and
says nothing of what could not be deleted.

CloudFormation deletes a nested stack as it deletes any other: a `DeletionPolicy` counts, and what fails is named
in the nested stack's events and fails the parent.
"""

from ministack.services.cloudformation import _stacks, provisioners, stacks
from ministack.services.cloudformation.engine import _topological_sort

STACK = "AWS::CloudFormation::Stack"


def order(stack):
    """What depends on others first."""
    resources = stack["_resources"]
    definitions = (stack.get("_template") or {}).get("Resources") or {}
    ordered = [name for name in _topological_sort(definitions, stack.get("_conditions") or {}) if name in resources]
    # What the template no longer has could not be deleted earlier, and nothing depends on it.
    return [name for name in resources if name not in ordered] + ordered[::-1]


def delete(physical_id, _properties):
    name = provisioners._nested_stack_lookup_name(physical_id)
    stack = _stacks.get(name)
    if not stack or stack["StackStatus"] == "DELETE_COMPLETE":
        return
    event = lambda *what, **more: stacks._add_event(stack["StackId"], name, *what, **more)
    set_status = lambda status, reason="": (
        stack.update(StackStatus=status, StackStatusReason=reason),
        event(name, STACK, status, reason, physical_id=stack["StackId"]),
    )
    set_status("DELETE_IN_PROGRESS")
    failed = [logical_id for logical_id in order(stack) if not delete_one(stack, name, logical_id, event)]
    if failed:
        reason = f"The following resource(s) failed to delete: [{', '.join(sorted(failed))}]. "
        set_status("DELETE_FAILED", reason)
        raise ValueError(f"Embedded stack {stack['StackId']} was not successfully deleted: {reason}")
    for output in stack.get("Outputs", []):
        provisioners_exports().pop(output.get("ExportName"), None)
    set_status("DELETE_COMPLETE")


def provisioners_exports():
    from ministack.services.cloudformation import _exports

    return _exports


def delete_one(stack, name, logical_id, event):
    """Deletes a resource, or leaves it where it is to stay; whether it left the stack."""
    resources = stack["_resources"]
    resource = resources[logical_id]
    kind, physical_id = resource["ResourceType"], resource["PhysicalResourceId"]
    template = stack.get("_template") or {}
    policy = stacks._resource_policy(
        (template.get("Resources") or {}).get(logical_id),
        "DeletionPolicy",
        resources,
        stack.get("_resolved_params") or {},
        stack.get("_conditions") or {},
        template.get("Mappings") or {},
        name,
        stack["StackId"],
    )
    if policy in provisioners._RETAINING_POLICIES:
        event(logical_id, kind, "DELETE_SKIPPED", physical_id=physical_id)
        resources.pop(logical_id)
        return True
    event(logical_id, kind, "DELETE_IN_PROGRESS", physical_id=physical_id)
    try:
        provisioners._delete_resource(kind, physical_id, resource.get("Properties") or {}, name, logical_id)
    except Exception as error:  # whatever a handler raises is the resource's failure
        event(logical_id, kind, "DELETE_FAILED", str(error), physical_id)
        resource.update(ResourceStatus="DELETE_FAILED", ResourceStatusReason=str(error))
        return False
    event(logical_id, kind, "DELETE_COMPLETE", physical_id=physical_id)
    resources.pop(logical_id)
    return True


provisioners._RESOURCE_HANDLERS[STACK]["delete"] = delete
