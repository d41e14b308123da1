"""The gap: MiniStack 1.5.33 makes a function or a layer whose package is not in the bucket, and pretends to run it."""

from ministack.services import s3
from ministack.services.cloudformation import provisioners

UPLOADED = {"AWS::Lambda::Function": "Code", "AWS::Lambda::LayerVersion": "Content"}


def why_missing(bucket, key):
    """S3's code and message for an object that cannot be read; `None` for one that can."""
    if bucket not in s3._buckets:
        return "NoSuchBucket", "The specified bucket does not exist"
    if key not in s3._buckets[bucket]["objects"]:
        return "NoSuchKey", "The specified key does not exist."
    return None


def refuse_missing(kind, properties):
    place = properties.get(UPLOADED[kind]) or {}
    bucket, key = place.get("S3Bucket"), place.get("S3Key")
    missing = why_missing(bucket, key) if bucket and key else None
    if missing:
        code, message = missing
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
