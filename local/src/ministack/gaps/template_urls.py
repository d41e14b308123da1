"""The gap: MiniStack 1.5.33 takes only one spelling of a `TemplateURL`, and says little about a wrong one.

CloudFormation takes every address of an object in S3: virtual-hosted and path-style, with and without a
region, dual-stack (CreateStack, `TemplateURL`). The local AWS's own addresses are taken too.
"""

import re
from urllib.parse import unquote, urlsplit

from ministack.services import s3
from ministack.services.cloudformation import helpers

VIRTUAL_HOSTED = re.compile(
    r"(?P<bucket>[a-z0-9][a-z0-9.-]*)\.s3(?:[.-](?:dualstack\.)?[a-z0-9-]+)?\.(?:amazonaws\.com(?:\.cn)?|localhost)"
)
PATH_STYLE = re.compile(r"s3(?:[.-](?:dualstack\.)?[a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?")
LOCAL = ("127.0.0.1", "localhost")

MORE = "\nFor more information check http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"

resolve_document = helpers._resolve_document


def location(url):
    """The bucket and the key that an address names, if it is one of an object in S3."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
    except ValueError:
        return None
    path = unquote(parts.path.lstrip("/"))
    hosted = VIRTUAL_HOSTED.fullmatch(host)
    if parts.scheme not in ("http", "https"):
        return None
    if hosted:
        return hosted["bucket"], path
    if host in LOCAL or PATH_STYLE.fullmatch(host):
        bucket, _, key = path.partition("/")
        return bucket, key
    return None


def from_any_spelling(params, body_key, url_key, label):
    url = helpers._p(params, url_key)
    if helpers._p(params, body_key) or not url:
        return resolve_document(params, body_key, url_key, label)
    found = location(url)
    if found is None or not all(found):
        return None, helpers._error("ValidationError", f"{url_key} must be a supported URL.")
    bucket, key = found
    problem = None
    if bucket not in s3._buckets:
        problem = "The specified bucket does not exist"
    elif key not in s3._buckets[bucket]["objects"]:
        problem = "The specified key does not exist."
    if problem:
        return None, helpers._error("ValidationError", f"S3 error: {problem}{MORE}")
    path_style = {**params, url_key: [f"https://s3.amazonaws.com/{bucket}/{key}"]}
    return resolve_document(path_style, body_key, url_key, label)


helpers._resolve_document = from_any_spelling
