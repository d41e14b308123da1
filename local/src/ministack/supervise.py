"""Runs a command until standard input ends; then ends it and every process that came from it.

usage: supervise.py FOLDER LOG COMMAND [ARGUMENT...]

The write end of standard input belongs to the process that wants the command to run. However that
process ends, killed too, its end of the pipe closes, and nothing is left: no process, no FOLDER, and no
LOG but where the command ended by itself.

FOLDER/alive is locked for as long as this process lives, and names the LOG: where it is not, this
process was killed, and the next one's owner removes what it left.
"""

import fcntl
import select
import shutil
import sys

POLL_SECONDS = 0.5


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
            # A function that has lost its parent has no job any more.
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
