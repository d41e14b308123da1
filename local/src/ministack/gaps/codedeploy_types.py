"""The gap: MiniStack 1.5.33 has no `AWS::CodeDeploy` types, and ignores `CodeDeployLambdaAliasUpdate` of an alias.

CloudFormation calls CodeDeploy, which is in the gateway here. An update of an alias's version by that policy is a deployment,
which the stack waits for; one that fails is the alias's failure, in the words of CloudFormation's handler.
"""

import hashlib
import json
import time
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import lambda_svc, sts
from ministack.services.cloudformation import _stacks, changesets, engine, handlers, provisioners, stacks

from . import gateway, secrets

APPLICATION, GROUP, CONFIG = (f"AWS::CodeDeploy::{name}" for name in ("Application", "DeploymentGroup", "DeploymentConfig"))
ALIAS = "AWS::Lambda::Alias"
BOOLEANS = ("Enabled", "IgnorePollAlarmFailure")
NUMBERS = ("CanaryInterval", "CanaryPercentage", "LinearInterval", "LinearPercentage")
LOOK_EVERY_SECONDS = 0.5
ENDED = ("Succeeded", "Failed", "Stopped")

deploy_stack = stacks._deploy_stack_async
runs_on_worker_thread, sends_back = stacks._runs_on_worker_thread, stacks._sends_back_failed_update
update_alias = provisioners._RESOURCE_HANDLERS[ALIAS]["update"]

# The templates that stacks are being brought to, with their parameters, by the stacks' ids.
deploying = {}


def call(operation, asked):
    """A call of CodeDeploy in the stack's account."""
    account, region = get_account_id(), get_region()
    digest = hashlib.sha256(f"cloudformation {account}".encode()).hexdigest()[:16].upper()
    key = secrets.access_key_id(f"ASIA{digest}")
    user = {"Arn": f"arn:aws:iam::{account}:root", "UserId": account, "AccountId": account}
    sts.register_session(key, user)
    scope = f"{key}/20260101/{region}/codedeploy/aws4_request"
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": f"CodeDeploy_20141006.{operation}",
    }
    request = Request(gateway.ENDPOINT, data=json.dumps(asked, default=str).encode(), headers=headers)
    try:
        with urlopen(request, timeout=gateway.TIMEOUT_SECONDS) as response:
            return json.load(response)
    except HTTPError as error:
        refused = json.load(error)
        raise ValueError(f"{refused.get('message')} (Service: CodeDeploy, Error Code: {refused.get('__type')})") from error


def as_input(value, member=""):
    """A property in the API's spelling. A template may have numbers and booleans as text."""
    if isinstance(value, dict):
        return {key[0].lower() + key[1:]: as_input(inner, key) for key, inner in value.items() if inner not in (None, [], {})}
    if isinstance(value, list):
        return [as_input(inner) for inner in value]
    if member in BOOLEANS:
        return str(value).lower() == "true"
    return int(value) if member in NUMBERS and str(value).isdigit() else value


def physical_name(logical_id, stack_name):
    return provisioners._physical_name(stack_name, logical_id, max_len=100)


def asked_for(properties, **more):
    # CloudFormation's own tags are of no use here.
    return {**as_input({name: value for name, value in properties.items() if name != "Tags"}), **more}


def create_application(logical_id, properties, stack_name):
    name = properties.get("ApplicationName") or physical_name(logical_id, stack_name)
    call("CreateApplication", asked_for(properties, applicationName=name))
    return name, {}


def update_application(physical_id, old, new, stack_name, logical_id):
    kept = ("ApplicationName", "ComputePlatform")
    if [old.get(member) for member in kept] == [new.get(member) for member in kept]:
        return physical_id, {}
    return create_application(logical_id, new, stack_name)


def delete_application(physical_id, _properties):
    call("DeleteApplication", {"applicationName": physical_id})


def create_group(logical_id, properties, stack_name):
    name = properties.get("DeploymentGroupName") or physical_name(logical_id, stack_name)
    call("CreateDeploymentGroup", asked_for(properties, deploymentGroupName=name))
    return name, {}


def update_group(physical_id, old, new, stack_name, logical_id):
    if any(old.get(member) != new.get(member) for member in ("ApplicationName", "DeploymentGroupName")):
        return create_group(logical_id, new, stack_name)
    asked = asked_for(new, currentDeploymentGroupName=physical_id)
    asked.pop("deploymentGroupName", None)
    # What the template has dropped is off again.
    call("UpdateDeploymentGroup", {"alarmConfiguration": {}, "autoRollbackConfiguration": {}, **asked})
    return physical_id, {}


def delete_group(physical_id, properties):
    asked = {"applicationName": properties["ApplicationName"], "deploymentGroupName": physical_id}
    call("DeleteDeploymentGroup", asked)


def create_config(logical_id, properties, stack_name):
    name = properties.get("DeploymentConfigName")
    if not name:
        # Each change is a replacement, which needs another name.
        digest = hashlib.sha256(json.dumps(properties, sort_keys=True).encode()).hexdigest()[:8].upper()
        name = f"{physical_name(logical_id, stack_name)[:91]}-{digest}"
    call("CreateDeploymentConfig", asked_for(properties, deploymentConfigName=name))
    return name, {}


def update_config(_physical_id, _old, new, stack_name, logical_id):
    return create_config(logical_id, new, stack_name)


def delete_config(physical_id, _properties):
    call("DeleteDeploymentConfig", {"deploymentConfigName": physical_id})


async def deploy(stack_name, stack_id, template, param_values, *rest, **named_rest):
    deploying[stack_id] = (template, param_values)
    try:
        return await deploy_stack(stack_name, stack_id, template, param_values, *rest, **named_rest)
    finally:
        deploying.pop(stack_id, None)


def policy_of(stack, logical_id):
    """The alias's policy with the values of what it refers to; `None` where it has none."""
    # A nested stack keeps its new template from the beginning.
    template, parameters = deploying.get(stack["StackId"]) or (stack["_template"], stack["_resolved_params"])
    resource = (template.get("Resources") or {}).get(logical_id) or {}
    policy = (resource.get("UpdatePolicy") or {}).get("CodeDeployLambdaAliasUpdate")
    if not policy:
        return None
    conditions = engine._evaluate_conditions(template, parameters)
    mappings = template.get("Mappings", {})
    names = stack["StackName"], stack["StackId"]
    return engine._resolve_refs(policy, stack.get("_resources", {}), parameters, conditions, mappings, *names)


def goes_back(stack):
    """Whether the stack, or one around it, is being rolled back."""
    while stack:
        if "ROLLBACK" in stack.get("StackStatus", ""):
            return True
        stack = _stacks.get(stack.get("_parent_stack_name"))
    return False


def update(physical_id, old, new, stack_name, logical_id=None):
    stack = _stacks.get(stack_name) or {}
    is_rollback = goes_back(stack)
    moves = old.get("FunctionVersion") != new.get("FunctionVersion")
    replaced = any(old.get(member) != new.get(member) for member in ("FunctionName", "Name"))
    policy = None if is_rollback or replaced or not moves else policy_of(stack, logical_id)
    if policy:
        deploy_version(policy, physical_id, old, new, stack, logical_id)
    updated = update_alias(physical_id, old, new, stack_name, logical_id)
    if is_rollback and not new.get("RoutingConfig"):
        # What a deployment that was stopped has left: `UpdateAlias` keeps the weights that it is not given.
        _, name, _, _ = provisioners._lambda_function_for_cfn_ref(new.get("FunctionName", ""))
        lambda_svc._update_alias(name, new.get("Name", ""), {"RoutingConfig": {"AdditionalVersionWeights": {}}})
    return updated


def deploy_version(policy, physical_id, old, new, stack, logical_id):
    _, function, _, _ = provisioners._lambda_function_for_cfn_ref(new.get("FunctionName", ""))
    versions = {"CurrentVersion": str(old.get("FunctionVersion")), "TargetVersion": str(new.get("FunctionVersion"))}
    hooks = (("BeforeAllowTraffic", "BeforeAllowTrafficHook"), ("AfterAllowTraffic", "AfterAllowTrafficHook"))
    properties = {"Name": function, "Alias": new.get("Name"), **versions}
    spec = {
        "version": 0.0,
        "Resources": [{function: {"Type": "AWS::Lambda::Function", "Properties": properties}}],
        "Hooks": [{hook: policy[member]} for hook, member in hooks if policy.get(member)],
    }
    asked = {
        "applicationName": policy["ApplicationName"],
        "deploymentGroupName": policy["DeploymentGroupName"],
        "revision": {"revisionType": "AppSpecContent", "appSpecContent": {"content": json.dumps(spec)}},
    }
    say(stack, logical_id, physical_id, call("CreateDeployment", asked)["deploymentId"], "deployment")


def say(stack, logical_id, physical_id, deployment, kind):
    """Tells of a deployment, and waits for its end, and for that of the one that takes it back."""
    reason = f"CodeDeploy {kind} started: {deployment}"
    in_progress = (logical_id, ALIAS, "UPDATE_IN_PROGRESS", reason, physical_id)
    stacks._add_event(stack["StackId"], stack["StackName"], *in_progress)
    info = ended(deployment)
    back = (info.get("rollbackInfo") or {}).get("rollbackDeploymentId")
    if back:
        say(stack, logical_id, physical_id, back, "rollback deployment")
    if kind == "deployment" and info["status"] != "Succeeded":
        error = info.get("errorInformation") or {}
        message = f"{deployment} failed. {error.get('message', '')}"
        raise ValueError(
            f'Resource handler returned message: "{message}" (RequestToken: {new_uuid()}, HandlerErrorCode: InternalFailure)'
        )


def ended(deployment):
    while True:
        info = call("GetDeployment", {"deploymentId": deployment})["deploymentInfo"]
        if info["status"] in ENDED:
            return info
        time.sleep(LOOK_EVERY_SECONDS)


TYPES = {
    APPLICATION: (create_application, update_application, delete_application),
    GROUP: (create_group, update_group, delete_group),
    CONFIG: (create_config, update_config, delete_config),
}
for kind, (create, update_type, delete) in TYPES.items():
    operations = {"create": create, "update": update_type, "update_with_logical_id": True, "delete": delete}
    provisioners._RESOURCE_HANDLERS[kind] = operations
for kind in (APPLICATION, GROUP):
    provisioners._STACK_TAG_PROPERTY[kind] = ("Tags", "list")
provisioners._RESOURCE_HANDLERS[ALIAS].update(update=update, update_with_logical_id=True)

for module in (stacks, changesets, handlers):
    module._deploy_stack_async = deploy
# They wait for the gateway, which may ask MiniStack meanwhile.
stacks._runs_on_worker_thread = lambda kind: kind in (*TYPES, ALIAS) or runs_on_worker_thread(kind)
# A deployment may fail with a part of the traffic on the new version.
stacks._sends_back_failed_update = lambda kind: kind == ALIAS or sends_back(kind)
