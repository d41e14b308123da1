"""Starts MiniStack with gaps closed that nothing in front of it could close.

usage: start.py FOLDER GAP...

FOLDER holds the package `gaps`; each GAP is a module of it that replaces what is missing.
"""

import importlib
import sys

sys.path.insert(0, sys.argv[1])
for gap in sys.argv[2:]:
    importlib.import_module(f"gaps.{gap}")
del sys.argv[1:]

if __name__ == "__main__":
    from ministack.app import main

    main()
