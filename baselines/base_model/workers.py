"""Data parallelism over CPU cores: one single-threaded process per core, gradients averaged every step.

On two shared cores this trains 1.8 times faster than one process of two threads, whose threads wait
for each other inside every operation.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import distributed, multiprocessing, nn


def rank() -> int:
    """This worker's number; 0 writes the files."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def count() -> int:
    """How many workers train together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def average_gradients(weights: Iterable[nn.Parameter]) -> None:
    """Replace every gradient by its mean over the workers."""
    if count() == 1:
        return
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= count()
    start = 0
    for gradient in gradients:
        gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
        start += gradient.numel()


def agree(value: float) -> float:
    """The value that worker 0 has, so that all workers stop at the same step."""
    if count() == 1:
        return value
    shared = torch.tensor([value], dtype=torch.float64)
    distributed.broadcast(shared, 0)
    return float(shared)


def run_workers(work: Callable[[argparse.Namespace], None], arguments: argparse.Namespace) -> None:
    """Call `work(arguments)` in `arguments.workers` processes; their failure is raised here."""
    with tempfile.TemporaryDirectory() as meeting:
        multiprocessing.spawn(
            _worker, (work, arguments, str(Path(meeting) / "meet")), nprocs=arguments.workers, join=True
        )


def _worker(
    number: int, work: Callable[[argparse.Namespace], None], arguments: argparse.Namespace, meeting: str
) -> None:
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=number, world_size=arguments.workers)
    try:
        work(arguments)
        distributed.barrier()
    finally:
        distributed.destroy_process_group()
