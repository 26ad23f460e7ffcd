"""In parallel (`-n 2 --dist loadgroup`) a file of tests stays whole, so that its fixtures are made once."""

from __future__ import annotations

import pytest


@pytest.hookimpl(tryfirst=True)  # before the names are made of which tests are shared out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test belongs to the group of its file, unless its file names one (`xdist_group`)."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
