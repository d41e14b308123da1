"""Says hello."""


def handler(_event, _context):
    return {"statusCode": 200, "body": "hello\n"}
