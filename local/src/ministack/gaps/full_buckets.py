"""The gap: MiniStack 1.5.33 deletes a bucket with its stack although something is in it; S3 refuses that."""

from ministack.services import s3
from ministack.services.cloudformation import provisioners
from ministack.services.cloudformation.helpers import _sdk_error

bucket = provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]
delete = bucket["delete"]


def delete_if_empty(physical_id, properties):
    found = s3._buckets.get(physical_id)
    if found is not None and (found["objects"] or s3._bucket_has_versions(physical_id)):
        versioned = " You must delete all versions in the bucket." if s3._bucket_has_versions(physical_id) else ""
        raise ValueError(_sdk_error(f"The bucket you tried to delete is not empty.{versioned}", "S3", 409))
    delete(physical_id, properties)


bucket["delete"] = delete_if_empty
