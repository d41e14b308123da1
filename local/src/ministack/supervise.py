"""Runs a command until standard input ends; then ends it and every process that came from it.

usage: supervise.py FOLDER LOG COMMAND [ARGUMENT...]

The write end of standard input belongs to the process that wants the command to run. However that
process ends, killed too, its end of the pipe closes, and nothing is left: no process, no FOLDER, and no
LOG but where the command ended by itself.

FOLDER/alive is locked for as long as this process lives, and names the LOG: where it is not, this
process was killed, and the next one's owner removes what it left.
"""

import ctypes
import fcntl
import os
import select
import shutil
import signal
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
GRACE_SECONDS = 5.0  # for the command to end by itself after SIGTERM
SWEEP_SECONDS = 10.0  # for descendants to be gone after SIGKILL; they cannot refuse it
POLL_SECONDS = 0.5


def adopt_orphans():
    """Makes this process the parent of orphaned descendants, so that none can hide behind a double fork."""
    try:
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    except (AttributeError, OSError):
        pass  # not Linux: the process group is all that is ended


def process_table():
    """{pid: (parent, state)} of every process, from /proc; empty without /proc."""
    table = {}
    try:
        entries = os.listdir("/proc")
    except OSError:
        return table
    for entry in entries:
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb") as stat:
                # The name is in parentheses and may hold anything, parentheses too.
                fields = stat.read().rpartition(b")")[2].split()
            table[int(entry)] = (int(fields[1]), fields[0])
        except (OSError, IndexError, ValueError):
            continue
    return table


def descendants(table):
    """The process ids below this process."""
    children = {}
    for pid, (parent, _state) in table.items():
        children.setdefault(parent, []).append(pid)
    found, waiting = [], [os.getpid()]
    while waiting:
        for pid in children.get(waiting.pop(), []):
            found.append(pid)
            waiting.append(pid)
    return found


def reap(command):
    """Ends and collects adopted orphans, never the command itself: whose function has died has no job any more."""
    for pid, (parent, state) in process_table().items():
        if parent == os.getpid() and pid != command.pid:
            try:
                if state != b"Z":
                    os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)
            except (ChildProcessError, ProcessLookupError):
                pass


def end(command):
    """Ends the command, then whatever is left below us."""
    if command.poll() is None:
        command.terminate()
        try:
            command.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            command.kill()
            command.wait()
    deadline = time.monotonic() + SWEEP_SECONDS
    while time.monotonic() < deadline:
        reap(command)
        left = descendants(process_table())
        if not left:
            return
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.02)


def stay_alive(folder, log):
    """Holds the lock of the folder; closed by the end of the process."""
    alive = os.open(os.path.join(folder, "alive"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(alive, fcntl.LOCK_EX)
    os.write(alive, os.fsencode(log))


def remove(folder):
    """Takes the folder away at once; its thousands of files are deleted by a process in the background."""
    removed = f"{folder}.removed"
    try:
        os.rename(folder, removed)
        delete = "import shutil, sys; shutil.rmtree(sys.argv[1], ignore_errors=True)"
        subprocess.Popen(
            [sys.executable, "-c", delete, removed],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)


def asked_to_end(_signal, _frame):
    raise SystemExit(0)


def main():
    folder, log, arguments = sys.argv[1], sys.argv[2], sys.argv[3:]
    stay_alive(folder, log)
    adopt_orphans()
    signal.signal(signal.SIGTERM, asked_to_end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that holds the pipe
    command = subprocess.Popen(arguments, stdin=subprocess.DEVNULL)
    try:
        while command.poll() is None:
            readable, _, _ = select.select([sys.stdin.fileno()], [], [], POLL_SECONDS)
            if readable and not os.read(sys.stdin.fileno(), 4096):
                break
            reap(command)
        code = command.poll()
    finally:
        end(command)
        remove(folder)
    if code is not None:
        return max(code, 1)
    # Only a command that ended by accident needs its log afterwards.
    try:
        os.remove(log)
    except OSError:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
