"""The gap: MiniStack 1.5.33 writes what a function of a custom runtime says only when the invocation is over, each time
into a stream that the function does not know.

Lambda has one stream for each execution environment, tells it by `AWS_LAMBDA_LOG_STREAM_NAME`, and a line is there
moments after it was written.
"""

import threading
import time
import uuid
from datetime import datetime, timezone

from ministack.core.lambda_runtime import ProvidedWorker
from ministack.services import cloudwatch_logs, lambda_svc

worker_env = lambda_svc._provided_worker_env
emit_logs = lambda_svc._emit_lambda_logs
spawn, invoke, pump = ProvidedWorker._spawn, ProvidedWorker.invoke, ProvidedWorker._pump_output
spawning = threading.local()
served = {}  # the environment's stream, by the id of the request that it serves


class Stream:
    """The stream of one execution environment."""

    def __init__(self, config):
        today = datetime.now(timezone.utc).strftime("%Y/%m/%d")
        self.name = f"{today}/[{config.get('Version', '$LATEST')}]{uuid.uuid4().hex}"
        self.group = group_of(config)
        self.record = {
            "events": [],
            "uploadSequenceToken": "1",
            "creationTime": now(),
            "firstEventTimestamp": None,
            "lastEventTimestamp": None,
            "lastIngestionTime": None,
        }

    def write(self, *lines):
        if lines:
            written = [{"timestamp": now(), "message": line, "ingestionTime": now()} for line in lines]
            cloudwatch_logs._append_log_events(self.record, written)

    def show(self):
        """Puts the stream into its group, if that is there: MiniStack makes it when it writes first."""
        group = cloudwatch_logs._log_groups.get(self.group)
        if group is not None:
            group["streams"][self.name] = self.record


class Lines:
    """The queue of an environment's lines, each of which is written as it comes."""

    def __init__(self, lines, stream):
        self.lines, self.stream = lines, stream

    def put_nowait(self, line):
        self.lines.put_nowait(line)
        self.stream.write(line)

    def get_nowait(self):
        return self.lines.get_nowait()


def now():
    return int(time.time() * 1000)


def group_of(config):
    group = (config.get("LoggingConfig") or {}).get("LogGroup")
    return group or f"/aws/lambda/{config.get('FunctionName', 'unknown')}"


def env_with_stream(config, code_dir, port):
    environment = worker_env(config, code_dir, port)
    stream = getattr(spawning, "stream", None)
    if stream:
        environment["AWS_LAMBDA_LOG_STREAM_NAME"] = stream.name
    return environment


def spawn_with_stream(worker, *arguments, **named):
    worker.delivery_stream = spawning.stream = Stream(worker.config)
    spawning.stream.show()
    spawning.stream.write(*getattr(worker, "delivery_first_lines", ()))
    try:
        return spawn(worker, *arguments, **named)
    except Exception as error:
        worker.delivery_stream.write(f"{getattr(error, 'error_type', 'Runtime.ExitError')}: {error}")
        raise
    finally:
        spawning.stream = None


def pump_into_stream(worker, output, lines):
    pump(worker, output, Lines(lines, worker.delivery_stream))


def invoke_with_stream(worker, event, request_id, **named):
    start = f"START RequestId: {request_id} Version: {worker.config.get('Version', '$LATEST')}"
    if worker._proc is not None and worker._proc.poll() is None:
        worker.delivery_stream.write(start)
    worker.delivery_first_lines = (start,)
    try:
        return invoke(worker, event, request_id, **named)
    finally:
        worker.delivery_first_lines = ()
        served[request_id] = getattr(worker, "delivery_stream", None)


def emit_the_end(func, request_id, *arguments, **named):
    """Takes from what MiniStack writes, at the end and into another stream, what is not in the stream yet."""
    emit_logs(func, request_id, *arguments, **named)
    stream = served.pop(request_id, None)
    group = cloudwatch_logs._log_groups.get(stream.group) if stream else None
    if group is None:
        return
    start = f"START RequestId: {request_id} "
    for name, record in reversed(list(group["streams"].items())):
        if record is not stream.record and record["events"] and record["events"][0]["message"].startswith(start):
            del group["streams"][name]
            ends = (f"END RequestId: {request_id}", f"REPORT RequestId: {request_id}")
            stream.write(*(event["message"] for event in record["events"] if event["message"].startswith(ends)))
            break
    stream.show()


lambda_svc._provided_worker_env = env_with_stream
lambda_svc._emit_lambda_logs = emit_the_end
ProvidedWorker._spawn = spawn_with_stream
ProvidedWorker._pump_output = pump_into_stream
ProvidedWorker.invoke = invoke_with_stream
