"""The gap: MiniStack 1.5.33 hands a function's next event, and takes its answer, from whoever asks that port.

Each environment of Lambda has a Runtime API that nothing else reaches. Here it is a port of the machine, so:
no web page and no other user is answered; a function that asks with the client of the Rust runtime (all actions do) is
told a path that nothing else knows; and for the others there is one question for the next event at a time, and none
while an event is being worked on, as a runtime asks.
"""

import hmac
import mmap
import os
import secrets as random
import threading
import time

from ministack.core.lambda_runtime import ProvidedWorker
from ministack.services import lambda_svc

# In the `User-Agent` of that client, and so in each program that has it.
RUST_CLIENT = b"aws-lambda-rust/"

# Seconds. It takes microseconds, but threads of a busy machine may have to wait for a processor.
QUEUED_WITHIN = 2.0

build_handler_class = ProvidedWorker._build_handler_class
worker_env = lambda_svc._provided_worker_env
building = threading.local()


def knows_paths(bootstrap):
    """Whether the program takes an address with a path: clients differ in what they make of the variable. The Rust
    one reads it as a URI, most put `http://` in front of it, some take it apart at the colon."""
    try:
        with open(bootstrap, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as program:
            return program.find(RUST_CLIENT) >= 0
    except (OSError, ValueError):
        return False


def owner_of(peer, server):
    """The user whose socket that is, by the kernel's table; None where there is no such table."""
    hexadecimal = lambda host, port: f"{int.from_bytes(bytes(map(int, host.split('.'))), 'little'):08X}:{port:04X}"
    wanted = [hexadecimal(*peer), hexadecimal(*server)]
    try:
        with open("/proc/net/tcp", encoding="ascii") as table:
            for line in table:
                fields = line.split()
                if fields[1:3] == wanted:
                    return int(fields[7])
    except (OSError, IndexError, ValueError):
        pass
    return None


def build_guarded_class(worker, generation, pending):
    """The handler of MiniStack behind a check of who asks."""
    served = build_handler_class(worker, generation, pending)
    polling = threading.Lock()
    code = lambda_svc._provided_runtime_code_dir(worker.code_zip)  # unpacked just before
    path = f"/{random.token_hex(16)}" if knows_paths(os.path.join(code, "bootstrap")) else None
    building.path = path  # the environment is started by this thread, too

    class Guarded(served):
        def let_in(self):
            host, port = self.server.server_address[:2]
            if path:
                given, version, rest = self.path.partition("/2018-06-01/")
                if not hmac.compare_digest(given.encode(), path.encode()):
                    return self.refuse()
                self.path = version + rest
            if self.headers.get("Host") != f"{host}:{port}" or self.headers.get("Origin"):
                return self.refuse()
            if any(name.lower().startswith("sec-fetch-") for name in self.headers):
                return self.refuse()
            if owner_of(self.client_address[:2], (host, port)) not in (None, os.getuid()):
                return self.refuse()
            return True

        def is_idle(self):
            """MiniStack names the request first and queues its event then, so the one without the other is waited out."""
            deadline = time.monotonic() + QUEUED_WITHIN
            while worker._current_request_id is not None and pending.empty():
                if time.monotonic() >= deadline:
                    return False
                time.sleep(0.01)
            return True

        def refuse(self):
            self.close_connection = True
            self._respond(403)
            return False

        def do_GET(self):
            if not self.let_in():
                return
            if "/runtime/invocation/next" not in self.path:
                return super().do_GET()
            if not self.is_idle():
                return self.refuse()  # a runtime does not ask for more before it has answered
            # A runtime may ask again before the thread that answered it has let go.
            if not polling.acquire(timeout=QUEUED_WITHIN):
                return self.refuse()
            try:
                return super().do_GET()
            finally:
                polling.release()

        def do_POST(self):
            if self.let_in():
                super().do_POST()

        do_DELETE = do_HEAD = do_OPTIONS = do_PATCH = do_PUT = refuse

    return Guarded


def env_with_path(config, code_dir, port):
    environment = worker_env(config, code_dir, port)
    path, building.path = getattr(building, "path", None), None
    if path:
        environment["AWS_LAMBDA_RUNTIME_API"] = f"http://127.0.0.1:{port}{path}"
    return environment


ProvidedWorker._build_handler_class = build_guarded_class
lambda_svc._provided_worker_env = env_with_path
