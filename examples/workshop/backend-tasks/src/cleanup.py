"""Removes bookings above the number that is kept."""

import os

import boto3

table = boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"])


def handler(_event, _context):
    bookings = sorted(table.scan()["Items"], key=lambda item: item["id"])
    surplus = bookings[int(os.environ["KEPT"]) :]
    for booking in surplus:
        table.delete_item(Key={"id": booking["id"]})
    return {"removed": len(surplus)}
