"""The gap: MiniStack 1.5.33 runs all functions of custom runtimes with one temporary directory.

Lambda gives each execution environment a `/tmp` of its own. Here each gets a directory below MiniStack's own, which is
named to it as the one that it may empty.
"""

import tempfile
import threading

from ministack.core.lambda_runtime import ProvidedWorker
from ministack.services import lambda_svc

worker_env, spawn = lambda_svc._provided_worker_env, ProvidedWorker._spawn
spawning = threading.local()


def env_with_directory(config, code_dir, port):
    environment = worker_env(config, code_dir, port)
    directory = getattr(spawning, "directory", None)
    if directory:
        environment["TMPDIR"] = environment["DELIVERY_FUNCTION_TMPDIR"] = directory
    return environment


def spawn_with_directory(worker, *arguments, **named):
    # The next process of an environment finds what the one before it left, as in Lambda.
    if not hasattr(worker, "delivery_directory"):
        # Its name is short: the path of a socket may have 107 characters.
        worker.delivery_directory = tempfile.mkdtemp(prefix="f-")
    spawning.directory = worker.delivery_directory
    try:
        return spawn(worker, *arguments, **named)
    finally:
        spawning.directory = None


lambda_svc._provided_worker_env = env_with_directory
ProvidedWorker._spawn = spawn_with_directory
