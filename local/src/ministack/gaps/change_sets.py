"""The gap: MiniStack 1.5.33's change sets count resources whose condition is false, and do not know of most types
which changes replace a resource; and they are found by the stack's name only.

A resource that only a condition brings or takes away is an addition or a removal. What replaces is in the
reference of each resource type ("Update requires: Replacement"). `StackName` may be the stack's ARN
(`API_ExecuteChangeSet`, "The stack name or Amazon Resource Name (ARN)").
"""

from ministack.services.cloudformation import changesets, provisioners, stacks
from ministack.services.cloudformation.engine import _evaluate_conditions

# The types that the templates use and MiniStack's own table lacks.
REPLACING = {
    "AWS::ApiGateway::Deployment": {"RestApiId"},
    "AWS::ApiGateway::Method": {"HttpMethod", "ResourceId", "RestApiId"},
    "AWS::ApiGateway::Resource": {"ParentId", "PathPart", "RestApiId"},
    "AWS::ApiGateway::RestApi": set(),
    "AWS::ApiGateway::Stage": {"RestApiId", "StageName"},
    "AWS::CloudFormation::Stack": set(),
    "AWS::CloudFront::CachePolicy": set(),
    "AWS::CloudFront::Distribution": set(),
    "AWS::CloudFront::OriginAccessControl": set(),
    "AWS::CloudFront::ResponseHeadersPolicy": set(),
    "AWS::CodePipeline::Pipeline": {"Name"},
    "AWS::Events::Rule": {"EventBusName", "Name"},
    "AWS::IAM::Role": {"Path", "RoleName"},
    "AWS::Lambda::Alias": {"FunctionName", "Name"},
    "AWS::Lambda::Permission": {"Action", "EventSourceToken", "FunctionName", "Principal", "SourceAccount", "SourceArn"},
    "AWS::Lambda::Version": {"CodeSha256", "Description", "FunctionName"},
    "AWS::Logs::LogGroup": {"LogGroupName"},
    "AWS::Route53::RecordSet": {"HostedZoneId", "HostedZoneName", "Name"},
    "AWS::S3::Bucket": {"BucketName", "ObjectLockEnabled"},
    "AWS::S3::BucketPolicy": {"Bucket"},
    "AWS::SNS::Subscription": {"Endpoint", "Protocol", "TopicArn"},
    "AWS::SNS::TopicPolicy": set(),
}

resolve_props_for_diff = changesets._resolve_props_for_diff
property_recreation = provisioners._property_recreation
find_change_set = changesets._find_change_set


def of_true_conditions(template, params, stack_name, stack_id):
    resolved = resolve_props_for_diff(template, params, stack_name, stack_id)
    if not resolved:
        return resolved
    conditions = _evaluate_conditions(template, params)
    holds = lambda resource: not resource.get("Condition") or conditions.get(resource["Condition"], True)
    resolved["Resources"] = {name: resource for name, resource in resolved["Resources"].items() if holds(resource)}
    return resolved


def recreation(resource_type, name):
    replacing = REPLACING.get(resource_type)
    if replacing is None:
        return property_recreation(resource_type, name)
    return "Always" if name in replacing else "Never"


def find_by_arn_too(name, stack=""):
    # arn:aws:cloudformation:REGION:ACCOUNT:stack/NAME/ID
    return find_change_set(name, stack.split("/")[1] if stack.startswith("arn:") else stack)


changesets._find_change_set = find_by_arn_too
changesets._resolve_props_for_diff = of_true_conditions
# Only what change sets say: how an update is carried out stays with each type's own handler.
stacks._property_recreation = recreation
