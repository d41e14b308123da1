"""What opens this environment; `start.py` sets both."""

MINISTACK = ""  # what requests to MiniStack bear, and MiniStack's to the gateway
KEY_MARK = ""  # what every access key of the environment ends with

HEADER = "x-delivery-secret"


def access_key_id(prefix):
    return prefix + KEY_MARK
