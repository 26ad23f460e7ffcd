"""Run by the host: python -m baselines.fu_lora."""

from __future__ import annotations

from baselines.fu_lora import FuLora
from benchmark.contract.sdk import main

main(FuLora)
