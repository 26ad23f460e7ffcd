"""The published archives: where they are, how large, how to cite them; how to get one by hand."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedArchive:
    """An archive on a public record.

    Attributes:
        cohort: the cohort's name.
        file: the archive's file name on the record.
        url: the address of the archive.
        record: the address of the record as JSON (sizes and checksums of its files).
        page: the record's page for people.
        size: bytes.
        md5: the published checksum; None where it is read from the record at the first download and kept.
        licence: licence of the images.
        cite: what to cite.
    """

    cohort: str
    file: str
    url: str
    record: str
    page: str
    size: int
    md5: str | None
    licence: str
    cite: str


PUBLISHED: dict[str, PublishedArchive] = {
    "spain": PublishedArchive(
        cohort="spain",
        file="FETAL_PLANES_ZENODO.zip",
        url="https://zenodo.org/api/records/3904280/files/FETAL_PLANES_ZENODO.zip/content",
        record="https://zenodo.org/api/records/3904280",
        page="https://zenodo.org/records/3904280",
        size=2_088_522_169,
        md5="2a5fcc2cefb789bcc0f6c1f73e0ea43f",
        licence="CC BY 4.0",
        cite="Burgos-Artizzu et al., Scientific Reports 10, 10200 (2020), doi 10.1038/s41598-020-67076-5",
    ),
    "africa": PublishedArchive(
        cohort="africa",
        file="Zenodo_dataset.tar.xz",
        url="https://zenodo.org/api/records/7540448/files/Zenodo_dataset.tar.xz/content",
        record="https://zenodo.org/api/records/7540448",
        page="https://zenodo.org/records/7540448",
        size=42_845_356,
        md5=None,
        licence="CC BY 4.0",
        cite="Sendra-Balcells et al., Scientific Reports 13, 2728 (2023), doi 10.1038/s41598-023-29490-3",
    ),
}


def how_to_get(archive: PublishedArchive) -> str:
    """Numbered steps to obtain the archive by hand, with address, size, checksum and the next command."""
    checksum = f"md5 {archive.md5}" if archive.md5 else f"the md5 is stated on {archive.page}"
    return (
        f"To get the cohort '{archive.cohort}' ({archive.licence}):\n"
        f"  1. download {archive.url}\n"
        f"     as {archive.file} ({archive.size:,} bytes; {checksum});\n"
        f"  2. run `fulora-bench prepare {archive.cohort} --from PATH/TO/{archive.file}`\n"
        f"     (an unpacked folder does as well), or, online, `fulora-bench prepare {archive.cohort}` alone;\n"
        f"  3. cite {archive.cite}."
    )
