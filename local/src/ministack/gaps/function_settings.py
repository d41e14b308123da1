"""The gap: MiniStack 1.5.33 keeps a function's disk size that comes from a parameter as a text, and no SDK can
read its `GetFunction` and `ListFunctions` then; and it gives a function of a nested stack another name when it updates
it, which is another function.

CloudFormation changes a function in place; only another `FunctionName` (or `PackageType`) replaces it.
"""

from ministack.services.cloudformation import provisioners


def with_number(function):
    def handler(*arguments):
        for properties in arguments:
            storage = properties.get("EphemeralStorage") if isinstance(properties, dict) else None
            if storage and "Size" in storage:
                storage["Size"] = int(storage["Size"])
        return function(*arguments)

    return handler


def in_place(function):
    def handler(physical_id, old, new, *rest):
        if not old.get("FunctionName") and not new.get("FunctionName"):
            old, new = {**old, "FunctionName": physical_id}, {**new, "FunctionName": physical_id}
        return function(physical_id, old, new, *rest)

    return handler


function = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
for operation in ("create", "update"):
    function[operation] = with_number(function[operation])
function["update"] = in_place(function["update"])
