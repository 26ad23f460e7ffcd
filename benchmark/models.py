"""Base models: from the name in a profile to a verified folder, its digest, and what its making cost."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.errors import UsageError
from benchmark.keys import content_key, file_sha256
from benchmark.methods import model_folder

_HUB_NAME = re.compile(r"^(?P<repo>[\w.-]+/[\w.-]+)@(?P<revision>[\w.-]+)$")
_PIPELINE_FILES = ["*.json", "*.txt", "*.model", "*/*.json", "*/*.txt", "*/*.safetensors"]


@dataclass(frozen=True)
class BaseModel:
    """A diffusers pipeline folder on this machine.

    Attributes:
        name: as the profile names it.
        folder: the pipeline folder.
        sha256: digest of the names and contents of its weights and configurations.
        pretraining: `images`, `seconds`, `hardware`, `source` where the folder's `pretraining.json` tells them.
    """

    name: str
    folder: Path
    sha256: str
    pretraining: dict[str, Any] = field(default_factory=dict)


def resolve_base_model(name: str) -> BaseModel:
    """Find the base model on this machine; nothing is fetched.

    Args:
        name: `embedded`, the path of a pipeline folder, or `owner/name@revision` of the Hugging Face hub.

    Raises:
        UsageError: it is not here; the message names the command that fetches it.
    """
    folder = _hub_folder(name, offline=True) if _HUB_NAME.match(name) else model_folder(name)
    card = folder / "pretraining.json"
    pretraining = json.loads(card.read_text()) if card.is_file() else {}
    return BaseModel(name=name, folder=folder, sha256=_digest(folder), pretraining=pretraining)


def prepare_base_model(name: str, *, offline: bool, say: Callable[[str], None]) -> BaseModel:
    """Fetch a hub model if allowed, then verify and hash it."""
    if _HUB_NAME.match(name) and not offline:
        say(f"fetching {name} from the Hugging Face hub")
        _hub_folder(name, offline=False)
    return resolve_base_model(name)


def is_model_name(name: str) -> bool:
    """Whether `name` is written as a base model (`embedded` or `owner/name@revision`)."""
    return name in {"embedded", "base"} or _HUB_NAME.match(name) is not None


def _hub_folder(name: str, *, offline: bool) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    match = _HUB_NAME.match(name)
    assert match is not None
    try:
        found = snapshot_download(
            match["repo"], revision=match["revision"], local_files_only=offline, allow_patterns=_PIPELINE_FILES
        )
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise UsageError(
            f"the base model {name} is not on this machine ({type(error).__name__}). "
            f"1. With network: fulora-bench prepare {name}  "
            f"2. Without: copy a diffusers pipeline folder here and set base_model=/path/to/folder."
        ) from error
    return Path(found)


def _digest(folder: Path) -> str:
    """Digest of all files of the folder, hidden ones left out; hub snapshots are links, which are followed."""
    found = (path for path in folder.rglob("*") if path.is_file())
    files = sorted(path for path in found if not any(p.startswith(".") for p in path.relative_to(folder).parts))
    return content_key([[path.relative_to(folder).as_posix(), file_sha256(path.resolve())] for path in files])
