"""The gap: MiniStack 1.5.33 writes the reason why a function could not be started only to its own log.

Lambda writes it into the function's log group, and so does this. A job of CodePipeline would still wait for its
timeout, as on AWS, where nothing reports it either. Here the gateway reports the job as failed with the reason, at once:
what cannot be started now is not likely to be in a minute, when Lambda would try again.
"""

import threading

from ministack.core.lambda_runtime import ProvidedWorker, Worker
from ministack.services import lambda_svc

from . import gateway

JOB = "CodePipeline.job"

execute_function = lambda_svc._execute_function
execute_warm = lambda_svc._execute_function_warm
invoke_async = lambda_svc.invoke_async_with_retry
starting = threading.local()


class Job(dict):
    """An event of an asynchronous invocation: its sender does not wait for the result."""


def with_reason(spawn):
    def spawned(worker, *arguments, **named):
        try:
            spawn(worker, *arguments, **named)
        except Exception as error:  # any error here is the reason why the function did not start
            said = worker._drain_stderr_bounded()
            reason = str(error)
            starting.worker = worker
            starting.failure = f"{reason}\n{said}" if said and said not in reason else reason
            raise
        starting.failure = None

    return spawned


def warm_with_log(func, event, request_id):
    result = execute_warm(func, event, request_id)
    failure = getattr(starting, "failure", None)
    return {**result, "log": result.get("log") or failure} if failure else result


def execute(func, event):
    starting.failure = None
    result = execute_function(func, event)
    failure, starting.failure = starting.failure, None
    if not failure or not isinstance(event, Job):
        return result
    config = func.get("config") or func
    report = {"job": event[JOB]["id"], "function": config["FunctionName"], "reason": failure}
    gateway.call("POST", "failed-start", report)
    return {**result, "error": False}  # not to be tried again: the job has ended


def invoke(func, event):
    is_job = isinstance(event, dict) and isinstance(event.get(JOB), dict) and "id" in event[JOB]
    invoke_async(func, Job(event) if is_job else event)


Worker._spawn = with_reason(Worker._spawn)
ProvidedWorker._spawn = with_reason(ProvidedWorker._spawn)
lambda_svc._execute_function = execute
lambda_svc._execute_function_warm = warm_with_log
lambda_svc.invoke_async_with_retry = invoke
