"""Starts MiniStack with gaps closed that nothing in front of it could close.

usage: start.py FOLDER GAP...

FOLDER holds the package `gaps`; each GAP is a module of it that replaces what is missing. It holds the file
`secret`, too, which is read and removed: `gaps.secrets` has what was in it.
"""

import ctypes
import importlib
import os
import sys

PR_SET_DUMPABLE = 4  # linux/prctl.h

# Functions are processes of the same user: they must not read the secret out of this process's memory.
try:
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
except (AttributeError, OSError):
    pass  # not Linux

sys.path.insert(0, sys.argv[1])
secrets = importlib.import_module("gaps.secrets")
path = os.path.join(sys.argv[1], "secret")
with open(path, encoding="ascii") as file:
    secrets.MINISTACK, secrets.KEY_MARK = file.read().split()
os.remove(path)
for gap in sys.argv[2:]:
    importlib.import_module(f"gaps.{gap}")
del sys.argv[1:]

if __name__ == "__main__":
    from ministack.app import main

    main()
