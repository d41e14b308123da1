"""The gap: the addresses of APIs and sites are AWS's, where they do not exist.

Wherever a template spells an API's address out, or has it as an attribute, the local one comes out. A bucket's `WebsiteURL` is the address
of the port that the gateway opens for the site, and so is that of a distribution whose origin is a bucket.
"""

import re

from ministack.services import s3
from ministack.services.cloudformation import changesets, engine, handlers, provisioners, stacks

from . import gateway

DISTRIBUTION = re.compile(r"https://([a-z0-9]+\.cloudfront\.net)(?=/|$)")
BUCKET = re.compile(r"([a-z0-9][a-z0-9.-]*?)\.s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com")
# AWS's, as templates spell it out, and MiniStack's own, an attribute whose host is looked up in vain.
API = re.compile(
    r"https?://([a-z0-9]+)\.execute-api\.(?:[a-z0-9-]+\.amazonaws\.com|[A-Za-z0-9.-]+:[0-9]+)(?=/|$)"
)

sites = {}  # by the name of the distribution
resolve_refs = engine._resolve_refs
s3_attrs = provisioners._s3_attrs


def with_local_addresses(*arguments):
    value = resolve_refs(*arguments)
    if isinstance(value, str) and ".execute-api." in value:
        return API.sub(rf"{gateway.ENDPOINT}/_aws/execute-api/\1", value)
    if isinstance(value, str) and ".cloudfront.net" in value:
        return DISTRIBUTION.sub(lambda found: sites.get(found[1], found[0]), value)
    return value


def with_local_site(function):
    """A distribution's change, after which its name stands for the site of its first bucket."""

    def handler(*arguments):
        physical_id, attributes = function(*arguments)
        properties = next(value for value in reversed(arguments) if isinstance(value, dict))
        origins = (properties.get("DistributionConfig") or {}).get("Origins") or []
        buckets = [found[1] for origin in origins if (found := BUCKET.fullmatch(str(origin.get("DomainName"))))]
        if buckets:
            sites[attributes["DomainName"]] = gateway.call("PUT", f"sites/{buckets[0]}", {})["url"]
        return physical_id, attributes

    return handler


def with_local_website(name):
    attributes = s3_attrs(name)
    if name in s3._bucket_websites:
        attributes["WebsiteURL"] = gateway.call("PUT", f"sites/{name}", {})["url"]
    return attributes


# Its recursion finds the replacement in `engine`; the others hold the function by their own name.
for module in (engine, changesets, handlers, stacks):
    module._resolve_refs = with_local_addresses
provisioners._s3_attrs = with_local_website
distribution = provisioners._RESOURCE_HANDLERS["AWS::CloudFront::Distribution"]
for operation in ("create", "update"):
    distribution[operation] = with_local_site(distribution[operation])
