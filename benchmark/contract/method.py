"""`method.toml`: what a method is, how it is started, and what it may be told."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from benchmark.errors import UnknownNameError, UsageError
from benchmark.keys import content_key, file_sha256, tree_sha256

ParameterValue = bool | int | float | str | list[bool | int | float | str]
"""What a parameter may hold: a scalar, or a list of scalars."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]
"""One line for people, without control characters: it is shown in terminals and on boards."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
FILE_NAME = "method.toml"
_SET_BY_HOST = ("folder", "image_id", "image_reference")


class Needs(BaseModel):
    """What a method needs of the machine that runs it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    gpu: bool = False
    memory_mib: int = Field(default=1024, ge=1)
    model: Literal["", "base"] = ""
    extras: tuple[str, ...] = ()


class Source(BaseModel):
    """Files outside the method's folder that its results depend on, relative to the folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    also: tuple[str, ...] = ()


class Container(BaseModel):
    """How the method is found as a container image; `image` defaults to its name. Two methods may share one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    image: Annotated[str, StringConstraints(pattern=r"^([a-z0-9]+([._-][a-z0-9]+)*)?$", max_length=64)] = ""


class MethodSpec(BaseModel):
    """One method, as its `method.toml` describes it.

    Attributes:
        name: lower-case name, also the name of its entry point.
        version: raised by the author when results may change.
        summary: one sentence for listings.
        synthesizes: false for a method that yields no image.
        command: argument list; `{python}` stands for the host's interpreter, `{folder}` for the method's folder.
        parameters: every parameter with its default; the default fixes the type.
        needs: memory, GPU, weights, python extras.
        source: further files that the key must cover.
        container: the image that it runs in under a container engine.
        tuning: how the defaults were chosen, and on what.
        folder: where `method.toml` lies; not part of the description.
        image_id, image_reference: of the image that `method.toml` was read from; empty for a method found as a folder.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    version: Text
    summary: Text
    synthesizes: bool
    command: tuple[str, ...] = Field(min_length=1)
    parameters: dict[str, ParameterValue] = Field(default_factory=dict)
    needs: Needs = Needs()
    source: Source = Source()
    container: Container = Container()
    tuning: str = ""
    folder: Path = Field(exclude=True)
    image_id: str = Field(default="", exclude=True)
    image_reference: str = Field(default="", exclude=True)

    @cached_property
    def source_sha256(self) -> str:
        """Digest of the method's folder and of the files that `[source] also` lists; an image's id stands for both.

        Raises:
            UsageError: a listed file is not there.
        """
        if self.image_id:
            return self.image_id
        listed = {}
        for name in self.source.also:
            path = self.folder / name
            if not path.is_file():
                raise UsageError(f"{self.folder / FILE_NAME}: [source] also names '{name}', which is no file.")
            listed[name] = file_sha256(path)
        return content_key({"folder": tree_sha256(self.folder), "also": listed})

    @property
    def image_name(self) -> str:
        """The last part of its image's name, e.g. `fu-lora`."""
        return self.container.image or self.name.replace("_", "-").strip("-")

    def command_line(self, python: str, folder: str = "") -> list[str]:
        """The argument list to start the method with this interpreter; `folder` where it lies, if not as found."""
        place = folder or str(self.folder)
        return [part.replace("{python}", python).replace("{folder}", place) for part in self.command]

    def resolve_parameters(self, overrides: Mapping[str, ParameterValue]) -> dict[str, ParameterValue]:
        """The defaults with these overrides; a whole number is accepted where the default is a fraction.

        Raises:
            UnknownNameError: a parameter that the method does not have.
            UsageError: a value of another type than the default's.
        """
        resolved = dict(self.parameters)
        for name, value in overrides.items():
            if name not in resolved:
                raise UnknownNameError(f"parameter of {self.name}", name, self.parameters)
            resolved[name] = self._checked(name, value)
        return resolved

    def _checked(self, name: str, value: ParameterValue) -> ParameterValue:
        default = self.parameters[name]
        if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if type(value) is not type(default):
            raise UsageError(
                f"parameter '{name}' of {self.name} must be {type(default).__name__} "
                f"(default {default!r}), not {type(value).__name__} {value!r}. "
                f"See 'fulora-bench info {self.name}'."
            )
        return value


def load_method(path: Path) -> MethodSpec:
    """Read a `method.toml`, given as the file or as the folder that holds it.

    Raises:
        UsageError: missing, not TOML, or a field that is wrong; the message names file and field.
    """
    file = path / FILE_NAME if path.is_dir() else path
    if not file.is_file():
        raise UsageError(f"{file} is not there: a method is a folder with a {FILE_NAME}.")
    return parse_method(file.read_bytes(), str(file), folder=file.resolve().parent)


def parse_method(data: bytes, where: str, folder: Path, image_id: str = "", image_reference: str = "") -> MethodSpec:
    """A method from the bytes of its `method.toml`; `where` names them in errors.

    Raises:
        UsageError: not TOML, or a field that is wrong; the message names file and field.
    """
    try:
        content = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{where} is not valid TOML: {error}.") from error
    for name in _SET_BY_HOST:
        if name in content:
            raise UsageError(f"{where}: field '{name}' is set by the host; remove it.")
    try:
        return MethodSpec(**content, folder=folder, image_id=image_id, image_reference=image_reference)
    except ValidationError as error:
        raise UsageError(f"{where}: {first_fault(error)}.") from error


def first_fault(error: ValidationError) -> str:
    """The first problem of a pydantic error in one line: where, what, and the value given."""
    fault = error.errors()[0]
    where = ".".join(str(part) for part in fault["loc"]) or "content"
    return f"field '{where}': {fault['msg']} (given: {fault['input']!r})"[:400]
