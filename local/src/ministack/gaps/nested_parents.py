"""The gap: MiniStack 1.5.33 does not say which stack a nested stack belongs to (`ParentId`, `RootId`)."""

from ministack.services.cloudformation import _stacks, handlers


def with_parents(handler):
    def described(params):
        status, headers, body = handler(params)
        for stack in list(_stacks.values()):
            parent = stack.get("ParentId")
            if parent:
                own = f"<StackId>{stack['StackId']}</StackId>"
                more = f"{own}<ParentId>{parent}</ParentId><RootId>{stack['RootId']}</RootId>"
                body = body.replace(own.encode(), more.encode())
        return status, headers, body

    return described


for operation in ("DescribeStacks", "ListStacks"):
    handlers._ACTION_HANDLERS[operation] = with_parents(handlers._ACTION_HANDLERS[operation])
