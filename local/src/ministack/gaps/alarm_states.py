"""The gap: MiniStack 1.5.33 looks at an alarm only when metrics are put, without its dimensions, and forgets that time
passes; nobody is told but topics, and those in the middle of a request.

CloudWatch looks at every alarm again and again, by its own dimensions, over its last periods, and takes what is missing
as the alarm says (User Guide, "Configuring how CloudWatch alarms treat missing data"). Here it looks every second, over
periods that end now. A change of state goes to EventBridge as well.
"""

import contextvars
import json
import threading
import time
from datetime import datetime, timezone

from ministack.core.responses import set_request_account_id, set_request_region
from ministack.services import cloudwatch, eventbridge

EVERY_SECONDS = 1
# CloudWatch reads more periods than it needs, so that single gaps do no harm. How many depends on the alarm, says the
# guide; its example reads five for three.
MORE_PERIODS = 2
# How often CloudWatch looks at an alarm, which is how long a state that is set by hand lasts (User Guide, "Alarm evaluation").
LOOKS_EACH = 60
LOOKS_EACH_IF_SHORT = 10

COMPARISONS = {
    "GreaterThanOrEqualToThreshold": (lambda value, threshold: value >= threshold, "greater than or equal to"),
    "GreaterThanThreshold": (lambda value, threshold: value > threshold, "greater than"),
    "LessThanThreshold": (lambda value, threshold: value < threshold, "less than"),
    "LessThanOrEqualToThreshold": (lambda value, threshold: value <= threshold, "less than or equal to"),
}

dispatch_actions, transition_composite = cloudwatch._dispatch_alarm_actions, cloudwatch._transition_composite
set_alarm_state = cloudwatch._set_alarm_state
evaluating = threading.RLock()
set_until = {}  # by ARN


def period_of(alarm):
    return alarm.get("Period") or 60


def values(alarm, now, count):
    """The statistic of each of the last periods, the newest last; `None` where nothing was put."""
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
    return series(alarm, statistic, period_of(alarm), now, count, alarm.get("Unit"))


def series(metric, statistic, period, now, count, unit=None):
    dimensions = cloudwatch._dims_key(cloudwatch._dims_from_list(metric.get("Dimensions") or []))
    points = list(cloudwatch._metrics.get((metric.get("Namespace"), metric.get("MetricName"), dimensions)) or [])
    found = []
    for back in range(count, 0, -1):
        begin, end = now - back * period, now - (back - 1) * period
        some = [point for point in points if begin <= point["Timestamp"] < end and (not unit or point["Unit"] == unit)]
        found.append(cloudwatch._stat_value(cloudwatch._calc_stats(some), statistic, some) if some else None)
    return found


def state(alarm, seen):
    """The state that the values of the last periods make; `None` for the one that the alarm has."""
    holds = COMPARISONS[alarm["ComparisonOperator"]][0]
    periods = alarm.get("EvaluationPeriods") or 1
    needed = alarm.get("DatapointsToAlarm") or periods
    missing = missing_of(alarm)
    known = [holds(value, alarm.get("Threshold", 0)) for value in seen if value is not None][-periods:]
    if sum(known) >= needed:
        return "ALARM"
    absent = periods - len(known)
    if absent == 0 or missing == "notBreaching":
        return "OK"
    if missing == "breaching":
        return "ALARM" if sum(known) + absent >= needed else "OK"
    if not known:
        return "INSUFFICIENT_DATA" if missing == "missing" else None
    if not all(known):
        return "OK"
    # All that is there breaches, and it is less than what is needed: the guide's "premature transitions".
    age = len(seen) - next(index for index, value in enumerate(seen) if value is not None)
    return "ALARM" if missing == "missing" and age >= needed else None


def missing_of(alarm):
    # "Alarms that evaluate metrics in the AWS/DynamoDB namespace always ignore missing data" (API reference).
    return "ignore" if alarm.get("Namespace") == "AWS/DynamoDB" else alarm.get("TreatMissingData") or "missing"


def reason_for(alarm, new, seen):
    periods, threshold = alarm.get("EvaluationPeriods") or 1, float(alarm.get("Threshold", 0))
    known = [value for value in seen if value is not None][-periods:]
    if new == "INSUFFICIENT_DATA":
        return f"Insufficient Data: {periods} {plural('datapoint', periods)} {'was' if periods == 1 else 'were'} unknown."
    points = f"{len(known)} {plural('datapoint', len(known))} {known}" if known else "no datapoints were received"
    absent = periods - len(known)
    if absent and missing_of(alarm) in ("breaching", "notBreaching"):
        treated = {"breaching": "Breaching", "notBreaching": "NonBreaching"}[missing_of(alarm)]
        points += f", and {absent} missing {plural('datapoint', absent)} {'was' if absent == 1 else 'were'} treated as [{treated}]"
    is_not = "" if new == "ALARM" else "not "
    than = COMPARISONS[alarm["ComparisonOperator"]][1]
    return f"Threshold Crossed: {points}; {is_not}{than} the threshold ({threshold})."


def plural(word, count):
    return word if count == 1 else f"{word}s"


def evaluate(alarm):
    """Looks at an alarm once, and changes its state if need be."""
    if alarm.get("ComparisonOperator") not in COMPARISONS:
        return
    with evaluating:
        now = time.time()
        if set_until.get(alarm["AlarmArn"], 0) > now:
            return
        seen = values(alarm, now, (alarm.get("EvaluationPeriods") or 1) + MORE_PERIODS)
        new = state(alarm, seen)
        if new is not None and new != alarm["StateValue"]:
            change(alarm, new, reason_for(alarm, new, seen))


def change(alarm, new, reason):
    old = state_of(alarm)
    # With its fraction: who asks whether an alarm rang before or after a moment needs it.
    alarm.update(StateValue=new, StateReason=reason, StateUpdatedTimestamp=time.time())
    alarm["StateTransitionedTimestamp"] = alarm["StateUpdatedTimestamp"]
    cloudwatch._record_history(alarm["AlarmName"], old["value"], new, reason)
    cloudwatch._dispatch_alarm_actions(alarm, old["value"], new, reason)
    tell(alarm, old)
    cloudwatch._evaluate_parent_alarms(alarm)


def state_of(alarm):
    at = datetime.fromtimestamp(alarm.get("StateUpdatedTimestamp") or time.time(), tz=timezone.utc)
    described = {
        "value": alarm["StateValue"],
        "reason": alarm.get("StateReason", ""),
        "timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}+0000",
    }
    if alarm.get("StateReasonData"):
        described["reasonData"] = alarm["StateReasonData"]
    return described


def tell(alarm, old):
    detail = {
        "alarmName": alarm["AlarmName"],
        "configuration": configuration_of(alarm),
        "previousState": old,
        "state": state_of(alarm),
    }
    entry = {
        "Source": "aws.cloudwatch",
        "DetailType": "CloudWatch Alarm State Change",
        "Resources": [alarm["AlarmArn"]],
        "Detail": json.dumps(detail),
    }
    in_background(lambda: eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True))


def configuration_of(alarm):
    described = {"description": alarm["AlarmDescription"]} if alarm.get("AlarmDescription") else {}
    if "AlarmRule" in alarm:
        return {**described, "alarmRule": alarm["AlarmRule"]}
    if alarm.get("Metrics"):
        return {**described, "metrics": [in_events(query) for query in alarm["Metrics"]]}
    metric = {"MetricName": alarm.get("MetricName"), "Namespace": alarm.get("Namespace"), "Dimensions": alarm.get("Dimensions")}
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic")
    query = {"Id": "m1", "MetricStat": {"Metric": metric, "Period": period_of(alarm), "Stat": statistic}, "ReturnData": True}
    return {**described, "metrics": [in_events(query)]}


def in_events(query):
    described = {"id": query["Id"], "returnData": query.get("ReturnData", True)}
    if query.get("Expression"):
        return {**described, "expression": query["Expression"]}
    stat = query["MetricStat"]
    metric = stat["Metric"]
    dimensions = {dimension["Name"]: dimension["Value"] for dimension in metric.get("Dimensions") or []}
    named = {"namespace": metric["Namespace"], "name": metric["MetricName"], "dimensions": dimensions}
    return {**described, "metricStat": {"metric": named, "period": stat["Period"], "stat": stat["Stat"]}}


def in_background(call):
    """What functions do when they are told must hold up neither a request nor the next alarm."""
    threading.Thread(target=contextvars.copy_context().run, args=(call,), daemon=True, name="alarm-actions").start()


def watch():
    while True:
        time.sleep(EVERY_SECONDS)
        for (account, region, _name), alarm in list(cloudwatch._alarms._data.items()):
            set_request_account_id(account)
            set_request_region(region)
            try:
                evaluate(alarm)
            except Exception as error:  # one alarm must not blind the others
                cloudwatch.logger.error("alarm %s: %r", alarm.get("AlarmName"), error)


def set_and_hold(params, cbor_data, is_cbor, is_json=False):
    name = (cbor_data or {}).get("AlarmName") or cloudwatch._p(params, "AlarmName")
    alarm = cloudwatch._alarms.get(name) or cloudwatch._composite_alarms.get(name)
    with evaluating:
        old = alarm and state_of(alarm)
        answer = set_alarm_state(params, cbor_data, is_cbor, is_json)
        if alarm is not None and answer[0] == 200:
            alarm["StateUpdatedTimestamp"] = time.time()
            if "AlarmRule" not in alarm:
                set_until[alarm["AlarmArn"]] = time.time() + (LOOKS_EACH if period_of(alarm) >= LOOKS_EACH else LOOKS_EACH_IF_SHORT)
            if alarm["StateValue"] != old["value"]:
                tell(alarm, old)
    return answer


def transition_and_tell(alarm, new_state, reason, triggers, seen=frozenset()):
    old = state_of(alarm)
    transition_composite(alarm, new_state, reason, triggers, seen)
    alarm["StateUpdatedTimestamp"] = alarm["StateTransitionedTimestamp"] = time.time()
    tell(alarm, old)


cloudwatch._dispatch_alarm_actions = lambda *arguments: in_background(lambda: dispatch_actions(*arguments))
cloudwatch._evaluate_alarm, cloudwatch._set_alarm_state = evaluate, set_and_hold
cloudwatch._transition_composite = transition_and_tell
threading.Thread(target=watch, daemon=True, name="alarms").start()
