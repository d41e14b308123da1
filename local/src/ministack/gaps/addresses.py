"""The gap: the addresses of APIs and sites are AWS's, where nobody answers for them.

Wherever a template spells an API's address out, the local one comes out. A bucket's `WebsiteURL` is the address
of the port that the gateway opens for the site.
"""

import re

from ministack.services import s3
from ministack.services.cloudformation import changesets, engine, handlers, provisioners, stacks

from . import gateway

API = re.compile(r"https://([a-z0-9]+)\.execute-api\.[a-z0-9-]+\.amazonaws\.com(?=/|$)")

resolve_refs = engine._resolve_refs
s3_attrs = provisioners._s3_attrs


def with_local_addresses(*arguments):
    value = resolve_refs(*arguments)
    if isinstance(value, str) and ".execute-api." in value:
        return API.sub(rf"{gateway.ENDPOINT}/_aws/execute-api/\1", value)
    return value


def with_local_website(name):
    attributes = s3_attrs(name)
    if name in s3._bucket_websites:
        attributes["WebsiteURL"] = gateway.call("PUT", f"sites/{name}", {})["url"]
    return attributes


# Its recursion finds the replacement in `engine`; the others hold the function by their own name.
for module in (engine, changesets, handlers, stacks):
    module._resolve_refs = with_local_addresses
provisioners._s3_attrs = with_local_website
