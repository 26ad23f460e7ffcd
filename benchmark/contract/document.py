"""The contract as documents: `CONTRACT.md` and the JSON schemas, written from the code that validates.

    python -m benchmark.contract.document --write FOLDER

The prose is in `document.md` beside this file; tables, examples, limits and schemas come from the models.
"""

from __future__ import annotations

import argparse
import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from benchmark.contract import CONTRACT_VERSION
from benchmark.contract.exits import STATUS_OF_EXIT, Exit
from benchmark.contract.fields import MEANINGS
from benchmark.contract.method import MethodSpec, parse_method
from benchmark.contract.png import SLACK_BYTES
from benchmark.contract.request import TRAIN_COLUMNS, ClassSpec, Request
from benchmark.contract.response import BYTES_PER_ROW, MAX_OTHER_FILES, RESPONSE_COLUMNS, RESULT_LIMIT, Result

COMMAND = "python -m benchmark.contract.document --write containers"
_SCHEMAS: dict[str, type[BaseModel]] = {"request": Request, "result": Result, "method": MethodSpec}
_BY_HOST = {
    124: "set by the host: it did not end in time",
    137: "set by the host: it used more memory than its limit (told only where that was seen)",
}
_MEANING_OF_EXIT = {
    Exit.DONE: "done",
    Exit.BAD_REQUEST: "bad request: it cannot be read or has a value that the method does not take",
    Exit.MISSING_DATA: "data or weights are missing",
    Exit.CANNOT_RUN_HERE: "cannot run on this machine (no GPU, …): the message says why",
    Exit.DEADLINE: "deadline reached; what is written is valid",
    Exit.INTERNAL_ERROR: "internal error",
    Exit.TRY_AGAIN: "a passing fault: try again",
}
_DIGESTS = (
    "0b7a4d2a4a9d1f5c6a3e7be1d1c2f3a45566778899aabbccddeeff0011223344",
    "5f1c9e0d8b7a6f5e4d3c2b1a09f8e7d6c5b4a3928170615243342516a7b8c9d0",
)

EXAMPLE_REQUEST = Request(
    method="my_method",
    parameters={"rate": 0.001, "batch": 16},
    seed=1234567890,
    classes=(
        ClassSpec(name="brain", prompt="a photo of fetal brain"),
        ClassSpec(name="femur", prompt="a photo of fetal femur"),
    ),
    images_per_class=100,
    image_size=64,
    steps=200,
    deadline_seconds=900,
)
EXAMPLE_RESULT = Result(
    timings={"fit_seconds": 12.5, "sample_seconds": 3.25},
    peak_memory_mib=812.5,
    trained_parameters=51200,
    steps=200,
    notes=("One sentence that a reader of the leaderboard should know.",),
    versions={"python": "3.11.2", "numpy": "2.4.6"},
)
EXAMPLE_METHOD = """\
name = "my_method"
version = "1.0.0"
summary = "What it does, in one sentence."
synthesizes = true
command = ["{python}", "{folder}/method.py"]
tuning = "How the defaults were chosen, and on what."

[parameters]
rate = 1e-3
batch = 16

[needs]
memory_mib = 2048
"""


def documents() -> dict[str, str]:
    """All documents: name relative to the folder, and text."""
    schemas = {f"schemas/{name}.schema.json": _json(schema_of(model)) for name, model in _SCHEMAS.items()}
    return {"CONTRACT.md": contract_text(), **schemas}


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """JSON schema (draft 2020-12) of what the model reads; of a request, of what the host writes: every field.

    Raises:
        LookupError: a field has no meaning in `benchmark.contract.fields`, or a meaning no field.
    """
    schema: dict[str, Any] = model.model_json_schema()
    if model is Request:
        schema["required"] = list(schema["properties"])
    for name in [name for name, entry in model.model_fields.items() if entry.exclude]:  # set by the host
        schema["properties"].pop(name, None)
        schema["required"] = [required for required in schema["required"] if required != name]
    for name, part in {model.__name__: schema, **schema.get("$defs", {})}.items():
        _explain(name, part)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _explain(name: str, part: dict[str, Any]) -> None:
    """Put our words into one object of a schema: the meaning of the whole and of every field."""
    meanings = dict(MEANINGS[name])
    part["description"] = meanings.pop("")
    if set(meanings) != set(part["properties"]):
        raise LookupError(f"fields of {name} and their meanings differ: {set(meanings) ^ set(part['properties'])}")
    for field, meaning in meanings.items():
        part["properties"][field].pop("title", None)
        part["properties"][field]["description"] = meaning


def contract_text() -> str:
    """`CONTRACT.md`: the prose with every placeholder filled.

    Raises:
        KeyError: the prose names something that is not made here.
    """
    prose = (files("benchmark.contract") / "document.md").read_text(encoding="utf-8")
    fillings = _fillings()
    return re.sub(r"\{\{([a-z ]+)\}\}", lambda match: fillings[match[1]], prose)


def _fillings() -> dict[str, str]:
    method = parse_method(EXAMPLE_METHOD.encode(), "example", folder=Path("/method"))
    start = method.command_line("python3", "/method")
    request, result, description = (schema_of(model) for model in _SCHEMAS.values())
    return {
        "version": str(CONTRACT_VERSION),
        "command": COMMAND,
        "request fields": _table_of(request),
        "request example": EXAMPLE_REQUEST.model_dump_json(indent=2),
        "train columns": ",".join(TRAIN_COLUMNS),
        "train example": _rows(TRAIN_COLUMNS, ("brain/00000.png", "brain", "p17"), ("femur/00001.png", "femur", "p03")),
        "slack": f"{SLACK_BYTES:,}",
        "response columns": ",".join(RESPONSE_COLUMNS),
        "response example": _rows(
            RESPONSE_COLUMNS,
            ("images/brain/00000.png", "brain", "901234567"),
            ("images/femur/00000.png", "femur", "345678901"),
        ),
        "bytes per row": str(BYTES_PER_ROW),
        "result limit": str(RESULT_LIMIT >> 20),
        "result fields": _table_of(result),
        "result example": EXAMPLE_RESULT.model_dump_json(indent=2),
        "other files": f"{MAX_OTHER_FILES:,}",
        "exit codes": _exit_table(),
        "method example": EXAMPLE_METHOD.rstrip(),
        "method fields": _table_of(description),
        "start example": f"podman run … --entrypoint {start[0]} IMAGE {' '.join(start[1:])}",
    }


def _exit_table() -> str:
    meanings = {**{int(code): text for code, text in _MEANING_OF_EXIT.items()}, **_BY_HOST}
    rows = [(str(code), meanings[code], f"`{STATUS_OF_EXIT[code][0]}`") for code in sorted(meanings)]
    return _markdown(("code", "meaning", "status"), rows)


def _table_of(schema: Mapping[str, Any]) -> str:
    """The fields of a schema as a table; those of nested objects follow their parent, dotted."""
    return _markdown(("field", "type", "meaning"), _field_rows(schema, schema.get("$defs", {}), ""))


def _field_rows(part: Mapping[str, Any], parts: Mapping[str, Any], prefix: str) -> list[tuple[str, str, str]]:
    rows = []
    for name, entry in part["properties"].items():
        default = entry.get("default")
        nested = _nested(entry, parts)
        shown = "" if default in (None, [], {}, "") or nested else f"; default {json.dumps(default)}"
        required = name in part.get("required", ())
        need = "" if required or shown or nested else "; optional"
        shown = "" if required else shown
        rows.append((f"`{prefix}{name}`", _type_of(entry, parts) + need + shown, entry["description"]))
        if nested:
            rows += _field_rows(nested, parts, f"{prefix}{name}{'[].' if entry.get('type') == 'array' else '.'}")
    return rows


def _nested(entry: Mapping[str, Any], parts: Mapping[str, Any]) -> Mapping[str, Any] | None:
    reference = entry.get("$ref") or entry.get("items", {}).get("$ref")
    return parts[reference.rsplit("/", 1)[1]] if reference else None


_LIMITS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}


def _type_of(entry: Mapping[str, Any], parts: Mapping[str, Any]) -> str:
    if "const" in entry:
        return f"always {json.dumps(entry['const'])}"
    if "enum" in entry:
        return " or ".join(f'`"{value}"`' for value in entry["enum"])
    if "anyOf" in entry:
        *scalars, last = entry["anyOf"]
        words = [_type_of(option, parts) for option in scalars]
        is_list_of_them = last.get("items") == {"anyOf": scalars}
        return f"{', '.join(words)}, or {'a list of these' if is_list_of_them else _type_of(last, parts)}"
    kind = {"integer": "whole number", "boolean": "true or false", "array": "list"}.get(entry.get("type", ""), "")
    kind = kind or entry.get("type", "object")
    if kind == "list" and "$ref" not in entry["items"]:
        kind = f"list of ({_type_of(entry['items'], parts)})"
    if kind == "object" and isinstance(entry.get("additionalProperties"), dict):
        kind = f"object of ({_type_of(entry['additionalProperties'], parts)})"
    limits = [f"{sign} {_number(entry[limit])}" for limit, sign in _LIMITS.items() if limit in entry]
    limits += [f"`{entry['pattern']}`"] if "pattern" in entry else []
    return ", ".join([kind, *limits]).replace("|", "\\|")


def _number(value: float) -> str:
    return f"2^{value.bit_length() - 1}" if isinstance(value, int) and value > 10**9 else f"{value:g}"


def _rows(columns: tuple[str, ...], *rows: tuple[str, ...]) -> str:
    lines = [columns, *((*row, digest) for row, digest in zip(rows, _DIGESTS, strict=True))]
    return "\n".join(",".join(line) for line in lines)


def _markdown(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [columns, tuple("---" for _ in columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the documents into a folder."""
    parser = argparse.ArgumentParser(description=textwrap.dedent(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", metavar="FOLDER", type=Path, required=True)
    folder: Path = parser.parse_args().write
    for name, text in documents().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
