"""The published layouts are read strictly; every complaint names the file and the row."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.cohorts.cache import cache_dir
from benchmark.cohorts.export import export_cohort
from benchmark.cohorts.registry import load_cohort, prepare
from benchmark.cohorts.tables import merge_clusters
from benchmark.errors import BenchError, UnknownNameError, UsageError
from benchmark.keys import file_sha256
from tests.cohorts.conftest import African, Spanish


def test_spain_keeps_its_metadata_and_says_what_it_dropped(spanish: Spanish, cache: Path) -> None:
    report = prepare("spain", spanish.write())
    assert report.images == 5
    assert report.patients == report.clusters == 4
    assert report.labels == {"brain": 1, "other": 1, "abdomen": 1, "femur": 1, "thorax": 1}
    assert report.splits == {"train": 4, "test": 1}
    assert "1 images of the maternal cervix were dropped" in report.notes[0]
    row = load_cohort("spain", 16).table.set_index("image_id").loc["Patient00001_Plane3_1_of_1"]
    assert (row.patient_id, row.machine, row.operator) == ("1", "Voluson E6", "Op. 1")
    assert row.sha256 == file_sha256(spanish.root / "Images" / "Patient00001_Plane3_1_of_1.png")


def test_a_patient_of_africa_is_a_centre_and_a_number(african: African, cache: Path) -> None:
    report = prepare("africa", african.write())
    assert (report.images, report.patients) == (6, 5)
    table = load_cohort("africa", 16).table
    sevens = table[table["patient_id"] == "7"]
    assert set(sevens["cluster_id"]) == {"Algeria-7", "Malawi-7"}


def test_patients_that_share_a_file_are_one_cluster(african: African, cache: Path) -> None:
    report = prepare("africa", african.write())
    table = load_cohort("africa", 16).table
    merged = table[table["center"].eq("Malawi") & table["patient_id"].isin(["9", "10"])]
    assert len(merged) == 3
    assert set(merged["cluster_id"]) == {"Malawi-9"}
    assert report.clusters == 4
    assert "1 images are byte-identical" in report.notes[-1]


def test_clusters_join_along_a_chain_and_do_not_depend_on_the_order() -> None:
    patients, digests = ["c", "b", "b", "a", "d"], ["x", "x", "y", "y", "z"]
    assert merge_clusters(patients, digests) == ["a", "a", "a", "a", "d"]
    assert merge_clusters(patients[::-1], digests[::-1]) == ["d", "a", "a", "a", "a"]


def test_a_copy_wrapped_in_a_folder_is_found(spanish: Spanish, tmp_path: Path, cache: Path) -> None:
    wrapped = tmp_path / "outer"
    shutil.copytree(spanish.write(), wrapped / "copy" / "FETAL_PLANES_ZENODO")
    assert prepare("spain", wrapped).images == 5


def test_an_archive_gives_the_same_cohort_as_its_folder(spanish: Spanish, tmp_path: Path, cache: Path) -> None:
    prepare("spain", spanish.write())
    expected = load_cohort("spain", 16).manifest_sha256
    shutil.make_archive(str(tmp_path / "planes"), "zip", tmp_path, spanish.root.name)
    prepare("spain", tmp_path / "planes.zip")
    shutil.rmtree(spanish.root)
    assert load_cohort("spain", 16).manifest_sha256 == expected


def test_a_tar_xz_gives_the_same_cohort_as_its_folder(african: African, tmp_path: Path, cache: Path) -> None:
    prepare("africa", african.write())
    expected = load_cohort("africa", 16).manifest_sha256
    shutil.make_archive(str(tmp_path / "planes"), "xztar", tmp_path, african.root.name)
    prepare("africa", tmp_path / "planes.tar.xz")
    assert load_cohort("africa", 16).manifest_sha256 == expected
    assert not list((cache_dir() / "extracted").glob(".*"))


SPOILS: dict[str, tuple[Callable[[Spanish], object], str]] = {
    "wrong header": (lambda s: setattr(s, "header", "Image;Plane"), r"_data\.csv, row 1: the header is 'Image;Plane'"),
    "commas": (lambda s: setattr(s, "header", s.header.replace(";", ",")), r"row 1: .*separated by ';'"),
    "missing image": (lambda s: (s.root / "Images/Patient00002_Plane2_1_of_1.png").unlink(), r"row 4: .*is missing"),
    "unknown plane": (lambda s: s.rows.append("x;9;Fetal brian;;;;1"), r"row 8: unknown plane 'Fetal brian'. Did you"),
    "duplicate id": (lambda s: s.rows.append(s.rows[0]), r"row 8: .*was given before, in row 2"),
    "short row": (lambda s: s.rows.append("x;9;Other"), r"row 8: 3 values, expected 7"),
    "split flag": (lambda s: s.add("x", 9, "Other", train=3), r"row 8: the split flag '3'"),
    "patient": (lambda s: s.rows.insert(0, s.rows[0].replace(";1;", ";one;", 1)), r"row 2: the patient number 'one'"),
    "no image": (lambda s: s.rows.clear(), r"row 2: the table lists no image"),
    "path": (lambda s: s.rows.append("../../x;9;Other;;;;1"), r"row 8: '../../x' is not a file name"),
    "not a png": (
        lambda s: (s.root / "Images/Patient00003_Plane5_1_of_1.png").write_bytes(b"GIF89a"),
        r"_data\.csv, row 5: the image .*Patient00003.* cannot be read as a PNG",
    ),
    "truncated png": (
        lambda s: truncate(s.root / "Images/Patient00010_Plane6_1_of_1.png"),
        r"row 6: the image .*Patient00010.* cannot be read as a PNG",
    ),
}


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-60])


@pytest.mark.parametrize("spoil", SPOILS)
def test_what_does_not_fit_is_told_with_file_and_row(spoil: str, spanish: Spanish, cache: Path) -> None:
    change, message = SPOILS[spoil]
    change(spanish)
    with pytest.raises(BenchError, match=message):
        prepare("spain", spanish.write())
    with pytest.raises(BenchError, match="not prepared"):
        load_cohort("spain", 16)


def test_an_unknown_country_is_told_with_its_row(african: African, cache: Path) -> None:
    african.rows[0] = african.rows[0].replace("Algeria", "Algiers")
    with pytest.raises(BenchError, match=r"row 2: unknown centre 'Algiers'. Did you mean Algeria"):
        prepare("africa", african.write())


def test_a_folder_without_the_table_tells_how_to_get_the_archive(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(BenchError, match=r"(?s)holds no FETAL_PLANES_DB_data.csv.*1\. download https.*md5 2a5fcc"):
        prepare("spain", tmp_path)
    with pytest.raises(UsageError, match="does not exist"):
        prepare("spain", tmp_path / "nowhere")


def test_a_folder_of_labels_counts_each_image_as_a_patient(tmp_path: Path, cache: Path) -> None:
    root = tmp_path / "mine"
    for label in ("brain", "other"):
        (root / label).mkdir(parents=True)
        Image.fromarray(np.full((9, 9), 50, np.uint8)).save(root / label / "1.png")
    (root / "brain" / "1.png").write_bytes((root / "other" / "1.png").read_bytes())
    report = prepare("folder", root)
    assert (report.images, report.patients, report.clusters) == (2, 2, 1)
    assert "each image counts as its own" in report.notes[0]


def test_an_unknown_label_folder_is_an_error(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "mine" / "spleen").mkdir(parents=True)
    Image.new("L", (9, 9)).save(tmp_path / "mine" / "spleen" / "1.png")
    with pytest.raises(BenchError, match="'spleen' is no label"):
        prepare("folder", tmp_path / "mine")


def test_an_exported_cohort_comes_back_as_a_folder_cohort(spanish: Spanish, tmp_path: Path, cache: Path) -> None:
    prepare("spain", spanish.write())
    spain = load_cohort("spain", 16)
    manifest = export_cohort(spain, tmp_path / "out")
    assert manifest.read_text().splitlines()[0] == "file,label,patient_id,sha256"
    prepare("folder", tmp_path / "out")
    back = load_cohort("folder", 16)
    keys = [list(made.table["label"] + made.table["patient_id"]) for made in (spain, back)]
    order = [keys[1].index(key) for key in keys[0]]
    np.testing.assert_array_equal(back.pixels[order], spain.pixels)
    with pytest.raises(UsageError, match="not an empty folder"):
        export_cohort(spain, tmp_path / "out")
    first = next((tmp_path / "out").glob("*/*.png"))
    Image.new("L", (16, 16)).save(first)
    with pytest.raises(BenchError, match=r"manifest.csv, row \d+: .*does not have the stated sha256"):
        prepare("folder", tmp_path / "out")


def test_an_unknown_cohort_gets_the_nearest_name(cache: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean spain"):
        prepare("spian")


def test_a_zip_that_is_cut_short_is_told(spanish: Spanish, tmp_path: Path, cache: Path) -> None:
    archive = tmp_path / "cut.zip"
    shutil.make_archive(str(tmp_path / "cut"), "zip", spanish.write())
    with zipfile.ZipFile(archive) as opened:
        offset = opened.infolist()[-1].header_offset
    content = bytearray(archive.read_bytes())
    content[offset + 60 : offset + 90] = b"\0" * 30
    archive.write_bytes(content)
    with pytest.raises(BenchError, match="broken or cut short"):
        prepare("spain", archive)
