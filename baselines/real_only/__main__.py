"""Run by the host: python -m baselines.real_only."""

from __future__ import annotations

from baselines.real_only import RealOnly
from benchmark.contract.sdk import main

main(lambda context: RealOnly())
