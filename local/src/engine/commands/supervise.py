"""Runs a command; when it ends, or standard input does, ends every process that came from it.

usage: supervise.py COMMAND [ARGUMENT...]

Standard input begins with the variables of the command, as `NAME=VALUE`, each ended by a NUL byte, and one more NUL
byte. They are not those of this process: `python3` may be a script that adds some of its own (pyenv). The write end of standard input belongs to the engine: however the engine ends, killed too, its end of the pipe
closes, and nothing is left running. What ends the processes stands before this text: processes.py.
"""

import select
import sys

POLL_SECONDS = 0.1  # where the system has no file descriptors of processes, which wake at once
SIGNALLED = 128  # what shells add to the number of the signal that ended a command


def variables():
    """The command's environment, from the beginning of standard input."""
    block = b""
    while not block.endswith(b"\0\0"):
        more = os.read(sys.stdin.fileno(), 65536)
        if not more:
            raise SystemExit(1)  # nobody wants it to run any more
        block += more
    pairs = (entry.partition(b"=") for entry in block[:-2].split(b"\0"))
    return {name: value for name, _, value in pairs}


def wait(command):
    """Waits until the command ends, or nobody wants it to run any more; its exit code, or None."""
    wanted = sys.stdin.fileno()
    watched = [wanted]
    try:
        watched.append(os.pidfd_open(command.pid))
    except (AttributeError, OSError):
        pass  # not Linux 5.3
    while command.poll() is None:
        readable, _, _ = select.select(watched, [], [], POLL_SECONDS)
        if wanted in readable and not os.read(wanted, 4096):
            return None
    return command.returncode


def main():
    os.dup2(1, 2)  # in the order in which they write, as CodeBuild logs it
    adopt_orphans()
    signal.signal(signal.SIGTERM, asked_to_end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the engine
    command = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, env=variables())
    try:
        code = wait(command)
    finally:
        end(command)
    if code is None:
        return 1
    return code if code >= 0 else SIGNALLED - code


if __name__ == "__main__":
    sys.exit(main())
