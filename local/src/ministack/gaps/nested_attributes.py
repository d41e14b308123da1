"""The gap: when MiniStack 1.5.33 updates a nested stack, a resource that did not change comes out without its
attributes, so that every `Fn::GetAtt` on it fails (`Requested attribute RootResourceId does not exist`).

Its top-level update hands the old attributes in; its nested update forgets them. Here they are looked up in the
stack, where they still are.
"""

from ministack.services.cloudformation import _stacks, provisioners

update_resource = provisioners._update_resource


def with_old_attributes(resource_type, physical_id, old_props, new_props, stack_name, logical_id=None, old_attrs=None):
    if old_attrs is None:
        resources = (_stacks.get(stack_name) or {}).get("_resources") or {}
        old_attrs = (resources.get(logical_id) or {}).get("Attributes")
    return update_resource(
        resource_type, physical_id, old_props, new_props, stack_name, logical_id, old_attrs=old_attrs
    )


provisioners._update_resource = with_old_attributes
