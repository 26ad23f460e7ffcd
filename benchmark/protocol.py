"""Who trains on what and is tested on what. Importing this module loads no numpy, pandas or torch."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from benchmark.classes import CLASSES
from benchmark.errors import BenchError, UnknownNameError
from benchmark.keys import content_key

if TYPE_CHECKING:
    from benchmark.cohorts.cohort import Cohort
    from benchmark.cohorts.images import Progress

ADAPTATION_PER_CLASS = 20
"""Images per class that adapt a generator (Wang et al., arXiv 2407.20072, section 3)."""

HELDOUT_SHARE = Fraction(1, 5)
"""Part of the source images held out where the authors' own test split is not there."""


@dataclass(frozen=True)
class ProtocolInfo:
    """What a listing says of a protocol; `tracks` in the order in which the primary one is chosen."""

    name: str
    version: str
    summary: str
    cohorts: tuple[str, ...]
    tracks: tuple[str, ...]


@dataclass(frozen=True)
class Protocol:
    """A protocol with its images.

    Attributes:
        name, version: of the protocol; both enter every key.
        train: the source training part; with `heldout` disjoint by cluster and by file.
        adaptation: the subset of `train` that generators are fitted to, at most 20 images per class.
        heldout: the source part that no method sees; reference of the headline fidelity.
        tracks: target images by track, in the order in which the primary track is chosen; never trained on.
        missing_tracks: why a track of the protocol is not in `tracks`.
        notes: how the parts were made and what was left out, one sentence each.
    """

    name: str
    version: str
    train: Cohort
    adaptation: Cohort
    heldout: Cohort
    tracks: dict[str, Cohort]
    missing_tracks: dict[str, str]
    notes: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """The class set of the classifier, in canonical order."""
        return CLASSES

    @property
    def primary_track(self) -> str:
        """The track of the headline: the first in the protocol's order whose images are present."""
        return next(iter(self.tracks))

    @property
    def manifest_sha256(self) -> str:
        """Digest of everything that may reach a method or a training loop (no target image)."""
        parts = (self.train, self.adaptation, self.heldout)
        return content_key([self.name, self.version, *(part.manifest_sha256 for part in parts)])


PROTOCOLS: dict[str, ProtocolInfo] = {
    info.name: info
    for info in (
        ProtocolInfo(
            name="phantom",
            version="1",
            summary="one hospital's phantom scanners to five centres with scanners of their own",
            cohorts=("phantom-source", "phantom-target"),
            tracks=("target",),
        ),
        ProtocolInfo(
            name="spain-africa",
            version="1",
            summary="Spanish fetal planes to five African countries; no African image trains anything",
            cohorts=("spain", "africa"),
            tracks=("official-233", "official-train-217", "all-dedup"),
        ),
    )
}

_AFRICA_IMAGES = {"official-233": 233, "official-train-217": 217, "all-dedup": 403}


def list_protocols() -> list[ProtocolInfo]:
    """The protocols there are, without loading any image."""
    return list(PROTOCOLS.values())


def protocol_info(name: str) -> ProtocolInfo:
    """The entry of a protocol; raises UnknownNameError."""
    if name not in PROTOCOLS:
        raise UnknownNameError("protocol", name, PROTOCOLS)
    return PROTOCOLS[name]


def load_protocol(name: str, size: int, seed: int = 0, progress: Progress | None = None) -> Protocol:
    """The protocol with its images at `size` x `size` pixels.

    `seed` draws another phantom; the parts of real cohorts depend on their images alone. Raises BenchError
    when a cohort is not prepared, no track is complete, or a target image is found among the source images.
    """
    info = protocol_info(name)
    makers: dict[str, Callable[[ProtocolInfo, list[Cohort]], Protocol]] = {
        "phantom": _phantom,
        "spain-africa": _spain_africa,
    }
    from benchmark.cohorts.registry import load_cohort

    protocol = makers[name](info, [load_cohort(cohort, size, seed, progress) for cohort in info.cohorts])
    check_disjoint(protocol)
    return protocol


def _phantom(info: ProtocolInfo, cohorts: list[Cohort]) -> Protocol:
    source, target = cohorts
    splits = source.table["split"]
    train = source.part((splits == "train").to_numpy().nonzero()[0], "phantom-source/train")
    heldout = source.part((splits == "heldout").to_numpy().nonzero()[0], "phantom-source/heldout")
    return Protocol(
        name=info.name,
        version=info.version,
        train=train,
        adaptation=adaptation_subset(train),
        heldout=heldout,
        tracks={"target": target},
        missing_tracks={},
    )


def _spain_africa(info: ProtocolInfo, cohorts: list[Cohort]) -> Protocol:
    spain, africa = cohorts
    train, heldout, note = _spanish_parts(spain)
    tracks, missing = african_tracks(africa, info.tracks)
    if not tracks:
        reasons = "; ".join(f"{track}: {reason}" for track, reason in missing.items())
        raise BenchError(
            f"no target track of {info.name} has all its images ({reasons}). "
            "Run `fulora-bench prepare africa --from PATH` with the published archive."
        )
    return Protocol(
        name=info.name,
        version=info.version,
        train=train,
        adaptation=adaptation_subset(train),
        heldout=heldout,
        tracks=tracks,
        missing_tracks=missing,
        notes=(note,),
    )


def _spanish_parts(spain: Cohort) -> tuple[Cohort, Cohort, str]:
    """Training and held-out part of the Spanish images, and how they were made.

    With the official test split at hand (every class at least a quarter as large as in the training split), it
    is the held-out part and the whole official training split trains, as in the study; patients on both sides
    leave the held-out part. Else a fifth of the images is held out, whole clusters at a time.
    """
    splits = spain.table["split"].to_numpy()
    train_at, test_at = (splits == "train").nonzero()[0], (splits == "test").nonzero()[0]
    labels = spain.table["label"].to_numpy()
    in_train, in_test = Counter(labels[train_at]), Counter(labels[test_at])
    if len(in_train) == len(CLASSES) and all(4 * in_test[label] >= n for label, n in in_train.items()):
        clusters = spain.table["cluster_id"].to_numpy()
        training = set(clusters[train_at])
        kept = [at for at in test_at if clusters[at] not in training]
        note = (
            f"training part: the official training split ({len(train_at)} images); held out: the official test "
            f"split ({len(kept)} images; {len(test_at) - len(kept)} of patients on both sides left out)."
        )
        train_part, heldout_part = list(train_at), kept
    else:
        pool = spain.part(train_at) if len(train_at) else spain
        at = train_at if len(train_at) else range(len(spain))
        held = set(heldout_positions(pool))
        train_part = [position for i, position in enumerate(at) if i not in held]
        heldout_part = [position for i, position in enumerate(at) if i in held]
        note = (
            f"held out: {len(heldout_part)} of {len(pool)} images, whole patients, a fifth of each class, "
            f"chosen by hash; training part: {len(train_part)} images."
        )
    return spain.part(train_part, "spain/train"), spain.part(heldout_part, "spain/heldout"), note


def heldout_positions(cohort: Cohort, share: Fraction = HELDOUT_SHARE) -> list[int]:
    """Positions of the held-out images: whole clusters, close to `share` of each class, never above it.

    Clusters are taken in the order of their hash while no class passes its share (at least one image), so the
    choice depends on the names alone, not on the order of rows. Raises BenchError when a class is left
    without an image on either side.
    """
    members: dict[str, list[int]] = defaultdict(list)
    for position, cluster in enumerate(cohort.table["cluster_id"]):
        members[cluster].append(position)
    labels = list(cohort.table["label"])
    present = Counter(labels)
    room = {label: max(1, round(number * share)) for label, number in present.items()}
    chosen: list[int] = []
    for cluster in sorted(members, key=lambda name: content_key(["heldout", name])):
        wanted = Counter(labels[position] for position in members[cluster])
        if all(number <= room[label] for label, number in wanted.items()):
            chosen += members[cluster]
            room = {label: number - wanted[label] for label, number in room.items()}
    held = Counter(labels[position] for position in chosen)
    torn = [label for label in CLASSES if present[label] and held[label] in (0, present[label])]
    if torn or len(present) < len(CLASSES):
        lacking = ", ".join(torn or [label for label in CLASSES if not present[label]])
        raise BenchError(
            f"the cohort '{cohort.name}' cannot be split by patient: too few patients with {lacking}. "
            "Prepare it with at least two patients per class."
        )
    return sorted(chosen)


def adaptation_subset(train: Cohort, per_class: int = ADAPTATION_PER_CLASS) -> Cohort:
    """At most `per_class` images of each class, one per cluster before a second of any, by hash."""
    ids, clusters = list(train.table["image_id"]), list(train.table["cluster_id"])
    labels = list(train.table["label"])
    chosen: list[int] = []
    for label in CLASSES:
        order = sorted(
            (position for position, name in enumerate(labels) if name == label),
            key=lambda position: content_key(["adaptation", ids[position]]),
        )
        turn: Counter[str] = Counter()
        ranked: list[tuple[int, int, int]] = []
        for rank, position in enumerate(order):
            ranked.append((turn[clusters[position]], rank, position))
            turn[clusters[position]] += 1
        chosen += [position for _, _, position in sorted(ranked)[:per_class]]
    return train.part(sorted(chosen), f"{train.name.split('/')[0]}/adaptation")


def african_tracks(africa: Cohort, order: Sequence[str]) -> tuple[dict[str, Cohort], dict[str, str]]:
    """The complete tracks among the prepared African images, and why the others are missing.

    `all-dedup` keeps the first image, by natural order of its id, of each set of byte-identical ones.
    """
    splits = list(africa.table["split"])
    train = [position for position, split in enumerate(splits) if split == "train"]
    test = [position for position, split in enumerate(splits) if split == "test"]
    unique = [int(position) for position in (~africa.table["sha256"].duplicated()).to_numpy().nonzero()[0]]
    positions = {"official-233": test, "official-train-217": train, "all-dedup": unique}
    complete = len(train) == _AFRICA_IMAGES["official-train-217"] and len(test) == _AFRICA_IMAGES["official-233"]
    tracks: dict[str, Cohort] = {}
    missing: dict[str, str] = {}
    for track in order:
        needed, found = _AFRICA_IMAGES[track], len(positions[track])
        if found != needed:
            missing[track] = f"{found} of its {needed} images are prepared"
        elif track == "all-dedup" and not complete:
            missing[track] = "needs both official splits whole"
        else:
            tracks[track] = africa.part(positions[track], f"africa/{track}")
    return tracks, missing


def check_disjoint(protocol: Protocol) -> None:
    """Raise BenchError when parts that must not meet share a cluster or a byte-identical image."""
    source = {"training": protocol.train, "held-out": protocol.heldout}
    _disjoint(protocol.name, "training part", [protocol.train], "held-out part", [protocol.heldout])
    for track, target in protocol.tracks.items():
        _disjoint(protocol.name, "source images", source.values(), f"target track {track}", [target])


def _disjoint(protocol: str, left: str, these: Iterable[Cohort], right: str, those: Iterable[Cohort]) -> None:
    these, those = list(these), list(those)
    for column, what in (("sha256", "byte-identical image"), ("cluster_id", "patient")):
        known = {value for cohort in these for value in cohort.table[column]}
        for cohort in those:
            shared = cohort.table[cohort.table[column].isin(known)]
            if len(shared):
                raise BenchError(
                    f"protocol {protocol}: the {left} and the {right} share {len(shared)} images by {what}, "
                    f"first {shared['image_id'].iloc[0]}. Remove them from one of the cohorts and run "
                    "`fulora-bench prepare` again."
                )
