"""Fails while it fits."""

import sys

print("loading /home/somebody/secret/model.bin", file=sys.stderr)
raise RuntimeError("out of ideas")
