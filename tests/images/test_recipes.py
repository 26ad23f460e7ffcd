"""What images are made of: the same from a checkout and from a wheel, and nothing that does not belong in them."""

from __future__ import annotations

import importlib.metadata
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import benchmark
from benchmark import __version__
from benchmark.errors import UnknownNameError, UsageError
from benchmark.execution.code import METHOD_CODE
from benchmark.execution.engines import LABEL_CODE, LABEL_CONTRACT
from benchmark.images.recipes import find_recipe, own_names, source_root, write_context
from benchmark.images.register import register
from benchmark.keys import tree_sha256

ROOT = Path(benchmark.__file__).parents[1]
DIGEST_CONTEXTS = """
import sys, tempfile
from pathlib import Path
from benchmark.images.recipes import find_recipe, own_names, source_root, write_context
from benchmark.keys import tree_sha256
print(source_root())
for name in own_names():
    with tempfile.TemporaryDirectory() as folder:
        print(name, tree_sha256(write_context(find_recipe(name), Path(folder))), tree_sha256(find_recipe(name).containerfile.parent))
"""  # noqa: E501


def context_of(name: str, folder: Path) -> Path:
    folder.mkdir()
    return write_context(find_recipe(name), folder)


def test_the_base_is_built_first_and_the_suite_last():
    assert own_names() == ["base", "classical-copy", "fu-lora", "full-finetune", "gan", "real-only", "suite"]


def test_a_method_names_its_runner_and_an_unknown_name_gets_the_nearest():
    assert find_recipe("base_untuned").name == "fu-lora"
    with pytest.raises(UnknownNameError, match="full-finetune"):
        find_recipe("full-finetuned")


def test_no_context_of_a_method_holds_weights_or_more_of_the_suite_than_its_own_files(tmp_path: Path):
    for name in own_names()[1:-1]:
        context = context_of(name, tmp_path / name)
        files = [path.relative_to(context).as_posix() for path in context.rglob("*") if path.is_file()]
        assert all(file.startswith("baselines/") for file in files)
        assert not [file for file in files if Path(file).suffix in {".safetensors", ".png", ".pyc"}]


def test_the_base_copies_the_code_whose_digest_it_carries():
    copied = find_recipe("base").containerfile.read_text()
    for name in METHOD_CODE:
        assert f"benchmark/{name}" in copied


def test_only_images_of_methods_carry_the_contract():
    carrying = [name for name in own_names() if LABEL_CONTRACT in find_recipe(name).labels]
    assert carrying == own_names()[1:-1]
    assert all(find_recipe(name).labels[LABEL_CODE] for name in own_names())


def test_equal_contexts_have_equal_times_so_that_caches_hold(tmp_path: Path):
    stamps = [
        {path.relative_to(folder): (path.stat().st_mtime_ns, path.stat().st_mode) for path in folder.rglob("*")}
        for folder in (context_of("suite", tmp_path / "a"), context_of("suite", tmp_path / "b"))
    ]
    assert stamps[0] == stamps[1]


def test_a_wheel_builds_the_same_images_as_the_checkout(tmp_path: Path):
    layout = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    moves = {**{name: name for name in layout["packages"]}, **layout["force-include"]}
    for source, target in moves.items():
        (tmp_path / target).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, tmp_path / target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(ROOT / source, tmp_path / target)
    register(ROOT / "pyproject.toml", tmp_path, tmp_path, __version__)
    told = [
        subprocess.run(
            [sys.executable, "-B", "-c", DIGEST_CONTEXTS], cwd=place, capture_output=True, text=True, check=True
        )
        for place in (ROOT, tmp_path)
    ]
    (checkout, *ours), (wheel, *theirs) = (done.stdout.splitlines() for done in told)
    assert (Path(checkout), Path(wheel)) == (source_root(), tmp_path / "benchmark" / "build_files")
    assert ours == theirs


def test_the_image_registers_the_package_as_its_installer_does(tmp_path: Path):
    register(ROOT / "pyproject.toml", tmp_path, tmp_path, __version__)
    (found,) = importlib.metadata.distributions(path=[str(tmp_path)])
    installed = importlib.metadata.distribution("fulora-bench")
    assert (found.name, found.version) == (installed.name, installed.version)
    assert {(p.group, p.name, p.value) for p in found.entry_points} == {
        (p.group, p.name, p.value) for p in installed.entry_points
    }
    needed = {str(Requirement(text)) for text in installed.requires or () if "extra ==" not in text}
    assert {str(Requirement(text)) for text in found.requires or ()} == needed


def test_worker_processes_may_import_the_registered_command_without_running_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "argv", ["fulora-bench", "--version"])
    register(ROOT / "pyproject.toml", tmp_path, tmp_path, __version__)
    assert runpy.run_path(str(tmp_path / "fulora-bench"), run_name="__mp_main__")["main"]
    with pytest.raises(SystemExit):
        runpy.run_path(str(tmp_path / "fulora-bench"), run_name="__main__")


def test_code_of_another_version_than_the_project_is_not_registered(tmp_path: Path):
    with pytest.raises(ValueError, match="the code says 9"):
        register(ROOT / "pyproject.toml", tmp_path, tmp_path, "9")


def test_the_context_of_a_hand_built_image_leaves_out_all_but_the_code(tmp_path: Path):
    allowed = (ROOT / ".dockerignore").read_text().split()
    needed = {target.split("/")[0] for name in own_names() for target in find_recipe(name).files}
    assert allowed[0] == "*"
    assert needed == {entry[1:].split("/")[0] for entry in allowed if entry.startswith("!")}


def test_a_folder_without_containerfile_or_with_a_name_of_ours_is_refused(tmp_path: Path):
    toml = 'name = "mine"\nversion = "1"\nsummary = "x"\nsynthesizes = false\ncommand = ["true"]\n'
    (tmp_path / "method.toml").write_text(toml)
    with pytest.raises(UsageError, match="holds no Containerfile or Dockerfile"):
        find_recipe(str(tmp_path))
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    assert find_recipe(str(tmp_path)).containerfile == tmp_path / "Dockerfile"
    (tmp_path / "method.toml").write_text(toml + '[container]\nimage = "suite"\n')
    with pytest.raises(UsageError, match="one of the suite's own"):
        find_recipe(str(tmp_path))


def test_the_digest_of_a_context_sees_every_file(tmp_path: Path):
    context = context_of("real-only", tmp_path / "context")
    before = tree_sha256(context)
    (context / "baselines" / "real_only" / "__main__.py").write_text("")
    assert tree_sha256(context) != before
