"""How long the tests take: the short form, which CI runs, or with FULORA_BENCH_TESTS=full the whole.

The short form leaves out repetitions and what another test shows too; each place says which one.
"""

from __future__ import annotations

import os

import pytest

FULL: bool = os.environ.get("FULORA_BENCH_TESTS", "short") == "full"

full_only = pytest.mark.skipif(not FULL, reason="FULORA_BENCH_TESTS=full runs it; its module says what covers it else")
"""For tests that the short form leaves out."""
