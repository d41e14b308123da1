"""The gap: MiniStack 1.5.33 lets every request with an `Authorization` into a route of an HTTP API with `AWS_IAM`, and every one
with a signature, whoever's, into the URL of a function with that.

Both take a key of this environment, as the methods of REST APIs do (`access`).
"""

from ministack.core.router import extract_access_key_id
from ministack.services import apigateway, lambda_svc

from . import secrets

handle_execute = apigateway._handle_execute_in_scope


def is_signed(headers, query_params):
    lowered = {name.lower(): value for name, value in (headers or {}).items()}
    key = extract_access_key_id(lowered, query_params or {})
    return bool(key) and key.endswith(secrets.KEY_MARK)


async def handle(api_id, stage, path, method, headers, body, query_params, *rest, **named):
    route = apigateway._match_route(api_id, method, "/" + path.lstrip("/")) or {}
    if route.get("authorizationType") == "AWS_IAM" and not is_signed(headers, query_params):
        return apigateway._jwt_forbidden()
    return await handle_execute(api_id, stage, path, method, headers, body, query_params, *rest, **named)


apigateway._handle_execute_in_scope = handle
lambda_svc._function_url_is_signed = is_signed
