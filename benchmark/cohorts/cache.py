"""The cache folder: pixels decoded once, kept under the digest of what they were decoded from."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.errors import BenchError
from benchmark.keys import content_key

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from benchmark.cohorts.images import Progress

ENVIRONMENT_VARIABLE = "FULORA_BENCH_CACHE"


def cache_dir() -> Path:
    """$FULORA_BENCH_CACHE, or the user's cache folder of the platform; it need not exist yet."""
    chosen = os.environ.get(ENVIRONMENT_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("fulora-bench"))


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A temporary name beside `path`, renamed to it if the block succeeds: readers see all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically."""
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")


def need_space(folder: Path, needed: int) -> None:
    """Raise BenchError when the disk of `folder` has less than `needed` bytes free."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise BenchError(
            f"{folder} has {free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB are needed. "
            f"Free some space or set {ENVIRONMENT_VARIABLE} to a folder on a larger disk."
        )


@dataclass(frozen=True)
class ImageSource:
    """One image to decode: its file, its content digest and where its table lists it (for errors)."""

    path: Path
    sha256: str
    where: str = ""


def pixels_path(sources: Sequence[ImageSource], size: int) -> Path:
    """Where the decoded pixels of these contents at this size are kept."""
    from benchmark.cohorts.images import DECODER_VERSION

    contents = [source.sha256 for source in sources]
    key = content_key({"decoder": DECODER_VERSION, "size": size, "files": contents})
    return cache_dir() / "pixels" / f"{key}.npy"


def decoded_pixels(sources: Sequence[ImageSource], size: int, progress: Progress | None = None) -> NDArray[np.uint8]:
    """Grey pixels of the images, uint8, shape (n, size, size), as a read-only memory map.

    Decoded in parallel threads on a miss. Raises BenchError naming the first image that cannot be read.
    """
    from benchmark.cohorts.images import check_size, decode_image, in_threads, told

    check_size(size)

    def fill(pixels: NDArray[np.uint8]) -> None:
        images = in_threads(lambda source: decode_image(source.path, size, source.where), sources)
        for index, image in told(images, "decoding", len(sources), progress):
            pixels[index] = image

    return kept_pixels(pixels_path(sources, size), (len(sources), size, size), fill)


def kept_pixels(
    path: Path, shape: tuple[int, int, int], fill: Callable[[NDArray[np.uint8]], None]
) -> NDArray[np.uint8]:
    """The uint8 array kept at `path`, filled by `fill` when it is absent, truncated or of another shape."""
    import numpy as np

    kept = open_pixels(path, shape)
    if kept is not None:
        return kept
    need_space(path.parent, int(np.prod(shape)) + (1 << 20))
    with written_whole(path) as temporary:
        pixels = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
        fill(pixels)
        pixels.flush()
    written = open_pixels(path, shape)
    if written is None:
        raise BenchError(f"{path} vanished or changed while it was written; run the same command again.")
    return written


def open_pixels(path: Path, shape: tuple[int, int, int]) -> NDArray[np.uint8] | None:
    """The memory map at `path`, or None when the file is absent, truncated or of another shape or type."""
    import numpy as np

    try:
        pixels: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    if pixels.shape != shape or pixels.dtype != np.uint8:
        return None
    return pixels
