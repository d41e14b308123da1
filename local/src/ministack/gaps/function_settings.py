"""The gap: MiniStack 1.5.33 keeps a function's disk size that comes from a parameter as a text, and no SDK can
read its `GetFunction` and `ListFunctions` then.
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


function = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
for operation in ("create", "update"):
    function[operation] = with_number(function[operation])
