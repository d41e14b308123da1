"""Makes slugs of titles."""

import re


def slug(title):
    words = re.findall(r"[a-z0-9]+", title.lower())
    return "-".join(words)


def handler(event, _context):
    title = (event.get("queryStringParameters") or {}).get("title", "")
    return {"statusCode": 200, "body": slug(title) + "\n"}
