"""Digests of the suite's own code, as images carry them: an image with other code is stale."""

from __future__ import annotations

from pathlib import Path

import benchmark
from benchmark.keys import content_key, file_sha256, tree_sha256

METHOD_CODE = ("contract", "__init__.py", "classes.py", "errors.py", "keys.py")
"""What a method in Python needs of the suite: the contract's room and the files that it builds on."""


def method_code_sha256() -> str:
    """Digest of the code that images of methods hold."""
    root = Path(benchmark.__file__).parent
    return content_key({name: _digest(root / name) for name in METHOD_CODE})


def suite_code_sha256() -> str:
    """Digest of the whole package, with the profiles and recipes that lie in it."""
    return tree_sha256(Path(benchmark.__file__).parent, ("**/*.py", "**/*.yaml"))


def _digest(place: Path) -> str:
    return file_sha256(place) if place.is_file() else tree_sha256(place, ("**/*.py",))
