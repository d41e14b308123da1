"""The gap: Node.js functions find no `@aws-sdk/*` in MiniStack 1.5.33, or a stand-in for some of its clients.

Lambda's Node.js runtimes bring the AWS SDK for JavaScript; a function's own copy wins. Here it is installed by the
gateway when the first function that names it starts, into a folder above those of the functions: Node.js looks for
modules upwards. Packages of the SDK beyond those that are always installed lie in a folder between the two, for the
functions that name the same ones.
"""

import hashlib
import io
import os
import re
import tempfile
import threading
import time
import zipfile

from ministack.core import lambda_runtime
from ministack.core.lambda_runtime import Worker

from . import gateway

NAMED = re.compile(rb"@aws-sdk/[a-z0-9-]+")
SOURCES = (".js", ".mjs", ".cjs")
INSTALLED_WITHIN = 300  # seconds; 48 s were measured on two busy cores

FUNCTIONS = os.path.join(tempfile.gettempdir(), "functions")

spawn = Worker._spawn
installing = threading.Lock()
answers = {}  # by what was asked for, once; so a machine without a network is not asked again for each function
starting = threading.local()  # `folder`: where the function that this thread starts gets its own


class OwnFolder:
    """`tempfile`, for a module that makes each function's folder with it."""

    def __getattr__(self, name):
        return getattr(tempfile, name)

    @staticmethod
    def mkdtemp(**named):
        folder = getattr(starting, "folder", FUNCTIONS)
        os.makedirs(folder, exist_ok=True)
        return tempfile.mkdtemp(dir=folder, **named)


def packages_of(worker):
    """The packages of the SDK that a function names, or one of the packages that it brings."""
    if not str(worker.config.get("Runtime", "")).startswith("nodejs"):
        return set()
    with zipfile.ZipFile(io.BytesIO(worker.code_zip)) as code:
        read = [name for name in code.namelist() if is_read(name)]
        return {package.decode() for name in read for package in NAMED.findall(code.read(name))}


def is_read(name):
    if "node_modules/" in name:
        return name.endswith("/package.json") and "/@aws-sdk/" not in name
    return name.endswith(SOURCES)


def ask(packages):
    """Where the gateway has installed them; those that are always installed where none is given."""
    asked = tuple(sorted(packages))
    with installing:
        if asked in answers:
            return {**answers[asked], "note": None}
        began = time.monotonic()
        try:
            answer = gateway.call("POST", "node-sdk", {"packages": asked}, timeout=INSTALLED_WITHIN)
        except OSError as error:
            answer = {"reason": str(error)}
        named = ", ".join(asked) or "the AWS SDK for JavaScript"
        if "modules" in answer:
            seconds = time.monotonic() - began
            note = f"note: installed {named}, which Lambda brings ({seconds:.0f} s, once)"
        else:
            note = f"note: {named}, which Lambda brings, is not there: {answer['reason']}"
        answers[asked] = answer
        return {**answer, "note": note}


def put(folder, answer):
    """Lets functions below a folder find what was installed."""
    os.makedirs(folder, exist_ok=True)
    modules = os.path.join(folder, "node_modules")
    with installing:
        if "modules" in answer and not os.path.lexists(modules):
            os.symlink(answer["modules"], modules)


def install(packages):
    """The folder for a function, and lines for its log."""
    answer = ask(())
    put(FUNCTIONS, answer)
    notes = [answer["note"]]
    folder = FUNCTIONS
    more = packages - set(answer.get("packages", packages))
    if more:
        folder = os.path.join(FUNCTIONS, hashlib.sha256(" ".join(sorted(more)).encode()).hexdigest()[:12])
        further = ask(more)
        put(folder, further)
        notes.append(further["note"])
    return folder, [note for note in notes if note]


def spawn_with_sdk(worker, *arguments, **named):
    packages = packages_of(worker) if worker.code_zip else set()
    starting.folder, notes = install(packages) if packages else (FUNCTIONS, [])
    try:
        return spawn(worker, *arguments, **named)
    finally:
        starting.folder = FUNCTIONS
        for note in notes:
            worker._stderr_queue.put(note)


lambda_runtime.tempfile = OwnFolder()
Worker._spawn = spawn_with_sdk
