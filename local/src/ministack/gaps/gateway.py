"""Calls of the gateway in front of MiniStack, at the endpoint that functions are given."""

import json
import os
from urllib.request import Request, urlopen

from . import secrets

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]

# What the gateway does for us is local and takes milliseconds; a pipeline's creation waits for the engine.
TIMEOUT_SECONDS = 30


def call(method, path, content, timeout=TIMEOUT_SECONDS):
    """The JSON answer to a JSON document, at a path below the gateway's own."""
    request = Request(
        f"{ENDPOINT}/_delivery/{path}",
        data=json.dumps(content, default=str).encode(),
        headers={"Content-Type": "application/json", secrets.HEADER: secrets.MINISTACK},
        method=method,
    )
    with urlopen(request, timeout=timeout) as response:
        return json.load(response)
