"""The gap: MiniStack 1.5.33 enforces no policy of a bucket for the bucket's own account.

Enforced here is what says that an object is written once: statements that deny everyone to write objects, on no other
conditions than those of conditional writes (S3 User Guide, "Enforce conditional writes on Amazon S3 buckets"). All other
statements are passed over: the local AWS does not know as whom a function calls.
"""

import json

from ministack.core.iam_evaluator import EvalContext, _action_matches, _conditions_met, _resource_matches
from ministack.core.iam_evaluator import parse_policy_document
from ministack.core.responses import get_account_id, get_region
from ministack.services import s3

CONDITIONS = {"s3:if-none-match", "s3:if-match", "s3:objectcreationoperation"}
HEADERS = {"s3:if-none-match": "if-none-match", "s3:if-match": "if-match"}

handle_request = s3.handle_request


def writes(method, query):
    """Whether a request writes an object, and whether it is the one that makes it: a part of an upload is not."""
    if method == "PUT" and "uploadId" in query:
        return True, False
    if method == "PUT" and not query.keys() - {"x-id"}:
        return True, True
    return method == "POST" and "uploadId" in query, True


def is_for_everyone(statement):
    principal = statement.get("Principal")
    return principal in ("*", {"AWS": "*"}, {"AWS": ["*"]})


def is_of_conditional_writes(statement):
    keys = {key.lower() for conditions in statement.get("Condition", {}).values() for key in conditions}
    return bool(keys) and keys <= CONDITIONS


def denied(bucket, key, headers, creates):
    policy = s3._bucket_policies.get(bucket)
    if not policy:
        return False
    context = {name: headers[header] for name, header in HEADERS.items() if headers.get(header)}
    context["s3:objectcreationoperation"] = str(creates).lower()
    resource = f"arn:aws:s3:::{bucket}/{key}"
    account = get_account_id()
    request = EvalContext(
        principal_arn=f"arn:aws:iam::{account}:root",
        principal_type="Root",
        principal_account=account,
        action="s3:PutObject",
        resource_arn=resource,
        region=get_region(),
        service_context=context,
    )
    statements = json.loads(policy).get("Statement", [])
    for statement in [statements] if isinstance(statements, dict) else statements:
        if not (is_for_everyone(statement) and is_of_conditional_writes(statement)):
            continue
        for parsed in parse_policy_document({"Statement": statement}):
            if (
                parsed.effect == "Deny"
                and _action_matches(request.action, parsed.actions, parsed.not_actions)
                and _resource_matches(resource, parsed.resources, parsed.not_resources)
                and _conditions_met(parsed.conditions, request)
            ):
                return True
    return False


async def with_conditions(method, path, headers, body, query_params, *rest, **options):
    is_write, creates = writes(method, query_params)
    if is_write:
        bucket, key = s3._parse_bucket_key(path, headers)
        if key and denied(bucket, key, headers, creates):
            return s3._error("AccessDenied", "Access Denied", 403, f"/{bucket}/{key}")
    return await handle_request(method, path, headers, body, query_params, *rest, **options)


s3.handle_request = with_conditions
