"""The gap: for a function of one account MiniStack 1.5.33 does not find code in a bucket of another account, and then makes
a function without code.

Lambda reads it as the caller, so the bucket's policy has to let the caller's account read it.
"""

from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import s3

from . import missing_code

get_object_data = s3._get_object_data


def owner_of(bucket):
    """The account of a bucket that is another account's, else `None`."""
    owner = s3._bucket_owner_account(bucket)
    return None if owner == get_account_id() else owner


def may_read(owner, bucket, key):
    return s3._foreign_bucket_allows(owner, bucket, key, "GET", {}, get_account_id())


def get_as_the_account(bucket, key, version_id=None):
    owner = owner_of(bucket)
    if owner is None:
        return get_object_data(bucket, key, version_id=version_id)
    if not may_read(owner, bucket, key):
        return None
    with request_scope(owner, get_region()):
        return get_object_data(bucket, key, version_id=version_id)


def why_missing(bucket, key):
    owner = owner_of(bucket)
    if owner is None:
        return missing(bucket, key)
    if not may_read(owner, bucket, key):
        return "AccessDenied", "Access Denied"
    with request_scope(owner, get_region()):
        return missing(bucket, key)


missing = missing_code.why_missing
missing_code.why_missing = why_missing
s3._get_object_data = get_as_the_account
