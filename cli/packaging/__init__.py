"""Starts the program that lies in this package, for the command `delivery`."""

import os
import sys

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "delivery")


def main():
    os.execv(PROGRAM, [PROGRAM, *sys.argv[1:]])
