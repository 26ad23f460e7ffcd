"""Content keys and named seeds: the only truth of what was already computed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_CHUNK = 1 << 20


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces, so that equal values give equal text; NaN is refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def content_key(value: Any) -> str:
    """SHA-256 (64 hex digits) of the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 (64 hex digits) of a file's bytes, read in chunks of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def tree_sha256(root: Path, patterns: Iterable[str] = ("**/*",)) -> str:
    """SHA-256 over the names and contents of the files under `root`; byte-code caches are left out."""
    files = {path for pattern in patterns for path in root.glob(pattern) if path.is_file()}
    kept = sorted(path for path in files if "__pycache__" not in path.parts)
    return content_key([[path.relative_to(root).as_posix(), file_sha256(path)] for path in kept])


def named_seed(*parts: object) -> int:
    """A seed in [0, 2^31) from the parts that matter, by hash: adding another name moves no seed."""
    text = canonical_json([str(part) for part in parts])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") & 0x7FFF_FFFF
