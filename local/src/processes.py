"""What supervisors share: they end every process that came from a command, however deep it hides."""

import ctypes
import os
import signal
import subprocess
import time

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
GRACE_SECONDS = 5.0  # for the command to end by itself after SIGTERM
SWEEP_SECONDS = 10.0  # for descendants to be gone after SIGKILL; they cannot refuse it


def adopt_orphans():
    """Makes this process the parent of orphaned descendants, so that none can hide behind a double fork."""
    try:
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    except (AttributeError, OSError):
        pass  # not Linux: the process group is all that is ended


def parents():
    """{pid: parent} of every process, from /proc; empty without /proc."""
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
                table[int(entry)] = int(stat.read().rpartition(b")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            continue
    return table


def descendants():
    """The process ids below this process."""
    below = {}
    for pid, parent in parents().items():
        below.setdefault(parent, []).append(pid)
    found, waiting = [], [os.getpid()]
    while waiting:
        for pid in below.get(waiting.pop(), []):
            found.append(pid)
            waiting.append(pid)
    return found


def children():
    """The process ids right below this process."""
    own = os.getpid()
    try:
        # One file, where all of /proc is thousands: supervisors ask twice a second.
        with open(f"/proc/{own}/task/{own}/children", encoding="ascii") as listed:
            return [int(pid) for pid in listed.read().split()]
    except OSError:  # a kernel without CONFIG_PROC_CHILDREN
        return [pid for pid, parent in parents().items() if parent == own]


def reap(command):
    """Ends and collects adopted orphans, never the command itself."""
    for pid in children():
        if pid != command.pid:
            try:
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
        left = descendants()
        if not left:
            return
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.02)


def asked_to_end(_signal, _frame):
    raise SystemExit(0)


