"""The local dask cluster that cells run on: worker processes of one thread, quiet, without a dashboard."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distributed import Client

_CLOSE_SECONDS = 30.0


@contextmanager
def local_cluster(workers: int, threads: int) -> Iterator[Client]:
    """A client of a cluster with this many workers, each granted `threads` threads of arithmetic."""
    import dask
    from distributed import Client, LocalCluster

    spawn = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    settings: dict[str, Any] = {
        "distributed.scheduler.allowed-failures": 0,
        "distributed.nanny.pre-spawn-environ": spawn,
        "distributed.worker.profile.enabled": False,
        "distributed.admin.event-loop-monitor-interval": "10s",
        "distributed.admin.tick.limit": "600s",
        "distributed.comm.timeouts.connect": "120s",
    }
    for name in ("distributed", "distributed.nanny", "distributed.scheduler", "distributed.worker", "tornado"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with dask.config.set(settings):
        cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            memory_limit=0,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
            local_directory=os.environ.get("TMPDIR"),
        )
        client = Client(cluster)
        try:
            yield client
        finally:
            # On a loaded machine workers may be slow to answer. Every record is written by then, and workers are
            # daemons: those that are left end with this process.
            with contextlib.suppress(TimeoutError, OSError):
                client.close(timeout=_CLOSE_SECONDS)
            with contextlib.suppress(TimeoutError, OSError):
                cluster.close(timeout=_CLOSE_SECONDS)
