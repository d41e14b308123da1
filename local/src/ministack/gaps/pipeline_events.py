"""The gap: MiniStack 1.5.33 has no CodePipeline, so nothing sends its events.

The engine sends them as `local.codepipeline`, since `PutEvents` never accepts AWS's own sources. Here they become
those of the service, so that a rule matches them as it does on AWS. MiniStack gives every event the time of its
arrival; these keep their own.
"""

import json
from contextvars import ContextVar

from ministack.services import eventbridge

ENGINE = "local.codepipeline"
SERVICE = "aws.codepipeline"

put_events = eventbridge._put_events
now = eventbridge._now_ts
moment = ContextVar("the time of the event that is being put", default=None)


def put_at_its_time(data, entry):
    token = moment.set(entry.get("Time"))
    try:
        entries = [{**entry, "Source": SERVICE}]
        _, _, body = put_events({**data, "Entries": entries}, allow_aws_source=True)
    finally:
        moment.reset(token)
    return json.loads(body)


def with_events_of_pipelines(data, allow_aws_source=False):
    entries = data.get("Entries") or []
    if not entries or any(entry.get("Source") != ENGINE for entry in entries):
        return put_events(data, allow_aws_source)
    answers = [put_at_its_time(data, entry) for entry in entries]
    return eventbridge.json_response(
        {
            "FailedEntryCount": sum(answer.get("FailedEntryCount", 0) for answer in answers),
            "Entries": [entry for answer in answers for entry in answer.get("Entries", [])],
        }
    )


eventbridge._now_ts = lambda: moment.get() or now()
eventbridge._put_events = with_events_of_pipelines
