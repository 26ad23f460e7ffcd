"""The one image format of the contract: 8-bit single-channel PNG of exactly the requested size."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">8sI4sIIBBBBB")
SLACK_BYTES = 65_536


class ImageFault(ValueError):  # noqa: N818 -- a finding about a file
    """Why a file is not an image of the contract, without its path."""


def encode_gray(pixels: NDArray[np.uint8]) -> bytes:
    """PNG bytes of one grey image, shape (height, width); equal pixels give equal bytes."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=3)
    return buffer.getvalue()


def write_gray(path: Path, pixels: NDArray[np.uint8]) -> str:
    """Write one grey image and return the SHA-256 of the file."""
    data = encode_gray(pixels)
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def read_bounded(path: Path, limit: int) -> bytes:
    """Bytes of a regular file, at most `limit`, never through a link.

    Raises:
        ImageFault: a link, a device, a pipe, a second name of another file, or too large.
        OSError: it cannot be opened.
    """
    if path.is_symlink():
        raise ImageFault("is a symbolic link")
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ImageFault("is not a regular file")
        if status.st_nlink > 1:
            raise ImageFault("is a hard link (another name of the same file exists)")
        if status.st_size > limit:
            raise ImageFault(f"holds {status.st_size} bytes, more than the {limit} allowed")
        return stream.read(limit + 1)[:limit]


def decode_gray(data: bytes, size: int) -> NDArray[np.uint8]:
    """Pixels, uint8 of shape (size, size). The header is checked before anything is decompressed.

    Raises:
        ImageFault: not a PNG, another size, depth or mode, or damaged.
    """
    if len(data) < _HEADER.size:
        raise ImageFault("is too short for a PNG")
    signature, length, kind, width, height, depth, colour, *_ = _HEADER.unpack_from(data)
    if signature != _SIGNATURE or kind != b"IHDR" or length != 13:
        raise ImageFault("is not a PNG")
    if (width, height) != (size, size):
        raise ImageFault(f"is {width}x{height}, not {size}x{size}")
    if (depth, colour) != (8, 0):
        raise ImageFault(f"is not 8-bit grey (bit depth {depth}, PNG colour type {colour})")
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            pixels = np.array(image, dtype=np.uint8)
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageFault(f"cannot be decoded: {error}") from error
    return pixels


def read_gray(path: Path, size: int) -> tuple[NDArray[np.uint8], str]:
    """Pixels and SHA-256 of one image file; both come from the same read of the same bytes.

    Raises:
        ImageFault: see `read_bounded` and `decode_gray`; a missing file is told the same way.
    """
    try:
        data = read_bounded(path, limit=2 * size * size + SLACK_BYTES)
    except FileNotFoundError as error:
        raise ImageFault("is missing") from error
    except OSError as error:
        raise ImageFault(f"cannot be read: {error.strerror}") from error
    return decode_gray(data, size), hashlib.sha256(data).hexdigest()
