"""The API of the bookings: reads them from the table, and writes new ones."""

import json
import logging
import os
import uuid

import boto3

logging.getLogger().setLevel(os.environ["LOG_LEVEL"].upper().replace("WARN", "WARNING"))
table = boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"])


def handler(event, _context):
    method = event["requestContext"]["http"]["method"]
    if method == "POST":
        return answer(201, book(json.loads(event.get("body") or "{}")))
    return answer(200, {"environment": os.environ["ENVIRONMENT"], "bookings": bookings()})


def book(booking):
    item = {"id": str(uuid.uuid4()), "name": str(booking.get("name", "somebody"))[:100]}
    table.put_item(Item=item)
    logging.info("booked %s", item["id"])
    return item


def bookings():
    items = table.scan(Limit=100)["Items"]
    return sorted(items, key=lambda item: item["id"])


def answer(status, body):
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json"},
        "body": json.dumps(body),
    }
