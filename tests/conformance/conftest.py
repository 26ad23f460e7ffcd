from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance.faults import Edits
from tests.tiny import METHODS


@pytest.fixture
def method(tmp_path: Path) -> Callable[..., Path]:
    """Writes the stranger's method into a folder, with some of its lines exchanged."""

    def write(edits: Edits = (), needs: str = "") -> Path:
        text = (METHODS / "plain" / "method.py").read_text()
        for old, new in edits:
            assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in tests/methods/plain/method.py"
            text = text.replace(old, new)
        folder = tmp_path / "plain"
        folder.mkdir()
        (folder / "method.py").write_text(text)
        (folder / "method.toml").write_text((METHODS / "plain" / "method.toml").read_text() + needs)
        return folder

    return write
