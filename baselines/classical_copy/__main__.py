"""Run by the host: python -m baselines.classical_copy."""

from __future__ import annotations

from baselines.classical_copy import ClassicalCopy
from benchmark.contract.sdk import main

main(ClassicalCopy)
