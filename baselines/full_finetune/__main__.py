"""Run by the host: python -m baselines.full_finetune."""

from __future__ import annotations

from baselines.full_finetune import FullFinetune
from benchmark.contract.sdk import main

main(FullFinetune)
