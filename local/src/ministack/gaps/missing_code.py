"""The gap: MiniStack 1.5.33 makes a function or a layer whose package is not in the bucket, and pretends to run it."""

from ministack.services import s3
from ministack.services.cloudformation import provisioners

UPLOADED = {"AWS::Lambda::Function": "Code", "AWS::Lambda::LayerVersion": "Content"}


def refuse_missing(kind, properties):
    place = properties.get(UPLOADED[kind]) or {}
    bucket, key = place.get("S3Bucket"), place.get("S3Key")
    if not bucket or not key:
        return
    code, message = "NoSuchKey", "The specified key does not exist."
    if bucket not in s3._buckets:
        code, message = "NoSuchBucket", "The specified bucket does not exist"
    elif key in s3._buckets[bucket]["objects"]:
        return
    raise ValueError(
        f"Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message} (s3://{bucket}/{key})"
    )


def with_code(kind, function, position):
    def handler(*arguments):
        refuse_missing(kind, arguments[position])
        return function(*arguments)

    return handler


for kind in UPLOADED:
    operations = provisioners._RESOURCE_HANDLERS[kind]
    for operation, position in (("create", 1), ("update", 2)):
        if operation in operations:
            operations[operation] = with_code(kind, operations[operation], position)
