"""The gap: MiniStack 1.5.33 has no CodePipeline, so nothing sends its events.

The engine sends them as `local.codepipeline`, since `PutEvents` takes sources of AWS from nobody. Here they become
those of the service, so that a rule matches them as it does on AWS.
"""

from ministack.services import eventbridge

ENGINE = "local.codepipeline"
SERVICE = "aws.codepipeline"

put_events = eventbridge._put_events


def with_events_of_pipelines(data, allow_aws_source=False):
    entries = data.get("Entries") or []
    if not entries or any(entry.get("Source") != ENGINE for entry in entries):
        return put_events(data, allow_aws_source)
    entries = [{**entry, "Source": SERVICE} for entry in entries]
    return put_events({**data, "Entries": entries}, allow_aws_source=True)


eventbridge._put_events = with_events_of_pipelines
