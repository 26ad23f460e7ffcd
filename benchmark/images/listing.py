"""Which images this host has, and whether they hold what is installed here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmark.errors import UsageError
from benchmark.execution.code import method_code_sha256, suite_code_sha256
from benchmark.execution.engines import LABEL_CODE, Engine, Image, find_engine, inspect_image, list_images
from benchmark.images.build import BuildOptions
from benchmark.images.builders import find_builder
from benchmark.images.recipes import (
    BASE,
    LABEL_BASE,
    LABEL_ENVIRONMENT,
    LABEL_REVISION,
    LABEL_VARIANT,
    SUITE,
    environment_sha256,
    own_methods,
    own_names,
)
from benchmark.methods import find_methods

CURRENT, STALE, MISSING, UNKNOWN = "current", "stale", "missing", "not installed here"


@dataclass(frozen=True)
class Listed:
    """An image of this host, or one of ours that is not built.

    Attributes:
        image: its name with tag.
        state: `current`, `stale` or `missing`.
        methods: method -> `current`, `stale`, or `not installed here`, where its folder is not known and so nothing
            can be compared.
        reasons: what is stale in it: `environment`, `code`, or names of methods.
        id, size_bytes, revision, variant, base: of the image; empty where it is missing or does not tell.
        build: the command that builds it; empty where it is current.
    """

    image: str
    state: str
    methods: dict[str, str]
    reasons: tuple[str, ...] = ()
    id: str = ""
    size_bytes: int = 0
    revision: str = ""
    variant: str = ""
    base: str = ""
    build: str = ""

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return {**vars(self), "reasons": list(self.reasons)}


def list_built(options: BuildOptions) -> list[Listed]:
    """The suite's own images under the prefix, missing ones too, then every other image of a method.

    Raises:
        UsageError: apptainer, which keeps no list.
        BenchError: the engine does not work here.
    """
    if options.engine == "apptainer":
        raise UsageError("apptainer keeps no list of images: an image is a .sif file, named by its path.")
    engine = find_engine(options.engine) if options.engine != "auto" else find_builder("auto")
    installed = {name: spec.source_sha256 for name, spec in find_methods().items()}
    own = {options.reference(name): name for name in own_names()}
    listed = [_own(engine, reference, name, options, installed) for reference, name in own.items()]
    others = [image for image in list_images(engine) if image.reference not in own]
    return listed + [_described(image, "", installed) for image in others]


def _own(engine: Engine, reference: str, name: str, options: BuildOptions, installed: dict[str, str]) -> Listed:
    command = BuildOptions(engine=engine.name, prefix=options.prefix).command_line([name])
    image = inspect_image(engine, reference)
    if image is not None:
        return _described(image, name, installed, command)
    inside = {BASE: [], SUITE: [spec for specs in own_methods().values() for spec in specs], **own_methods()}
    return Listed(reference, MISSING, {spec.name: MISSING for spec in inside[name]}, build=command)


def _described(image: Image, name: str, installed: dict[str, str], command: str = "") -> Listed:
    labels = image.labels
    methods = {
        method: UNKNOWN if method not in installed else CURRENT if digest == installed[method] else STALE
        for method, digest in sorted(image.sources.items())
    }
    code = suite_code_sha256() if name == SUITE else method_code_sha256()
    expected = {"environment": (LABEL_ENVIRONMENT, environment_sha256()), "code": (LABEL_CODE, code)}
    # A stranger's image need hold neither of them; one of ours must.
    reasons = [word for word, (label, value) in expected.items() if labels.get(label, "" if name else value) != value]
    reasons += [method for method, state in methods.items() if state == STALE]
    return Listed(
        image=image.reference,
        state=STALE if reasons else CURRENT if name or UNKNOWN not in methods.values() else UNKNOWN,
        methods=methods,
        reasons=tuple(reasons),
        id=image.id,
        size_bytes=image.size_bytes,
        revision=labels.get(LABEL_REVISION, ""),
        variant=labels.get(LABEL_VARIANT, ""),
        base=labels.get(LABEL_BASE, ""),
        build=command if reasons else "",
    )
