"""The gap: MiniStack 1.5.33 keeps an alias's routing weights, and invokes the primary version all the same.

Lambda draws the version for each invocation. Here an alias is drawn where it becomes the code that runs: `Invoke` names
its version first, since it answers with it; every other way in finds a function by its reference; and the pollers of
queues and streams look at their functions all the time, so they draw only when they have something to hand over.

What Lambda refuses of weights is refused (Developer Guide, "Implement Lambda canary deployments using a weighted
alias"). Where `DELIVERY_ROUTING_SEED` is set, each alias draws the same sequence in every run, whatever else is invoked.
"""

import contextvars
import json
import os
import random

from ministack.core.responses import error_response_json
from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

ALIAS = "delivery:alias"  # in a configuration: the alias by which a poller found it, not drawn yet

seed = os.environ.pop("DELIVERY_ROUTING_SEED", None)
randoms = {}
polling = contextvars.ContextVar("polling", default=False)
called_as = contextvars.ContextVar("called_as", default=None)

invoke, execute = lambda_svc._invoke, lambda_svc._execute_function
record_for_ref, record_for_qualifier = lambda_svc._get_func_record_for_ref, lambda_svc._get_func_record_for_qualifier
pollers = {name: getattr(lambda_svc, name) for name in ("_poll_sqs", "_poll_kinesis", "_poll_dynamodb_streams")}
create_alias, update_alias = lambda_svc._create_alias, lambda_svc._update_alias
put_concurrency = lambda_svc._put_provisioned_concurrency
create_by_template = provisioners._lambda_alias_create


def weights_of(alias):
    return (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}


def alias_of(function, qualifier):
    return ((function or {}).get("aliases") or {}).get(qualifier)


def drawn(function, qualifier):
    """The version that the alias means this time; `None` for what is not an alias."""
    alias = alias_of(function, qualifier)
    if alias is None:
        return None
    for version, weight in weights_of(alias).items():
        if random_of(alias["AliasArn"]).random() < weight:
            return version
    return alias.get("FunctionVersion", "$LATEST")


def random_of(arn):
    return randoms.get(arn) or randoms.setdefault(arn, random.Random(f"{seed}:{arn}" if seed is not None else None))


def with_version(function, qualifier, version):
    """A function's record as the alias's caller sees it: the drawn version's code, and the alias in the ARN."""
    record = function if version == "$LATEST" else function["versions"][version]
    return {**record, "config": {**record["config"], "FunctionArn": f"{unqualified(record['config'])}:{qualifier}"}}


def unqualified(config):
    """A function's ARN without version or alias: threads of MiniStack's may not know whose account they work for."""
    return ":".join(config.get("FunctionArn", "").split(":")[:7])


def function_of(config):
    account, region = lambda_svc._account_region_from_function_config(config)
    return lambda_svc._functions.get_scoped(account, region, config["FunctionName"])


async def invoke_drawn(name, event, headers, path_qualifier=None, query_params=None):
    qualifier = path_qualifier or lambda_svc._qp_first(query_params or {}, "Qualifier") or None
    qualifier = qualifier or lambda_svc._qp_first(headers, "x-amz-qualifier") or None
    function = lambda_svc._functions.get(name)
    version = drawn(function, qualifier)
    if version is None:
        return await invoke(name, event, headers, path_qualifier, query_params)
    token = called_as.set(f"{lambda_svc._func_arn(name)}:{qualifier}")
    try:
        return await invoke(name, event, headers, version, query_params)
    finally:
        called_as.reset(token)


def record_drawn(reference):
    record, config, name = record_for_ref(reference)
    qualifier = lambda_svc._resolve_name_and_qualifier(reference)[1]
    if config is None or not qualifier:
        return record, config, name
    function = function_of(config)
    version = drawn(function, qualifier)
    if version is None:
        return record, config, name
    record = with_version(function, qualifier, version)
    return record, record["config"], name


def record_to_poll_for(name, qualifier):
    record, config = record_for_qualifier(name, qualifier)
    if not polling.get() or config is None or alias_of(lambda_svc._functions.get(name), qualifier) is None:
        return record, config
    config = {**config, ALIAS: qualifier}
    return {**record, "config": config}, config


def execute_drawn(func, event):
    config = func.get("config") or func
    qualifier = config.get(ALIAS)
    if qualifier:
        function = function_of(config)
        version = drawn(function, qualifier)
        if version is None:  # deleted since
            version, qualifier = config.get("Version", "$LATEST"), config.get("Version", "$LATEST")
        func = with_version(function, qualifier, version)
    elif (called := called_as.get()) and called.rpartition(":")[0] == unqualified(config):
        func = {**func, "config": {**config, "FunctionArn": called}}
    return execute(func, event)


def drawing_late(poll):
    def polled():
        token = polling.set(True)
        try:
            return poll()
        finally:
            polling.reset(token)

    return polled


def refused(function_name, data, alias=None):
    """Why Lambda would refuse these weights, as its answer, or `None`."""
    function = lambda_svc._functions.get(function_name)
    if function is None:
        return None
    alias = alias or {}
    primary = data.get("FunctionVersion") or alias.get("FunctionVersion") or "$LATEST"
    weights = weights_of(data if "RoutingConfig" in data else alias)
    for version in [primary, *weights]:
        if version != "$LATEST" and version not in function["versions"]:
            arn = f"{lambda_svc._func_arn(function_name)}:{version}"
            return error_response_json("ResourceNotFoundException", f"Function not found: {arn}", 404)
    why = weights and what_is_wrong(primary, weights, function["versions"])
    return error_response_json("InvalidParameterValueException", why, 400) if why else None


def what_is_wrong(primary, weights, versions):
    if len(weights) > 1:
        return "An alias can have one additional version at most"
    other, weight = next(iter(weights.items()))
    if not 0 <= weight <= 1:
        return f"The weight of version {other} must be between 0.0 and 1.0, not {weight}"
    if "$LATEST" in (primary, other):
        return "$LATEST is not supported for an alias pointing to more than 1 version"
    if primary == other:
        return "The two versions of an alias's routing configuration must be different"
    for member, what in (("Role", "execution role"), ("DeadLetterConfig", "dead letter queue configuration")):
        if (versions[primary]["config"].get(member) or None) != (versions[other]["config"].get(member) or None):
            return f"Specified versions must be associated with the same {what}"
    return None


def create_checked(function_name, data):
    return refused(function_name, data) or create_alias(function_name, data)


def update_checked(function_name, alias_name, data):
    alias = alias_of(lambda_svc._functions.get(function_name), alias_name)
    return (alias and refused(function_name, data, alias)) or update_alias(function_name, alias_name, data)


def put_concurrency_checked(function_name, qualifier, data):
    alias = alias_of(lambda_svc._functions.get(function_name), qualifier)
    if alias and weights_of(alias):
        why = "Alias with weights can not be used with Provisioned Concurrency"
        return error_response_json("InvalidParameterValueException", why, 400)
    return put_concurrency(function_name, qualifier, data)


def create_checked_by_template(logical_id, properties, stack_name):
    name = lambda_svc._resolve_name_and_qualifier(str(properties.get("FunctionName", "")))[0]
    routing = provisioners._lambda_alias_routing_config(properties)
    refusal = refused(name, {**properties, "RoutingConfig": routing})
    if refusal:
        raise ValueError(json.loads(refusal[2])["message"])
    return create_by_template(logical_id, properties, stack_name)


lambda_svc._invoke, lambda_svc._execute_function = invoke_drawn, execute_drawn
lambda_svc._get_func_record_for_ref = record_drawn
lambda_svc._get_func_record_for_qualifier = record_to_poll_for
for name, poll in pollers.items():
    setattr(lambda_svc, name, drawing_late(poll))
lambda_svc._create_alias, lambda_svc._update_alias = create_checked, update_checked
lambda_svc._put_provisioned_concurrency = put_concurrency_checked
provisioners._lambda_alias_create = create_checked_by_template
provisioners._RESOURCE_HANDLERS["AWS::Lambda::Alias"]["create"] = create_checked_by_template
