"""The gap: MiniStack 1.5.33 runs the instances of a function on one network, this machine's.

On Lambda each has its own, so an application may listen on a port of its choice (many do when they are loaded). Here the
second instance finds the port taken. A function of which that was seen runs as one instance from then on, and its
requests wait for each other.
"""

import threading
import time

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from . import failed_starts

TAKEN = ("EADDRINUSE", "Address already in use", "address already in use", "Address in use")
LOOK_EVERY = 0.01  # seconds

execute_warm = lambda_svc._execute_function_warm
execute_provided = lambda_svc._execute_function_provided_warm
invalidate_worker = lambda_svc.invalidate_worker
turns = {}  # by the name of each function that runs as one instance
turns_lock = threading.Lock()


def environments(name):
    """Each environment of a function, whatever its version, with the pool that holds it."""
    for key, pool in list(lambda_runtime._workers.items()):
        if key.split(":")[2] == name:
            yield from ((pool, worker) for worker in list(pool))


def is_alive(worker):
    return worker._proc is not None and worker._proc.poll() is None


def retire_idle(name, version):
    """Ends the instances that wait for a request, but for one of that version: another would hold the port, and one
    that has ended would be started beside it."""
    retired, kept = [], None
    with lambda_runtime._lock:
        for pool, worker in environments(name):
            if worker.in_use:
                continue
            if kept is None and is_alive(worker) and worker.config.get("Version", "$LATEST") == version:
                kept = worker
                continue
            pool.remove(worker)
            retired.append(worker)
    lambda_runtime.kill_workers(retired)


def is_busy(name):
    with lambda_runtime._lock:
        return any(worker.in_use for _, worker in environments(name))


def found_taken(result):
    if not result.get("error"):
        return False
    said = f"{result.get('body')} {result.get('log')}"
    return any(text in said for text in TAKEN)


def one_at_a_time(execute):
    def executed(func, event, request_id):
        config = func.get("config") or func
        name, timeout = config.get("FunctionName", "unknown"), float(config.get("Timeout", 3))
        if name not in turns:
            result = execute(func, event, request_id)
            if not found_taken(result):
                return result
            with turns_lock:
                turns.setdefault(name, threading.Lock())
        deadline = time.monotonic() + timeout
        # One that invokes itself would wait for itself: it waits as long as it may run, and then runs as before.
        mine = turns[name].acquire(timeout=timeout)
        try:
            while is_busy(name) and time.monotonic() < deadline:
                time.sleep(LOOK_EVERY)  # for those that began before this was known
            retire_idle(name, config.get("Version", "$LATEST"))
            failed_starts.starting.failure = None
            return execute(func, event, request_id)
        finally:
            if mine:
                turns[name].release()

    return executed


def invalidate(name, *arguments, **named):
    """MiniStack ends all instances of a version where one could not be started: the others are left here."""
    if not getattr(failed_starts.starting, "failure", None):
        return invalidate_worker(name, *arguments, **named)
    with lambda_runtime._lock:
        for pool, worker in environments(name):
            if worker is failed_starts.starting.worker:
                pool.remove(worker)


lambda_svc.invalidate_worker = invalidate
lambda_svc._execute_function_warm = one_at_a_time(execute_warm)
lambda_svc._execute_function_provided_warm = one_at_a_time(execute_provided)
