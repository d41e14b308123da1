"""The gap: MiniStack 1.5.33 counts only what `Invoke` starts, not its failures if nobody waits for them, and only by the
function's name. It answers a query without dimensions with the sum over all of them.

Lambda counts every execution (Developer Guide, "Types of metrics for Lambda functions"): over all functions, by function,
by the alias or version that was called, and by the version that an alias came to. A request that is turned away for want
of concurrency is a throttle and no invocation. A query without dimensions means the metric that has none.
"""

import threading
import time

from ministack.services import cloudwatch, lambda_svc

NAMESPACE = "AWS/Lambda"

dispatch, execute = lambda_svc._execute_function_dispatch, lambda_svc._execute_function
dimensions_from_list = cloudwatch._dims_from_list
evict, record = cloudwatch._evict_old_metrics, cloudwatch.record_metric
# MiniStack's lists of points are made and replaced without a lock: two threads at once would lose a point.
counting = threading.RLock()


class Dimensions(dict):
    """Dimensions that are looked for even if there are none of them."""

    def __bool__(self):
        return True


def dimensions_of(config):
    """The sets of dimensions that an execution counts for."""
    name, version = config["FunctionName"], config.get("Version", "$LATEST")
    arn = config.get("FunctionArn", "").split(":")
    called = arn[7] if len(arn) > 7 else None
    function = {"FunctionName": name}
    resource = {**function, "Resource": f"{name}:{called}" if called else name}
    sets = [{}, function, resource]
    if called and called != version and called != "$LATEST":
        sets.append({**resource, "ExecutedVersion": version})
    return sets


def put(config, metrics):
    for dimensions in dimensions_of(config):
        for metric, value, unit in metrics:
            cloudwatch.record_metric(NAMESPACE, metric, value, unit, dimensions)


def counted(func, config, event, request_id, started):
    failed = True
    try:
        result = dispatch(func, config, event, request_id, started)
        failed = isinstance(result, dict) and bool(result.get("error"))
        return result
    finally:
        duration = (time.time() - started) * 1000
        metrics = [("Invocations", 1, "Count"), ("Errors", int(failed), "Count"), ("Throttles", 0, "Count")]
        put(config, [*metrics, ("Duration", duration, "Milliseconds")])


def execute_counting_throttles(func, event):
    result = execute(func, event)
    if isinstance(result, dict) and result.get("throttle"):
        put(func.get("config") or func, [("Throttles", 1, "Count")])
    return result


def recorded(*arguments, **named):
    with counting:
        record(*arguments, **named)


def evicted():
    with counting:
        evict()


lambda_svc._execute_function_dispatch, lambda_svc._execute_function = counted, execute_counting_throttles
lambda_svc._emit_lambda_metrics = lambda *_arguments, **_named: None
cloudwatch._evict_old_metrics, cloudwatch.record_metric = evicted, recorded
cloudwatch._dims_from_list = lambda dimensions: Dimensions(dimensions_from_list(dimensions))
