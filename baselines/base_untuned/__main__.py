"""Run by the host: python -m baselines.base_untuned."""

from __future__ import annotations

from baselines.base_untuned import BaseUntuned
from benchmark.contract.sdk import main

main(BaseUntuned)
