"""The gap: MiniStack 1.5.33 does not tell a function of a custom runtime where it logs, and gives it nothing of its
layers.

Lambda tells the group by `AWS_LAMBDA_LOG_GROUP_NAME` (the stream is in `function_logs`), and unpacks layers, one over
the other, into `/opt`, whose `bin` and `lib` are on the search paths. A process of this machine has no `/opt` of its
own, so here they are unpacked into a directory of each set of layers, which is on the paths.

A function finds the programs of this machine, more than Lambda has. Where `DELIVERY_FUNCTION_PATH` is set, it is what
such functions get as their `PATH`.
"""

import hashlib
import io
import os
import shutil
import tempfile
import threading
import zipfile

from ministack.services import lambda_svc

LAYERS = os.path.join(tempfile.gettempdir(), "layers")

worker_env = lambda_svc._provided_worker_env
unpacking = threading.Lock()


def unpacked(attachments):
    """The directory that holds all layers of a function, the later ones over the earlier."""
    archives = [archive for layer in attachments if (archive := lambda_svc._resolve_layer_zip(layer))]
    if not archives:
        return None
    digest = hashlib.sha256()
    for archive in archives:
        digest.update(hashlib.sha256(archive).digest())
    directory = os.path.join(LAYERS, digest.hexdigest())
    with unpacking:
        if not os.path.isdir(directory):
            fresh = f"{directory}.new"
            shutil.rmtree(fresh, ignore_errors=True)
            for archive in archives:
                with zipfile.ZipFile(io.BytesIO(archive)) as opened:
                    unpack(opened, fresh)
            os.rename(fresh, directory)
    return directory


def unpack(archive, directory):
    """Everything with its permissions; links as links, which Lambda keeps as well."""
    for entry in archive.infolist():
        mode = entry.external_attr >> 16
        path = os.path.join(directory, entry.filename)
        if not os.path.realpath(path).startswith(os.path.realpath(directory) + os.sep):
            raise ValueError(f"the layer's entry `{entry.filename}` leaves the layer")
        if mode & 0o170000 == 0o120000:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if os.path.lexists(path):
                os.remove(path)
            os.symlink(archive.read(entry).decode(), path)
            continue
        archive.extract(entry, directory)
        if mode & 0o777:
            os.chmod(path, mode & 0o777)


def in_front(environment, name, *directories):
    known = [environment[name]] if environment.get(name) else []
    environment[name] = os.pathsep.join([*directories, *known])


def with_group_and_layers(config, code_dir, port):
    environment = worker_env(config, code_dir, port)
    group = (config.get("LoggingConfig") or {}).get("LogGroup")
    environment["AWS_LAMBDA_LOG_GROUP_NAME"] = group or f"/aws/lambda/{config.get('FunctionName')}"
    # The name is in every request's user agent then, so that the gateway can tell whose it is (an SDK takes 50 characters).
    environment.setdefault("AWS_SDK_UA_APP_ID", config.get("FunctionName", "")[-50:])
    environment["PATH"] = environment.pop("DELIVERY_FUNCTION_PATH", environment["PATH"])
    layers = unpacked(config.get("Layers") or [])
    if layers:
        in_front(environment, "PATH", os.path.join(layers, "bin"))
        in_front(environment, "LD_LIBRARY_PATH", os.path.join(layers, "lib"))
    return environment


lambda_svc._provided_worker_env = with_group_and_layers
