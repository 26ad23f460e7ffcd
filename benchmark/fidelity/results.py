"""What a fidelity result holds: every distance with what is needed to read it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Metric(_Part):
    """One figure. `value` is None where it is undefined, and `reason` says why.

    Attributes:
        std, subsets, subset_size: of KID, the spread over subsets of that many images.
        ci_low, ci_high: 95 % interval of this one pair of sets, by `interval`, from `replicates` of them.
        sd, sd_reference: standard error from leaving out real patients and synthetic images, and from real patients
            alone; over repetitions with one reference only the second is shared.
        floor, floor_sd, floor_n, floor_splits: the same distance between two halves of real images, split by patient,
            with `floor_n` images each: mean and standard deviation over the splits.
        ratio: distance of reference and synthetic images at `floor_n` images each, over the floor: 1 cannot be told
            from real. `ratio_reason` says why there is none.
        k: neighbours, of manifold metrics.
        n_low, n_high, r_squared: numbers of images and fit of an extrapolation.
    """

    value: float | None
    reason: str | None = None
    direction: str = "lower"
    definition: str
    std: float | None = None
    subsets: int | None = None
    subset_size: int | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    sd: float | None = None
    sd_reference: float | None = None
    replicates: int | None = None
    interval: str | None = None
    floor: float | None = None
    floor_sd: float | None = None
    floor_n: int | None = None
    floor_splits: int | None = None
    ratio: float | None = None
    ratio_reason: str | None = None
    k: int | None = None
    n_low: int | None = None
    n_high: int | None = None
    r_squared: float | None = None

    def to_json(self) -> dict[str, Any]:
        """`value` first; what does not apply is left out."""
        return {"value": self.value} | self.model_dump(exclude_none=True)


class SetDistances(_Part):
    """FID and KID of one pair of sets, with their sizes."""

    n_real: int
    n_synthetic: int
    fid: Metric
    kid: Metric

    def to_json(self) -> dict[str, dict[str, Any]]:
        """Both by name."""
        return {"fid": self.fid.to_json(), "kid": self.kid.to_json()}


class FidelityResult(_Part):
    """Fidelity of a synthetic set: pooled, per class, with what it was measured by.

    `further` holds figures of the pooled sets beside the distances: the extrapolated FID, precision, recall, density,
    coverage. `sets` says what the real and the synthetic set are: their pixels, and whose the reference is.
    """

    extractor: dict[str, str | int]
    pooled: SetDistances
    sets: tuple[str, str] = ("", "")
    per_class: dict[str, SetDistances]
    further: dict[str, Metric] = {}
    warnings: tuple[str, ...]

    @property
    def comparability(self) -> str:
        """Everything that two distances must share to be compared, in words."""
        e = self.extractor
        parts = [
            f"{e['name']} ({e.get('backend', 'unnamed backend')} {e.get('backend_version', '')})".replace(" )", ")"),
            f"weights {str(e.get('weights_sha256', 'unknown'))[:12]}",
            f"resize: {e.get('resize', 'unknown')}",
            str(e.get("precision", "fp32")),
            f"{self.pooled.n_real} real and {self.pooled.n_synthetic} synthetic images",
            *(f"{name}: {told}" for name, told in zip(("reference", "synthetic"), self.sets, strict=True) if told),
        ]
        return "; ".join(parts)

    def to_json(self) -> dict[str, Any]:
        """The format of `fulora-bench fidelity --json`."""
        identity = dict(self.extractor)
        return {
            "extractor": identity.pop("name"),
            **identity,
            "n_real": self.pooled.n_real,
            "n_synthetic": self.pooled.n_synthetic,
            "comparability": self.comparability,
            "metrics": self.pooled.to_json() | {name: metric.to_json() for name, metric in self.further.items()},
            "per_class": {
                label: {"n_real": pair.n_real, "n_synthetic": pair.n_synthetic, **pair.to_json()}
                for label, pair in self.per_class.items()
            },
            "warnings": list(self.warnings),
        }
