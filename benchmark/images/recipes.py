"""What each image is made of: its Containerfile, the files of its build context, and its labels."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import benchmark
from benchmark import __version__
from benchmark.contract import CONTRACT_VERSION, MethodSpec, load_method
from benchmark.errors import BenchError, UnknownNameError, UsageError
from benchmark.execution.code import METHOD_CODE, method_code_sha256, suite_code_sha256
from benchmark.execution.engines import LABEL_CODE, LABEL_CONTRACT, LABEL_SOURCES
from benchmark.keys import content_key, file_sha256, tree_sha256
from benchmark.methods import find_methods

BASE, SUITE = "base", "suite"
LABEL_ENVIRONMENT = "org.fulora-bench.environment"
"""On every image that stands on our base: digest of the dependencies and of their pinned versions."""
LABEL_VARIANT = "org.fulora-bench.variant"
"""On every image that stands on our base: `cuda`, `cpu`, or `none` where the dependencies are mounted."""
LABEL_RECIPE = "org.fulora-bench.recipe"
"""On the suite's own images: digest of all that went into the build, so that an equal one is not built again."""
LABEL_BASE = "org.opencontainers.image.base.name"
LABEL_REVISION = "org.opencontainers.image.revision"

_CONTAINERFILES = ("Containerfile", "Dockerfile")
# Fixed, so that an engine that looks at times finds equal files unchanged.
_MTIME = 1_700_000_000


@dataclass(frozen=True)
class Recipe:
    """One image to build.

    Attributes:
        name: last part of the image's name.
        containerfile: what the engine follows.
        files: the build context: path in it -> file or folder. Empty: the Containerfile's own folder, as it is.
        labels: put on by the build, beside those that the Containerfile has.
        method: the stranger's method whose folder this is; `None` for the suite's own images.
    """

    name: str
    containerfile: Path
    files: Mapping[str, Path] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    method: MethodSpec | None = None

    def sha256(self, more: Mapping[str, str]) -> str:
        """Digest of the recipe's content and of `more`; another commit with equal content changes nothing."""
        labels = {name: value for name, value in self.labels.items() if name != LABEL_REVISION}
        files = {target: _digest(source) for target, source in self.files.items()}
        return content_key([file_sha256(self.containerfile), files, labels, dict(more)])


@cache
def source_root() -> Path:
    """The folder with `containers/`, `pyproject.toml` and `constraints.txt`: of a checkout, or inside the package.

    Raises:
        BenchError: this installation holds none.
    """
    package = Path(benchmark.__file__).parent
    for root in (package / "build_files", package.parent):
        if (root / "containers" / BASE).is_dir():
            return root
    raise BenchError(
        "this installation holds no Containerfiles: images are built where fulora-bench is installed "
        "from a checkout or a wheel, not inside an image."
    )


def environment_sha256() -> str:
    """Digest of the dependencies and of their pinned versions."""
    root = source_root()
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return content_key([project["dependencies"], (root / "constraints.txt").read_text(encoding="utf-8")])


def own_methods() -> dict[str, list[MethodSpec]]:
    """The runners of the suite: image name -> the methods in it, the one that names the image first."""
    baselines = importlib.util.find_spec("baselines")
    places = [Path(place) for place in (baselines.submodule_search_locations or ())] if baselines else []
    found: dict[str, list[MethodSpec]] = {}
    for spec in find_methods().values():
        if spec.folder.parent in places:
            found.setdefault(spec.image_name, []).append(spec)
    for image, specs in found.items():
        specs.sort(key=lambda spec: (spec.name.replace("_", "-") != image, spec.name))
    return found


def own_names() -> list[str]:
    """The suite's own images in the order in which they are built."""
    return [BASE, *sorted(own_methods()), SUITE]


def find_recipe(name: str) -> Recipe:
    """The recipe of an own image, by the image's or a method's name, or of a stranger's method, by its folder.

    Raises:
        UnknownNameError: no such image or method.
        UsageError: the folder holds no Containerfile or no method.
    """
    if "/" in name or name.startswith((".", "~")):
        return _stranger(Path(name).expanduser().resolve())
    runners = own_methods()
    names = {spec.name: image for image, specs in runners.items() for spec in specs}
    image = names.get(name, name)
    if image == BASE:
        return _base()
    if image == SUITE:
        return _suite()
    if image in runners:
        return _runner(image, runners[image])
    raise UnknownNameError("image", name, {*own_names(), *names})


def _base() -> Recipe:
    root, package = source_root(), Path(benchmark.__file__).parent
    files = {name: root / name for name in ("pyproject.toml", "constraints.txt")}
    files |= {f"benchmark/{name}": package / name for name in METHOD_CODE}
    labels = {**_labels(), LABEL_CODE: method_code_sha256(), LABEL_ENVIRONMENT: environment_sha256()}
    return Recipe(BASE, _containerfile(BASE), files, labels)


def _runner(image: str, specs: list[MethodSpec]) -> Recipe:
    files = {"baselines/__init__.py": specs[0].folder.parent / "__init__.py"}
    for spec in specs:
        place = f"baselines/{spec.folder.name}"
        files[place] = spec.folder
        files |= {os.path.normpath(f"{place}/{name}"): spec.folder / name for name in spec.source.also}
    labels = {
        **_labels(),
        LABEL_CONTRACT: str(CONTRACT_VERSION),
        LABEL_SOURCES: _sources(specs),
        LABEL_CODE: method_code_sha256(),
    }
    return Recipe(image, _containerfile(image), files, labels)


def _suite() -> Recipe:
    root, package = source_root(), Path(benchmark.__file__).parent
    specs = [spec for found in own_methods().values() for spec in found]
    reference = package / "leaderboard" / "reference"
    files = {
        "pyproject.toml": root / "pyproject.toml",
        "benchmark": package,
        "baselines": specs[0].folder.parent,
        "results/reference": reference if reference.is_dir() else root / "results" / "reference",
    }
    labels = {**_labels(), LABEL_SOURCES: _sources(specs), LABEL_CODE: suite_code_sha256()}
    return Recipe(SUITE, _containerfile(SUITE), files, labels)


def _stranger(folder: Path) -> Recipe:
    spec = load_method(folder)
    found = next((folder / name for name in _CONTAINERFILES if (folder / name).is_file()), None)
    if found is None:
        raise UsageError(
            f"{folder} holds no {' or '.join(_CONTAINERFILES)}: see docs/images-of-methods.md for one in a few lines."
        )
    if spec.image_name in own_names():
        raise UsageError(
            f"{folder / 'method.toml'}: the image '{spec.image_name}' is one of the suite's own. "
            'Name another: [container] image = "…".'
        )
    labels = {
        LABEL_CONTRACT: str(CONTRACT_VERSION),
        LABEL_SOURCES: _sources([spec]),
        "org.opencontainers.image.title": spec.name,
        "org.opencontainers.image.description": spec.summary,
        "org.opencontainers.image.version": spec.version,
        LABEL_REVISION: "",
    }
    return Recipe(spec.image_name, found, labels=labels, method=spec)


def _containerfile(name: str) -> Path:
    return source_root() / "containers" / name / "Containerfile"


def _sources(specs: list[MethodSpec]) -> str:
    return json.dumps({spec.name: spec.source_sha256 for spec in specs}, sort_keys=True)


def _labels() -> dict[str, str]:
    return {"org.opencontainers.image.version": __version__, LABEL_REVISION: _revision()}


@cache
def _revision() -> str:
    """The commit that the checkout stands on, `-dirty` where the code differs from it; empty outside a checkout."""
    root = source_root()
    if not (root / ".git").exists() or shutil.which("git") is None:
        return ""
    git = ["git", "-C", str(root)]
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    if head.returncode != 0:
        return ""
    parts = ["benchmark", "baselines", "containers", "constraints.txt", "pyproject.toml"]
    changed = subprocess.run([*git, "status", "--porcelain", "--", *parts], capture_output=True, text=True, check=False)
    return head.stdout.strip() + ("-dirty" if changed.stdout.strip() else "")


def write_context(recipe: Recipe, folder: Path) -> Path:
    """Assemble the build context in `folder`, with fixed times and rights; returns what the engine is to be given.

    The folder of a stranger's method is used where it lies, with the ignore file that it may have.
    """
    if recipe.method is not None:
        return recipe.containerfile.parent
    for target, source in recipe.files.items():
        place = folder / target
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, place, dirs_exist_ok=True, ignore=_ignored)
        else:
            shutil.copyfile(source, place)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (_MTIME, _MTIME))
    return folder


def _digest(source: Path) -> str:
    return tree_sha256(source) if source.is_dir() else file_sha256(source)


def _ignored(folder: str, names: list[str]) -> list[str]:
    kept_out = {"__pycache__", "build_files", "reference"}
    return [name for name in names if name in kept_out or name.startswith(".")]
