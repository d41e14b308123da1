"""The gap: MiniStack 1.5.33 takes over what exists under the name that a template gives to a queue, topic, table, function,
role or log group, and empties some of them.

CloudFormation fails the resource. A table that was retained and is made again under its name was green here, and is a failed
stack on AWS.
"""

from ministack.services import cloudwatch_logs, dynamodb, iam, lambda_svc, sns, sqs
from ministack.services.cloudformation import provisioners

# The property that names the resource, and whether there is one of that name.
NAMED = {
    "AWS::DynamoDB::Table": ("TableName", lambda name: name in dynamodb._tables),
    "AWS::IAM::Role": ("RoleName", lambda name: name in iam._roles),
    "AWS::Lambda::Function": ("FunctionName", lambda name: name in lambda_svc._functions),
    "AWS::Logs::LogGroup": ("LogGroupName", lambda name: name in cloudwatch_logs._log_groups),
    "AWS::SNS::Topic": ("TopicName", lambda name: any(arn.endswith(f":{name}") for arn in sns._topics)),
    "AWS::SQS::Queue": ("QueueName", lambda name: name in sqs._queue_name_to_url),
}


def if_new(kind, create):
    key, exists = NAMED[kind]

    def made(logical_id, properties, stack_name):
        name = properties.get(key)
        if name and exists(name):
            raise ValueError(f"Resource of type '{kind}' with identifier '{name}' already exists.")
        return create(logical_id, properties, stack_name)

    return made


for kind in NAMED:
    operations = provisioners._RESOURCE_HANDLERS[kind]
    operations["create"] = if_new(kind, operations["create"])
