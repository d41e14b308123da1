"""The gap: MiniStack 1.5.33 keeps the description of a template only where a stack was made by `CreateStack`, and
`ListStacks` never tells it.

CloudFormation tells the description of the template that a stack has, however it got it.
"""

import re

from ministack.services.cloudformation import _stacks, handlers
from ministack.services.cloudformation.helpers import _esc

describe_stacks = handlers._ACTION_HANDLERS["DescribeStacks"]
list_stacks = handlers._ACTION_HANDLERS["ListStacks"]

STACK_ID = re.compile(rb"<StackId>([^<]*)</StackId>")


def descriptions():
    """The description of each stack's template by the stack's id."""
    return {
        stack["StackId"]: (stack.get("_template") or {}).get("Description") or stack.get("Description") or ""
        for stack in _stacks.values()
    }


def describe(params):
    known = descriptions()
    for stack in _stacks.values():
        stack["Description"] = known[stack["StackId"]]
    return describe_stacks(params)


def list_with_descriptions(params):
    status, headers, body = list_stacks(params)
    known = {_esc(stack_id).encode(): _esc(text).encode() for stack_id, text in descriptions().items()}

    def described(found):
        text = known.get(found[1])
        return found[0] + b"<TemplateDescription>" + text + b"</TemplateDescription>" if text else found[0]

    return status, headers, STACK_ID.sub(described, body)


handlers._ACTION_HANDLERS["DescribeStacks"] = describe
handlers._ACTION_HANDLERS["ListStacks"] = list_with_descriptions
