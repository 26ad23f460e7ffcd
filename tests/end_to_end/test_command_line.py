"""The command line as people and scripts meet it: data on stdout, talk on stderr, exit codes, errors that help."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

CLASSES = ("other", "abdomen", "brain", "femur", "thorax")
NOTEBOOK = [[0, 0, 0, 0, 0], [25, 37, 0, 2, 1], [1, 0, 64, 0, 0], [11, 0, 0, 53, 0], [8, 0, 1, 1, 29]]


def bench(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmark.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


def data(*arguments: str | Path) -> Any:
    done = bench(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def notebook_predictions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The confusion matrix that the study's notebook prints, as predictions."""
    path = tmp_path_factory.mktemp("predictions") / "predictions.csv"
    rows = ["image_id,patient_id,center,cluster_id,label," + ",".join(f"p_{name}" for name in CLASSES)]
    for true, counts in enumerate(NOTEBOOK):
        for predicted, count in enumerate(counts):
            for _ in range(count):
                number = len(rows)
                scores = ",".join("1" if column == predicted else "0" for column in range(5))
                rows.append(f"i{number},p{number % 66},,,{CLASSES[true]},{scores}")
    path.write_text("\n".join(rows) + "\n")
    return path


def test_score_on_the_notebooks_matrix_gives_the_figures_of_the_study(notebook_predictions: Path):
    ours = data("score", notebook_predictions)
    assert (ours["n_images"], ours["n_clusters"]) == (233, 66)
    assert ours["metrics"]["f1_macro_present"]["value"] == pytest.approx(0.859, abs=5e-4)
    assert ours["metrics"]["f1_macro_all"]["value"] == pytest.approx(0.687, abs=5e-4)
    theirs = data("score", notebook_predictions, "--protocol", "paper-2407.20072")
    assert theirs["metrics"]["auc_paper"]["value"] == pytest.approx(0.8876, abs=5e-5)


def test_fidelity_of_a_folder_with_itself_is_zero_and_json_alone_is_on_stdout(tmp_path: Path):
    random = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "real" / name).mkdir(parents=True)
        for index in range(6):
            Image.fromarray(random.integers(0, 255, (64, 64), dtype=np.uint8)).save(
                tmp_path / "real" / name / f"{index}.png"
            )
    found = data("fidelity", tmp_path / "real", tmp_path / "real", "--offline")
    assert (found["extractor"], found["n_real"], found["n_synthetic"]) == ("ultrasound", 12, 12)
    assert found["metrics"]["fid"]["value"] == pytest.approx(0, abs=1e-6)
    assert len(found["weights_sha256"]) == 64
    assert any("no patients given" in warning for warning in found["warnings"])
    names = [path.relative_to(tmp_path / "real").as_posix() for path in (tmp_path / "real").rglob("*.png")]
    (tmp_path / "patients.csv").write_text("file,patient_id\n" + "".join(f"{name},{name[0]}\n" for name in names))
    told = data("fidelity", tmp_path / "real", tmp_path / "real", "--patients", tmp_path / "patients.csv", "--offline")
    assert not any("patients" in warning for warning in told["warnings"])
    assert "ci_low" not in told["metrics"]["fid"], "two patients cannot be left out by fifths"


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["run", "fantom"], "Did you mean phantom"),
        (["info", "fulora"], "fu_lora"),
        (["list", "method"], "methods"),
        (["run", "smoke", "--set", "repetition=2"], "repetitions"),
        (["run", "smoke", "--method", "ganz"], "gan"),
        (["run", "smoke", "--recompute", "some"], "missing, all or none"),
        (["score", "nowhere.csv"], "nowhere.csv"),
        (["fidelity", "nowhere", "nowhere"], "nowhere"),
        (["leaderboard", "nowhere"], "fulora-bench run"),
        (["status", "nowhere"], "fulora-bench run"),
        (["prepare", "spian"], "Did you mean spain"),
        (["export", "spain", "--out", "x", "--draw", "1"], "phantom-source"),
    ],
)
def test_a_wrong_name_or_file_is_a_usage_error_that_says_what_to_do(arguments: list[str], hint: str, tmp_path: Path):
    done = bench(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert hint in " ".join(done.stderr.split())
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_a_cohort_that_is_not_there_offline_names_address_and_checksum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FULORA_BENCH_CACHE", str(tmp_path / "cache"))
    done = bench("prepare", "spain", "--offline")
    assert done.returncode in (1, 2)
    assert "zenodo.org/api/records/3904280" in done.stderr.replace("\n", "")
    assert "2a5fcc2cefb789bcc0f6c1f73e0ea43f" in done.stderr.replace("\n", "")


def test_listing_and_help_import_no_torch():
    script = "import sys; from benchmark.catalog import listing, describe; import benchmark.cli; listing(None)"
    script += "; describe('fu_lora'); sys.exit('torch' in sys.modules or 'timm' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_every_listed_name_can_be_shown_in_full():
    script = "from benchmark.catalog import listing, describe"
    script += "; [describe(name) for names in listing(None).values() for name in names]"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_an_exported_phantom_has_its_manifest_and_grey_images(tmp_path: Path):
    done = bench("export", "phantom-pretraining", "--out", tmp_path / "out", "--images", "10", "--draw", "7")
    assert done.returncode == 0, done.stderr
    manifest = Path(done.stdout.strip())
    rows = manifest.read_text().splitlines()
    assert rows[0] == "file,label,patient_id,sha256"
    assert len(rows) == 11
    with Image.open(manifest.parent / rows[1].split(",")[0]) as image:
        assert (image.mode, image.size) == ("L", (64, 64))


def test_doctor_tells_of_this_machine_for_people_and_for_programs():
    told = data("doctor")
    assert set(told["container_engines"]) == {"podman", "docker", "apptainer"}
    assert all(state.startswith(("works (", "no: ")) for state in told["container_engines"].values())
    shown = bench("doctor")
    assert shown.returncode == 0, shown.stderr
    assert "container_engines:" in shown.stdout
