"""The gap: MiniStack 1.5.33 applies no transform to the template of a nested stack: `Unsupported resource type:
AWS::Serverless::Function`.

CloudFormation transforms it as any other, with the parameters that the parent gives, where the parent's request has
`CAPABILITY_AUTO_EXPAND`.
"""

from contextvars import ContextVar

from ministack.services.cloudformation import engine, handlers, provisioners

STACK = "AWS::CloudFormation::Stack"
EXPAND = "CAPABILITY_AUTO_EXPAND"

parse_template = engine._parse_template
deploying = ContextVar("the nested stack whose template is read next: its parent and its properties", default=None)


def parse(body):
    template = parse_template(body)
    nested = deploying.get()
    if nested is None:
        return template
    deploying.set(None)  # what the transform itself reads is another document
    parent, properties = nested
    if handlers._uses_macro(template) and EXPAND not in provisioners._parent_capabilities(parent):
        raise ValueError(handlers._insufficient_capabilities_message([EXPAND]))
    given = properties.get("Parameters") or {}
    provided = [{"Key": key, "Value": "" if value is None else str(value)} for key, value in given.items()]
    transformed = engine._apply_transforms(template, provided)
    if isinstance(transformed, engine._TransformFailed):
        raise ValueError(transformed.error)
    return transformed


def transforming(deploy):
    def deployed(*arguments):
        # (logical id, properties, parent), or (physical id, old properties, new ones, parent)
        token = deploying.set((arguments[-1], arguments[-2]))
        try:
            return deploy(*arguments)
        finally:
            deploying.reset(token)

    return deployed


# Nested stacks look the function up in `engine` each time; the other users hold it by their own names.
engine._parse_template = parse
operations = provisioners._RESOURCE_HANDLERS[STACK]
for operation in ("create", "update"):
    operations[operation] = transforming(operations[operation])
