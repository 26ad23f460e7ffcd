"""Small archives in the published layouts, made of real PNG files."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SPANISH_HEADER = "Image_name;Patient_num;Plane;Brain_plane;Operator;US_Machine;Train "
AFRICAN_HEADER = "Patient_num,Plane,Train,Center,Filename"


def write_png(path: Path, content: object, size: tuple[int, int] = (24, 20), mode: str = "L") -> None:
    """A PNG of noise that is determined by `content`: equal contents give equal bytes."""
    rng = np.random.default_rng(zlib.crc32(str(content).encode()))
    noise = Image.fromarray(rng.integers(0, 256, (size[1], size[0]), dtype=np.uint8))
    path.parent.mkdir(parents=True, exist_ok=True)
    noise.convert(mode).save(path)


@dataclass
class Spanish:
    """A folder in the layout of FETAL_PLANES_DB; `rows` are the CSV's lines, to be spoilt by a test."""

    root: Path
    header: str = SPANISH_HEADER
    rows: list[str] = field(default_factory=list)

    @property
    def table(self) -> Path:
        return self.root / "FETAL_PLANES_DB_data.csv"

    def add(self, name: str, patient: int, plane: str, train: int = 1, content: object = None) -> None:
        self.rows.append(f"{name};{patient};{plane};Not A Brain;Op. 1;Voluson E6;{train}")
        write_png(self.root / "Images" / f"{name}.png", content or name)

    def write(self) -> Path:
        self.table.write_text("\n".join([self.header, *self.rows]) + "\n")
        return self.root


@dataclass
class African:
    """A folder in the layout of the African planes."""

    root: Path
    header: str = AFRICAN_HEADER
    rows: list[str] = field(default_factory=list)

    def add(
        self, center: str, patient: int, plane: str, train: int = 1, content: object = None, ending: str = ""
    ) -> None:
        name = f"patient{patient:03d}_{center[:3].upper()}_plane{len(self.rows)}"
        self.rows.append(f"{patient},{plane},{train},{center},{name}{ending}")
        mode = "RGB" if center == "Egypt" else "L"
        write_png(self.root / center / f"{name}.png", content or name, mode=mode)

    def write(self) -> Path:
        lines: Sequence[str] = [self.header, *self.rows]
        (self.root / "African_planes_database.csv").write_text("\n".join(lines) + "\n")
        return self.root


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder of this test alone."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("FULORA_BENCH_CACHE", str(folder))
    return folder


@pytest.fixture
def spanish(tmp_path: Path) -> Spanish:
    """Six images: two planes of patient 1, one each of patients 2 to 4, and a cervix without its image."""
    made = Spanish(tmp_path / "FETAL_PLANES_ZENODO")
    made.add("Patient00001_Plane3_1_of_1", 1, "Fetal brain")
    made.add("Patient00001_Plane1_1_of_1", 1, "Other", train=0)
    made.add("Patient00002_Plane2_1_of_1", 2, "Fetal abdomen")
    made.add("Patient00003_Plane5_1_of_1", 3, "Fetal femur")
    made.add("Patient00010_Plane6_1_of_1", 10, "Fetal thorax")
    made.rows.append("Patient00005_Plane4_1_of_1;5;Maternal cervix;Not A Brain;Op. 1;Aloka;1")
    return made


@pytest.fixture
def african(tmp_path: Path) -> African:
    """Six images of four patients; patients 9 and 10 of Malawi share a file; both file name styles."""
    made = African(tmp_path / "Zenodo_dataset")
    made.add("Algeria", 7, "Fetal femur")
    made.add("Malawi", 7, "Fetal femur", ending=".png")
    made.add("Malawi", 9, "Fetal brain", content="same")
    made.add("Malawi", 10, "Fetal brain", content="same", train=0)
    made.add("Malawi", 10, "Fetal thorax", train=0)
    made.add("Egypt", 2, "Fetal abdomen")
    return made
