"""Run by the host: python -m baselines.gan."""

from __future__ import annotations

from baselines.gan import Gan
from benchmark.contract.sdk import main

main(Gan)
