"""The function of all probes: it keeps what it was called with, or makes a call for the test."""

import json
import os

import boto3

CALLERS = ("aws:sqs", "aws:sns", "aws:s3", "aws:dynamodb", "aws.events", "probe")


def caller(event):
    record = (event.get("Records") or [event])[0]
    named = (record.get(key) for key in ("eventSource", "EventSource", "source"))
    return next((name for name in named if name in CALLERS), None)


def keep(event, context):
    name = caller(event)
    if name:
        key = f"seen/{os.environ['STACK']}/{name}"
        boto3.client("s3").put_object(Bucket="code", Key=key, Body=json.dumps(event))
    answer = {"who": os.environ["WHO"], "version": context.function_version, "called": name}
    return {"statusCode": 200, "body": json.dumps(answer)}


def with_layer(_event, _context):
    import of_the_layer

    return {"statusCode": 200, "body": of_the_layer.SAID}


def count(_event, _context):
    table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
    change = {"UpdateExpression": "ADD calls :one", "ExpressionAttributeValues": {":one": 1}}
    item = table.update_item(Key={"id": "calls"}, ReturnValues="ALL_NEW", **change)["Attributes"]
    return int(item["calls"])


def double(event, _context):
    return {"doubled": 2 * event["number"]}


def triple(event, _context):
    return {"tripled": 3 * event["number"]}


def call(event, _context):
    """`{"service": .., "operation": .., "input": {..}}`"""
    client = boto3.client(event["service"])
    answer = getattr(client, event["operation"])(**event["input"])
    return json.loads(json.dumps(answer, default=str))
