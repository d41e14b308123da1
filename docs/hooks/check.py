import os
from urllib.request import urlopen

from hook import hook


def check(event):
    urlopen(os.environ["URL"]).close()  # raises for 4xx and 5xx


handler = hook(check)
