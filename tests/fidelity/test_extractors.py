"""Loading extractors by name, by weights file and from anybody's module."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark.errors import BenchError, UnknownNameError, UsageError
from benchmark.fidelity import EXTRACTORS, extract, extractor_info, load_extractor

CUSTOM = """
import torch
__version__ = "3.1"
def mean_and_spread(images):
    assert images.dtype == torch.uint8 and images.shape[1] == 3
    assert (images[:, 0] == images[:, 2]).all()
    flat = images.float().flatten(1)
    return torch.stack([flat.mean(1), flat.std(1)], dim=1)
class Scaled:
    def __init__(self, weights=None):
        self.scale = float(weights.read_text()) if weights else 1.0
    def __call__(self, images):
        return self.scale * mean_and_spread(images)
def broken(images):
    return torch.full((len(images), 2), float("nan"))
NUMBER = 3
"""


@pytest.fixture(autouse=True)
def custom_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "fidelity_test_extractor.py").write_text(CUSTOM)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("fidelity_test_extractor", None)


def images(n: int = 5, size: int = 16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, size=(n, size, size), dtype=np.uint8)


def test_listing_imports_no_torch():
    code = (
        "import sys, benchmark.fidelity as f; [f.extractor_info(n) for n in f.EXTRACTORS]; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_registered_extractor_can_be_described():
    assert {extractor_info(name)["name"] for name in EXTRACTORS} == {"ultrasound", "inception", "dinov2"}
    assert "never downloaded" in str(extractor_info("dinov2")["weights"])


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean inception"):
        load_extractor("inceptoin")


def test_a_callable_of_anybody_serves_as_extractor():
    extractor = load_extractor("fidelity_test_extractor:mean_and_spread")
    found = extract(images(), extractor, batch_size=2)
    assert found.dtype == np.float32
    assert found[:, 0] == pytest.approx(images().reshape(5, -1).mean(1), rel=1e-5)
    assert (extractor.dimension, extractor.backend_version) == (2, "3.1")


@pytest.mark.parametrize("name", ["ultrasound", "fidelity_test_extractor:mean_and_spread"])
def test_a_description_names_everything_that_figures_must_share_but_the_device(name: str):
    told = load_extractor(name).describe()
    assert set(told) == {
        "name",
        "weights_sha256",
        "dimension",
        "backend",
        "backend_version",
        "resize",
        "precision",
    }
    assert told["precision"] == "fp32"


def test_a_class_of_anybody_receives_the_weights_and_they_enter_the_digest(tmp_path: Path):
    weights = tmp_path / "scale.txt"
    digests = set()
    for scale in (1.0, 2.0):
        weights.write_text(str(scale))
        extractor = load_extractor("fidelity_test_extractor:Scaled", weights)
        digests.add(extractor.weights_sha256)
        assert extract(images(), extractor)[:, 0] == pytest.approx(scale * images().reshape(5, -1).mean(1), rel=1e-5)
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:x", "cannot be imported"),
        ("fidelity_test_extractor:mean_and_spraed", "Did you mean mean_and_spread"),
        ("fidelity_test_extractor:NUMBER", "a callable or a class is expected"),
    ],
)
def test_a_custom_name_that_cannot_be_used_says_why(name: str, message: str):
    with pytest.raises(UsageError, match=message):
        load_extractor(name)


def test_features_that_are_not_finite_are_refused():
    with pytest.raises(BenchError, match="not finite"):
        extract(images(), load_extractor("fidelity_test_extractor:broken"))


def test_features_do_not_depend_on_the_batch_size():
    extractor = load_extractor("fidelity_test_extractor:mean_and_spread")
    assert np.array_equal(extract(images(), extractor, 2), extract(images(), extractor, 5))


def test_missing_weights_name_the_file(tmp_path: Path):
    with pytest.raises(UsageError, match=r"nowhere\.pth does not exist"):
        load_extractor("inception", tmp_path / "nowhere.pth")


def test_inception_offline_without_weights_names_the_address_and_the_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(BenchError, match=r"Fetch https://.*weights-inception.*\.pth.*checkpoints"):
        load_extractor("inception", offline=True)


def test_inception_refuses_a_file_that_holds_other_weights(tmp_path: Path):
    other = tmp_path / "other.pth"
    torch.save({"layer.weight": torch.zeros(2)}, other)
    with pytest.raises(BenchError, match=r"other\.pth holds no weights of torch-fidelity's InceptionV3"):
        load_extractor("inception", other)


def test_inception_runs_no_code_hidden_in_a_weights_file(tmp_path: Path):
    trap, mark = tmp_path / "trap.pth", tmp_path / "mark"
    torch.save({"x": _Trap(mark)}, trap)
    with pytest.raises(BenchError, match="holds no weights"):
        load_extractor("inception", trap)
    assert not mark.exists()


class _Trap:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.mark,)
