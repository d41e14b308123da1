"""The gap: MiniStack 1.5.33 answers everyone who reaches its port, web pages with `Access-Control-Allow-Origin: *`.

Only the gateway in front of it has the secret that opens it here, and checks who asks. The access keys that
MiniStack gives out (to functions, by STS, by IAM) are keys of this environment, which the gateway takes. What
MiniStack tells others to call is the gateway. A method with `AWS_IAM` takes a key of this environment.
"""

import hmac
from urllib.parse import urlsplit

from ministack import app
from ministack.core import lambda_runtime
from ministack.core.responses import new_uuid
from ministack.services import apigateway_v1, iam, lambda_svc, sns, sqs, sts
from ministack.services.cloudformation import custom_resource

from . import gateway, secrets

NAME = secrets.HEADER.encode()

serve = app.app
with_data_plane_headers = app._with_data_plane_headers
execution_credentials = lambda_runtime.execution_credentials
authorize_request = apigateway_v1._authorize_request_v1
code_url, layer_url = lambda_svc._presigned_code_url, lambda_svc._layer_content_url


async def with_secret(scope, receive, send):
    if scope["type"] not in ("http", "websocket"):
        return await serve(scope, receive, send)
    sent = [value for name, value in scope["headers"] if name.lower() == NAME]
    if len(sent) != 1 or not hmac.compare_digest(sent[0], secrets.MINISTACK.encode()):
        return await refuse(scope, receive, send)
    # Functions and integrations get the fields of a request: not this one.
    headers = [(name, value) for name, value in scope["headers"] if name.lower() != NAME]
    return await serve({**scope, "headers": headers}, receive, send)


async def refuse(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        return await send({"type": "websocket.close", "code": 1008})
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": b"the local AWS answers at its gateway only"})


def without_wildcard(response, request_id, include_s3_id=False, wildcard_cors=True):
    """Who may read what an application answers is the application's to say."""
    return with_data_plane_headers(response, request_id, include_s3_id, wildcard_cors=False)


def credentials(config):
    return {**execution_credentials(config), "AWS_ACCESS_KEY_ID": secrets.access_key_id("AKIA")}


def new_key(prefix):
    return lambda: secrets.access_key_id(prefix + new_uuid().replace("-", "")[:16].upper())


async def authorize(api_id, stage_name, method_obj, method, path, resource, headers, *rest):
    if (method_obj.get("authorizationType") or "").upper() == "AWS_IAM":
        signed = apigateway_v1._header_ci(headers, "authorization") or ""
        _, _, key = signed.partition("Credential=")
        if not key:
            message = "Missing Authentication Token"
            return apigateway_v1._gw_error("MISSING_AUTHENTICATION_TOKEN", message), None
        if not key.split("/")[0].endswith(secrets.KEY_MARK):
            message = "The security token included in the request is invalid."
            return apigateway_v1._gw_error("ACCESS_DENIED", message), None
    return await authorize_request(api_id, stage_name, method_obj, method, path, resource, headers, *rest)


def at_the_gateway(url_of):
    """An address of MiniStack's own, signed beforehand, as one of the gateway."""

    def signed(*arguments):
        url = urlsplit(url_of(*arguments))
        credential = f"X-Amz-Credential={secrets.access_key_id('AKIA')}"
        query = f"{url.query}&{credential}" if url.query else credential
        return f"{gateway.ENDPOINT}{url.path}?{query}"

    return signed


app.app = with_secret
app._with_data_plane_headers = without_wildcard
# `lambda_svc` holds the function by its own name.
for module in (lambda_runtime, lambda_svc):
    module.execution_credentials = credentials
iam._gen_access_key_id = new_key("AKIA")
for module in (iam, sts):
    module._gen_session_access_key = new_key("ASIA")
custom_resource._gateway_url = lambda: gateway.ENDPOINT
host, port = gateway.ENDPOINT.removeprefix("http://").rsplit(":", 1)
sns._HOST, sns._PORT = host, port
sqs.DEFAULT_HOST, sqs.DEFAULT_PORT, sqs._CANONICAL_NETLOC = host, port, f"{host}:{port}"
lambda_svc._presigned_code_url = at_the_gateway(code_url)
lambda_svc._layer_content_url = at_the_gateway(layer_url)
apigateway_v1._authorize_request_v1 = authorize
