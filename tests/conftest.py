from __future__ import annotations

from pathlib import Path

import pytest

LONG_FIRST = (
    "containers/test_full_images.py",
    "end_to_end/test_run.py",
    "containers/test_hostile.py",
    "meaning/test_phantom_discriminates.py",
    "conformance/test_check.py",
    "containers/test_run.py",
)
"""The files that take longest. Processes that share the tests take files in this order, so none is left with a long
one at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    folder = Path(__file__).parent
    rank = {folder / name: place for place, name in enumerate(LONG_FIRST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))
