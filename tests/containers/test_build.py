"""Images as engines really build them: what is in them, what is not, and that they start read-only under any uid."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import benchmark
from benchmark.contract import CONTRACT_VERSION
from benchmark.errors import BenchError, UsageError
from benchmark.execution.code import METHOD_CODE, method_code_sha256, suite_code_sha256
from benchmark.execution.engines import (
    LABEL_CODE,
    LABEL_CONTRACT,
    LABEL_SOURCES,
    Image,
    find_engine,
    inspect_image,
    read_description,
)
from benchmark.images import listing
from benchmark.images.build import build_images
from benchmark.images.builders import find_builder
from benchmark.images.recipes import LABEL_BASE, LABEL_VARIANT, own_methods, own_names
from benchmark.methods import find_methods
from tests.containers.conftest import ENVIRONMENT, Images, slim_options
from tests.engines import ENGINE_NAMES, TEST_BASE, engines

STRANGER = """\
name = "stranger"
version = "3"
summary = "A method with a $HOME, a 'quote', a \\"quote\\" and a comma."
synthesizes = false
command = ["sh", "{folder}/run.sh"]
"""
GUARDS = ("--rm", "--network=none", "--read-only", "--tmpfs=/tmp:rw,mode=1777", "--user=12345:12345", "--cap-drop=all")
MEANT_TO_FAIL = "RUN echo the reason why >&2 && exit 7\n"


def in_container(engine_name: str, image: Image, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command of an image under guards, as somebody whom the image does not know."""
    entry = f"--entrypoint={command[0]}"
    full = [find_engine(engine_name).program, "run", *GUARDS, *ENVIRONMENT, entry, image.id, *command[1:]]
    done = subprocess.run(full, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, done.stderr
    return done


def stranger(folder: Path, *lines: str) -> Path:
    """A method's folder with a Containerfile of these lines after `FROM`."""
    folder.mkdir()
    (folder / "method.toml").write_text(STRANGER)
    (folder / "run.sh").write_text("exit 0\n")
    (folder / "Containerfile").write_text("\n".join([f"ARG BASE={TEST_BASE}", "FROM ${BASE}", *lines]) + "\n")
    return folder


@engines(every=True)
def test_every_runner_carries_what_it_was_built_from(engine_name: str, slim_images: Images):
    images = slim_images(engine_name)
    assert list(images) == own_names()
    for name, specs in own_methods().items():
        labels = images[name].labels
        assert labels[LABEL_CONTRACT] == str(CONTRACT_VERSION)
        assert json.loads(labels[LABEL_SOURCES]) == {spec.name: spec.source_sha256 for spec in specs}
        assert labels[LABEL_CODE] == method_code_sha256()
        assert labels[LABEL_BASE] == images["base"].reference
        for key in ("title", "description", "version", "licenses"):
            assert labels[f"org.opencontainers.image.{key}"]
    assert images["suite"].labels[LABEL_CODE] == suite_code_sha256()
    assert LABEL_CONTRACT not in images["suite"].labels


@engines(every=True)
def test_building_again_without_a_change_gives_the_same_images(engine_name: str, slim_images: Images):
    first = {name: image.id for name, image in slim_images(engine_name).items()}
    again = build_images(options=slim_options(engine_name))
    assert {entry.name: entry.image.id for entry in again} == first
    assert all(entry.kept for entry in again)


@engines(every=True)
def test_the_engines_cache_gives_the_same_image_too(engine_name: str, slim_images: Images):
    first = slim_images(engine_name)
    asked_anew = replace(slim_options(engine_name), arguments=("--pull=false",))
    for name in ("base", "suite"):
        (again,) = build_images([name], asked_anew)
        assert (again.kept, again.image.id) == (False, first[name].id)


@engines()
def test_a_runner_is_built_alone_where_its_base_is_current_and_keeps_the_bases_choices(
    engine_name: str, slim_images: Images
):
    before = slim_images(engine_name)
    (entry,) = build_images(["real_only"], replace(slim_options(engine_name), base="", variant=""))
    assert (entry.name, entry.image.id) == ("real-only", before["real-only"].id)
    assert entry.image.labels[LABEL_VARIANT] == "none"


@engines()
def test_images_of_methods_hold_the_sdk_and_their_own_folder_and_nothing_else(engine_name: str, slim_images: Images):
    package = Path(benchmark.__file__).parent
    for name, specs in own_methods().items():
        image = slim_images(engine_name)[name]
        assert read_description(find_engine(engine_name), image) == (specs[0].folder / "method.toml").read_bytes()
        told = in_container(
            engine_name, image, "sh", "-c", "cd /opt/fulora-bench && find . -name '*.py' | xargs sha256sum"
        ).stdout
        inside = {line.split()[1].removeprefix("./"): line.split()[0] for line in told.splitlines()}
        sources = [package / room for room in METHOD_CODE] + [specs[0].folder.parent / "__init__.py"]
        sources += [spec.folder / file for spec in specs for file in ("", *spec.source.also)]
        files = {
            path.resolve() for source in sources for path in (source.rglob("*.py") if source.is_dir() else [source])
        }
        assert inside == {
            file.relative_to(package.parent).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files
        }


@engines()
def test_images_hold_no_data_and_only_the_suite_holds_weights(engine_name: str, slim_images: Images):
    kinds = ("safetensors", "ckpt", "pt", "bin", "npz", "zip", "png", "jpg")
    search = ["find", "/opt/fulora-bench", "/method", "-false", *(f"-o -name *.{kind}" for kind in kinds)]
    for name, image in slim_images(engine_name).items():
        folders = search if name in own_methods() else [word for word in search if word != "/method"]
        found = in_container(engine_name, image, *" ".join(folders).split()).stdout.split()
        assert {Path(file).suffix for file in found} == ({".safetensors"} if name == "suite" else set())


@engines()
def test_our_code_is_compiled_and_readable_for_everybody(engine_name: str, slim_images: Images):
    images = slim_images(engine_name)
    script = (
        "find /opt /method -xdev ! -perm -o=r 2>/dev/null; "
        "for f in $(find /opt/fulora-bench -name '*.py'); do"
        ' ls "$(dirname $f)/__pycache__/$(basename $f .py)".cpython-*.pyc >/dev/null || echo $f; done'
    )
    for name in ("base", "fu-lora", "suite"):
        assert in_container(engine_name, images[name], "sh", "-c", script).stdout == ""


@engines(every=True)
def test_a_method_starts_read_only_without_a_home_under_an_unknown_uid(engine_name: str, slim_images: Images):
    # One that imports torch takes seconds, and all files are known to be there.
    for method in ("real_only", "fu_lora") if engine_name == ENGINE_NAMES[0] else ("real_only",):
        spec = find_methods()[method]
        image = slim_images(engine_name)[spec.image_name]
        done = in_container(engine_name, image, *spec.command_line("python3", "/method"), check=False)
        assert (done.returncode, "BENCH_INPUT is not set" in done.stderr) == (2, True), done.stderr


@engines()
def test_the_suite_answers_in_its_image_as_it_does_here(engine_name: str, slim_images: Images):
    image = slim_images(engine_name)["suite"]
    code = "from benchmark.execution.code import suite_code_sha256; print(suite_code_sha256())"
    assert in_container(engine_name, image, "python3", "-c", code).stdout.strip() == image.labels[LABEL_CODE]
    here = subprocess.run(
        [sys.executable, "-m", "benchmark.cli", "list", "methods", "--json"], capture_output=True, text=True, check=True
    )
    assert in_container(engine_name, image, "fulora-bench", "list", "methods", "--json").stdout == here.stdout


@engines(every=True)
def test_nothing_of_the_callers_package_index_stays(
    engine_name: str, slim_images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    slim_images(engine_name)
    authorities = tmp_path / "ca.crt"
    authorities.write_text("authorities-of-open-sesame\n")
    monkeypatch.setenv("SSL_CERT_FILE", str(authorities))
    monkeypatch.setenv("PIP_INDEX_URL", "https://me:open-sesame@index.invalid/simple")
    options = replace(slim_options(engine_name), arguments=("--no-cache",))
    options = replace(options, prefix=f"{options.prefix}-secret")
    (entry,) = build_images(["base"], options)
    engine = find_engine(engine_name)
    try:
        packed = tmp_path / "image.tar"
        engine.call("image", "save", "-o", str(packed), entry.image.reference)
        told = engine.call("history", "--no-trunc", entry.image.reference)
        told += engine.call("image", "inspect", entry.image.reference)
        assert "index.invalid" not in told
        for word in ("open-sesame", "index.invalid"):
            assert subprocess.run(["grep", "-c", "-a", word, packed], capture_output=True, check=False).returncode == 1
    finally:
        engine.call("image", "rm", entry.image.reference)


@engines()
def test_a_folder_becomes_a_method_with_labels_and_a_base_of_the_callers_choice(engine_name: str, tmp_path: Path):
    folder = stranger(tmp_path / "mine", "COPY . /method", "ARG BASE", "RUN echo ${BASE} > /base")
    options = slim_options(engine_name)
    (entry,) = build_images([str(folder)], options)
    try:
        labels = entry.image.labels
        assert entry.image.reference == f"{options.prefix}/stranger:latest"
        assert set(json.loads(labels[LABEL_SOURCES])) == {"stranger"}
        assert labels["org.opencontainers.image.description"] == (
            "A method with a $HOME, a 'quote', a \"quote\" and a comma."
        )
        assert in_container(engine_name, entry.image, "cat", "/base").stdout.strip() == TEST_BASE
    finally:
        find_engine(engine_name).call("image", "rm", entry.image.reference)


@engines()
def test_an_image_without_its_description_is_told_which_line_is_missing(engine_name: str, tmp_path: Path):
    folder = stranger(tmp_path / "mine", "RUN true")
    with pytest.raises(UsageError, match=r"Containerfile: COPY \. /method"):
        build_images([str(folder)], slim_options(engine_name))
    engine, reference = find_engine(engine_name), slim_options(engine_name).reference("stranger")
    assert inspect_image(engine, reference)
    engine.call("image", "rm", reference)


@engines()
def test_a_build_that_fails_shows_its_last_lines_and_the_command_to_repeat(engine_name: str, tmp_path: Path):
    folder = stranger(tmp_path / "mine", MEANT_TO_FAIL)
    lines: list[str] = []
    with pytest.raises(BenchError) as told:
        build_images([str(folder)], slim_options(engine_name), lines.append)
    assert "the reason why" in str(told.value)
    assert f"Again: fulora-bench containers build {folder} --engine {engine_name}" in str(told.value)
    assert any("the reason why" in line for line in lines)


@engines()
def test_the_list_tells_current_from_stale_and_names_what_is_missing(
    engine_name: str, slim_images: Images, monkeypatch: pytest.MonkeyPatch
):
    slim_images(engine_name)
    options = slim_options(engine_name)
    found = {entry.image: entry for entry in listing.list_built(options)}
    assert {found[options.reference(name)].state for name in own_names()} == {"current"}
    installed = find_methods()
    other = installed["gan"].model_copy()
    other.__dict__["source_sha256"] = "0" * 64
    monkeypatch.setattr(listing, "find_methods", lambda: {**installed, "gan": other})
    stale = {entry.image: entry for entry in listing.list_built(options)}[options.reference("gan")]
    assert (stale.state, stale.reasons, stale.methods) == ("stale", ("gan",), {"gan": "stale"})
    elsewhere = listing.list_built(replace(options, prefix=f"{options.prefix}-none"))
    missing = {entry.image: entry for entry in elsewhere}[f"{options.prefix}-none/gan:latest"]
    assert missing.state == "missing"
    assert missing.build == f"fulora-bench containers build gan --engine {engine_name} --prefix {options.prefix}-none"


@engines()
def test_the_command_line_prints_data_on_standard_output_and_the_build_on_standard_error(
    engine_name: str, slim_images: Images
):
    slim_images(engine_name)
    options = slim_options(engine_name)
    command = [sys.executable, "-m", "benchmark.cli", "containers", "build", "real-only", "--engine", engine_name]
    done = subprocess.run(
        [*command, "--prefix", options.prefix, "--engine-argument=--pull=false", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    (told,) = json.loads(done.stdout)
    assert told["image"] == options.reference("real-only")
    assert "building" in done.stderr


def test_apptainer_is_told_how_to_convert_an_image():
    with pytest.raises(UsageError, match=r"apptainer build x\.sif docker-archive://x\.tar"):
        find_builder("apptainer")
