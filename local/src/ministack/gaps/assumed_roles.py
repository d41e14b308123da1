"""The gap: MiniStack 1.5.33 lets everyone assume every role, one that does not exist, too, unless it checks all policies
(`AUTH=true`). And its functions are the account's root user.

STS assumes a role that exists in the account of its ARN and whose trust policy names the caller, with the `ExternalId` where
it asks for one. A function is a session of its role.
"""

import dataclasses
import hashlib
import json
from urllib.parse import parse_qs

from ministack.core import lambda_runtime
from ministack.core.iam_evaluator import EvalContext, evaluate_trust_policy
from ministack.core.responses import error_response_json, get_region
from ministack.services import iam, lambda_svc, sts

from . import secrets

handle_request = sts.handle_request
execution_credentials = lambda_runtime.execution_credentials


def asked(headers, body, query_params):
    """The fields of a request in the query protocol or in JSON."""
    if "amz-json" in headers.get("content-type", ""):
        action = headers.get("x-amz-target", "").rpartition(".")[2]
        return {"Action": [action], **{name: [value] for name, value in json.loads(body or b"{}").items()}}
    return {**query_params, **parse_qs(body.decode("utf-8", errors="replace"))}


def refusal(arn, params, caller):
    """What is not allowed, and to whom: the role has to trust the caller, and to let it bring tags where it does."""
    account = arn.split(":")[4]
    role = iam._roles.get_scoped(account, None, arn.rsplit("/", 1)[-1]) or {}
    tags = sts._extract_tags(params)
    context = EvalContext(
        principal_arn=caller["userArn"],
        principal_type=caller["principalType"],
        principal_account=caller["accountId"],
        action="sts:AssumeRole",
        resource_arn=arn,
        region=get_region(),
        service_context={
            "sts:externalid": sts._p(params, "ExternalId", None),
            "sts:rolesessionname": sts._p(params, "RoleSessionName", None),
        },
        request_tags={tag["Key"]: tag["Value"] for tag in tags},
        tag_keys=[tag["Key"] for tag in tags],
    )
    for action in ("sts:AssumeRole", *(["sts:TagSession"] if tags else [])):
        document = role.get("AssumeRolePolicyDocument", "{}") if role.get("Arn") == arn else "{}"
        if not evaluate_trust_policy(document, caller["userArn"], dataclasses.replace(context, action=action)):
            return f"User: {caller['userArn']} is not authorized to perform: {action} on resource: {arn}"
    return None


async def handle(method, path, headers, body, query_params):
    params = asked(headers, body, query_params)
    arn = sts._p(params, "RoleArn")
    # Whatever is no role's ARN is refused further on, by its form.
    if sts._p(params, "Action") == "AssumeRole" and sts._assumed_role_arn(arn, "")[0]:
        refused = refusal(arn, params, sts._caller_identity(headers, query_params))
        if refused and "amz-json" in headers.get("content-type", ""):
            return error_response_json("AccessDenied", refused, 403)
        if refused:
            return sts._error(403, "AccessDenied", refused, ns="sts")
    return await handle_request(method, path, headers, body, query_params)


def as_role(config):
    """The credentials of a function: those of a session that lasts as long as this environment."""
    account, _ = lambda_runtime._account_region_from_function_config(config)
    arn, name = config.get("Role") or "", config.get("FunctionName", "")
    digest = hashlib.sha256(f"{account} {arn} {name}".encode()).hexdigest()[:16].upper()
    key = secrets.access_key_id(f"ASIA{digest}")
    session = f"arn:aws:sts::{account}:assumed-role/{arn.rsplit('/', 1)[-1]}/{name}"
    sts.register_session(key, {"Arn": session, "UserId": f"{sts._role_id(arn)}:{name}", "AccountId": account})
    return {**execution_credentials(config), "AWS_ACCESS_KEY_ID": key}


sts.handle_request = handle
# `lambda_svc` holds the function by its own name.
for module in (lambda_runtime, lambda_svc):
    module.execution_credentials = as_role
