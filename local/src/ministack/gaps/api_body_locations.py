"""The gap: MiniStack 1.5.33 passes over `BodyS3Location` (SAM's `DefinitionUri`) of an API: CREATE_COMPLETE with no route, every
call answered with 403 or 404.

The document in the bucket is taken as if it stood in the template (`Body`).
"""

import yaml
from ministack.services import s3
from ministack.services.cloudformation import provisioners

from .integer_keys import with_text_keys


def with_body(properties):
    location = properties.get("BodyS3Location")
    if not isinstance(location, dict) or properties.get("Body"):
        return properties
    bucket, key = location.get("Bucket"), location.get("Key")
    content = s3._get_object_data(bucket, key)
    if content is None:
        raise ValueError(f"S3 error: The specified key does not exist. (s3://{bucket}/{key})")
    try:
        document = yaml.safe_load(content.decode())  # JSON is YAML
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"Invalid OpenAPI input: {error} (s3://{bucket}/{key})") from None
    if not isinstance(document, dict):
        raise ValueError(f"Invalid OpenAPI input: it is not an object (s3://{bucket}/{key})")
    return {**properties, "Body": with_text_keys(document)}


def created(create):
    return lambda logical_id, properties, stack_name: create(logical_id, with_body(properties), stack_name)


def updated(update):
    return lambda physical_id, old, new, *rest: update(physical_id, old, with_body(new), *rest)


for kind in ("AWS::ApiGateway::RestApi", "AWS::ApiGatewayV2::Api"):
    operations = provisioners._RESOURCE_HANDLERS[kind]
    operations["create"], operations["update"] = created(operations["create"]), updated(operations["update"])
