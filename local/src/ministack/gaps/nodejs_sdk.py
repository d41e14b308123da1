"""The gap: Node.js functions find no `@aws-sdk/*` in MiniStack 1.5.33, or a stand-in for some of its clients.

Lambda's Node.js runtimes bring the AWS SDK for JavaScript; a function's own copy wins. Here it is installed by the
gateway when the first function that names it starts, into a folder above those of the functions: Node.js looks for
modules upwards.
"""

import io
import os
import tempfile
import threading
import time
import zipfile

from ministack.core import lambda_runtime
from ministack.core.lambda_runtime import Worker

from . import gateway

NAMED = b"@aws-sdk/"
SOURCES = (".js", ".mjs", ".cjs")
INSTALLED_WITHIN = 300  # seconds; 48 s were measured on two busy cores

FUNCTIONS = os.path.join(tempfile.gettempdir(), "functions")
MODULES = os.path.join(FUNCTIONS, "node_modules")

spawn = Worker._spawn
installing = threading.Lock()
tried = []  # that it was, once; so a machine without a network is not asked again for each function


class OwnFolder:
    """`tempfile`, for a module that makes each function's folder with it."""

    def __getattr__(self, name):
        return getattr(tempfile, name)

    @staticmethod
    def mkdtemp(**named):
        os.makedirs(FUNCTIONS, exist_ok=True)
        return tempfile.mkdtemp(dir=FUNCTIONS, **named)


def asks_for_sdk(worker):
    if not str(worker.config.get("Runtime", "")).startswith("nodejs"):
        return False
    with zipfile.ZipFile(io.BytesIO(worker.code_zip)) as code:
        names = [name for name in code.namelist() if name.endswith(SOURCES) and "node_modules/" not in name]
        return any(NAMED in code.read(name) for name in names)


def install():
    """A line for the function's log; None where there is nothing to say."""
    with installing:
        if tried:
            return None
        tried.append(True)
        began = time.monotonic()
        try:
            answer = gateway.call("POST", "node-sdk", {}, timeout=INSTALLED_WITHIN)
        except OSError as error:
            answer = {"reason": str(error)}
        if "modules" not in answer:
            return f"note: the AWS SDK for JavaScript, which Lambda brings, is not there: {answer['reason']}"
        os.makedirs(FUNCTIONS, exist_ok=True)
        os.symlink(answer["modules"], MODULES)
        seconds = time.monotonic() - began
        return f"note: installed the AWS SDK for JavaScript, which Lambda brings ({seconds:.0f} s, once)"


def spawn_with_sdk(worker, *arguments, **named):
    note = install() if worker.code_zip and asks_for_sdk(worker) else None
    try:
        return spawn(worker, *arguments, **named)
    finally:
        if note:
            worker._stderr_queue.put(note)


lambda_runtime.tempfile = OwnFolder()
Worker._spawn = spawn_with_sdk
