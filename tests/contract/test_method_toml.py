from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.contract import MethodSpec, load_method
from benchmark.errors import UnknownNameError, UsageError
from benchmark.methods import find_methods, find_models, get_method, model_folder

TEXT = """
name = "mine"
version = "1"
summary = "A method."
synthesizes = true
command = ["{python}", "{folder}/run.py"]
[parameters]
rank = 8
rate = 1e-4
mode = "euler"
fast = false
[source]
also = ["../shared.py"]
"""


@pytest.fixture
def method(tmp_path: Path) -> MethodSpec:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "method.toml").write_text(TEXT)
    (folder / "run.py").write_text("print()")
    (tmp_path / "shared.py").write_text("a = 1")
    return load_method(folder)


def test_placeholders_of_the_command_are_filled(method: MethodSpec) -> None:
    assert method.command_line("py") == ["py", f"{method.folder}/run.py"]


def test_overrides_replace_defaults_and_keep_their_type(method: MethodSpec) -> None:
    resolved = method.resolve_parameters({"rate": 1, "fast": True})
    assert resolved == {"rank": 8, "rate": 1.0, "mode": "euler", "fast": True}
    assert isinstance(resolved["rate"], float)


def test_an_unknown_parameter_gets_the_nearest_name(method: MethodSpec) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean rank"):
        method.resolve_parameters({"rnak": 4})


@pytest.mark.parametrize("wrong", [{"rank": 4.5}, {"rank": True}, {"fast": 1}, {"mode": 3}, {"rate": "1"}])
def test_a_value_of_another_type_is_refused(method: MethodSpec, wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="must be"):
        method.resolve_parameters(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ('name = "mine"', "", "'name'"),
        ("synthesizes = true", "synthesise = true", "synthesi"),
        ('name = "mine"', 'name = "Mine!"', "'name'"),
        ('name = "mine"', "name = ", "not valid TOML"),
        ('version = "1"', 'version = "1"\nfolder = "/etc"', "'folder'"),
    ],
)
def test_a_faulty_file_is_named_with_its_field(method: MethodSpec, before: str, after: str, reason: str) -> None:
    file = method.folder / "method.toml"
    file.write_text(TEXT.replace(before, after))
    with pytest.raises(UsageError, match=reason) as caught:
        load_method(method.folder)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("name", ["mine/run.py", "mine/new.py", "shared.py"])
def test_the_source_digest_moves_with_every_file_that_counts(method: MethodSpec, name: str) -> None:
    before = method.source_sha256
    (method.folder.parent / name).write_text("b = 2")
    assert load_method(method.folder).source_sha256 != before


def test_a_missing_shared_file_is_told(method: MethodSpec) -> None:
    (method.folder.parent / "shared.py").unlink()
    with pytest.raises(UsageError, match=r"\.\./shared\.py"):
        _ = load_method(method.folder).source_sha256


def test_the_shipped_methods_are_found_by_name() -> None:
    methods = find_methods()
    assert {"real_only", "classical_copy", "gan", "full_finetune", "fu_lora", "base_untuned"} <= set(methods)
    assert all(len(method.source_sha256) == 64 for method in methods.values())


def test_a_method_is_found_by_path_and_a_typo_is_answered(method: MethodSpec) -> None:
    assert get_method(str(method.folder)).name == "mine"
    assert get_method(str(method.folder / "method.toml")).name == "mine"
    with pytest.raises(UnknownNameError, match="Did you mean fu_lora"):
        get_method("fulora")


def test_the_embedded_model_is_registered_and_a_wrong_folder_is_told(tmp_path: Path) -> None:
    assert find_models()["embedded"].parts[-2:] == ("base_model", "pipeline")
    with pytest.raises(UsageError, match=r"model_index\.json"):
        model_folder(str(tmp_path))


def test_listing_imports_neither_torch_nor_any_method() -> None:
    code = (
        "import sys; from benchmark.methods import find_methods, find_models; find_methods(); find_models();"
        "bad = {'torch', 'PIL', 'pandas', 'baselines'} & set(sys.modules); sys.exit(str(bad) if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
