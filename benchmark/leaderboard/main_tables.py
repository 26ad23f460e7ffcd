"""Whether synthetic images help: the leaderboard itself, and the rows that stand beside it."""

from __future__ import annotations

from statistics import median

from benchmark.leaderboard.comparisons import PERMUTATIONS, RunScores
from benchmark.leaderboard.fidelity_tables import (
    FID_RATIO_DEFINITION,
    KID_DEFINITION,
    headline_fid_ratio,
    headline_groups,
    headline_kid,
    headline_sizes,
)
from benchmark.leaderboard.rows import (
    ACCURACY,
    AUC,
    COUNTS,
    F1,
    GAIN,
    P_HOLM,
    TIES,
    WHERE,
    Row,
    chosen,
    counts,
    finished,
    headline_scores,
    headlines,
    where,
)
from benchmark.leaderboard.slice_tables import worst_center
from benchmark.leaderboard.tables import Column, Table
from benchmark.leaderboard.views import Series

UNCHECKED = (
    "nothing looked for copies of training images, and a method that copies is ranked here. Add `train` to the "
    "profile's fidelity references and run again."
)
READING = (
    "Rows are sorted by gain. Rows that share a letter are ties: the order among them is chance. Letters, gains and "
    "all intervals are at 95 %; two rows have no letter in common only if both the permutation of whole clusters and "
    "the paired interval over clusters and repetitions tell them apart, the larger p Holm-corrected for all pairs."
)
CONTROL_NOTE = (
    "The control is `real, balanced sampling`. p (Holm) is corrected for {tests} tests: every row with this control, "
    "those trained on synthetic images alone included."
)
UPPER = (
    "`target-trained (upper reference)` is trained on the target, cross-fitted over clusters: what there is to reach, "
    "never ranked."
)
ONE_REPETITION = (
    "one repetition: intervals are over clusters alone. They are about these trained classifiers, and say nothing "
    "about the same methods with another seed."
)
SAME_WHERE_EVEN = ("natural", "loss", "subset")
EVEN = (
    "Every class has equally many training images here, so {rows} are one and the same training: this board does not "
    "say what balancing does. They stand as separate rows in every correction, which makes it a little stricter."
)
UNCOMPARABLE = (
    "KID and FID are left out: the sets of these rows cannot be compared ({n} groups, see the fidelity tables)."
)
SIZES = (
    "KID and FID: {real} held-out and {synthetic} synthetic images a repetition; FID falls with n, and its ratio "
    "to the floor nears 1 where n is small."
)

FIDELITY = (
    Column("kid", "KID x1000", KID_DEFINITION, digits=1),
    Column("fid_ratio", "FID / floor", FID_RATIO_DEFINITION, digits=2),
)
COPIES = Column("copies", "copies %", "largest share of near-copies of training images among the samples of one repetition", "percent")  # fmt: skip # noqa: E501
MAIN = (
    *WHERE,
    GAIN,
    P_HOLM,
    TIES,
    ACCURACY,
    F1,
    AUC,
    Column("worst", "worst centre %", "centre with the lowest mean accuracy; the minimum is taken anew in every resampling, and is biased low", "percent"),  # noqa: E501
    *FIDELITY,
    COPIES,
    *COUNTS,
)  # fmt: skip
BESIDE = (*WHERE, GAIN, P_HOLM, ACCURACY, F1, AUC, *COUNTS)
TESTS = (
    *WHERE,
    GAIN,
    Column("se", "SE", "standard error of the gain, points of percent", "points", digits=2),
    Column("df", "df", "degrees of freedom of its t quantile"),
    Column("p", "p, permutation", f"labels of row and control swapped within whole clusters, {PERMUTATIONS} permutations, all repetitions together; takes the trained classifiers as given", digits=4, p=True),  # noqa: E501
    Column("p_holm", "p, Holm", "the larger of it and the p of the gain's interval, corrected for all rows against one control", digits=4, p=True),  # noqa: E501
    Column("p_mcnemar", "p, McNemar (ignores clustering)", "exact McNemar test on the images of the first shared repetition; it takes images as independent, so it is too small", digits=4, p=True),  # noqa: E501
    Column("detectable", "detectable at 80 %", "smallest true difference that a comparison with this standard error finds in four of five such runs, before Holm", "points"),  # noqa: E501
)  # fmt: skip


def main_table(runs: list[RunScores]) -> Table:
    """Controls and methods by gain; below them what timed out or copies, and the upper reference last."""
    groups = set().union(*(headline_groups(scores.view) for scores in runs))
    rows = [_main_row(scores, series, one_group=len(groups) <= 1) for scores, series in headlines(runs)]
    columns = MAIN if len(groups) <= 1 else tuple(column for column in MAIN if column not in FIDELITY)
    notes = [note for scores in runs for note in _notes(scores)]
    if any(series.is_upper_reference for _, series in headlines(runs)):
        notes.append(UPPER)
    sizes = next(filter(None, (headline_sizes(scores.view) for scores in runs)), None)
    if len(groups) == 1 and sizes:
        notes.append(SIZES.format(real=sizes[0], synthetic=sizes[1]))
    if len(groups) > 1:
        notes.append(UNCOMPARABLE.format(n=len(groups)))
    notes += [f"Run {scores.view.label}: {UNCHECKED}" for scores in runs if scores.view.unchecked()]
    return finished(runs, Table("main", "Leaderboard", columns, tuple(rows), (READING, *notes)))


def synthetic_table(runs: list[RunScores]) -> Table:
    """Classifiers that saw synthetic images only."""
    rows = [_beside(scores, series) for scores, series in chosen(runs, mix="synthetic", compute="matched")]
    notes = ("The gain is over the same control as above: real source images, balanced sampling.",) if rows else ()
    return finished(runs, Table("synthetic_only", "Trained on synthetic images only", BESIDE, tuple(rows), notes))


def unmatched_table(runs: list[RunScores]) -> Table:
    """Classifiers that took more or fewer optimiser steps than the control: a part of their gain is training."""
    rows = [_beside(scores, series) for scores, series in chosen(runs, compute="unmatched")]
    notes = (
        "Not comparable with the leaderboard: as many epochs as the natural real set takes, so steps grow with the "
        "images. The control of the gain took the recipe's steps.",
    )
    title = "Unmatched compute: more images buy more training"
    return finished(runs, Table("unmatched", title, BESIDE, tuple(rows), notes if rows else ()))


def tests_table(runs: list[RunScores]) -> Table:
    """Every row against its control: the primary test, what it is corrected to, and the test that ignores clusters."""
    rows = []
    for scores, series in chosen(runs):
        if scores.view.control(series) == series:
            continue
        found = scores.compared(series, scores.primary)
        gain = scores.gain(series, scores.primary).scaled(100)
        rows.append(
            where(scores, series)
            | {
                "gain": gain,
                "se": gain.se,
                "df": gain.df,
                "p": found.p,
                "p_holm": found.p_holm,
                "p_mcnemar": found.p_mcnemar,
                "detectable": None if found.detectable is None else 100 * found.detectable,
            }
        )
    notes = (
        "The permutation is the test; McNemar's is the habit of the field and stands here to be compared with. With "
        "one repetition both ask about these classifiers. The upper reference is in no family, so its p is "
        "not corrected.",
    )
    return finished(runs, Table("tests", "Tests of the gains", TESTS, tuple(rows), notes))


def _main_row(scores: RunScores, series: Series, one_group: bool) -> Row:
    yields = series.mix == "real+synthetic"
    shares = [copies.share for copies in scores.view.copies(series.method)] if yields else []
    known = bool(shares) and (max(shares) > 0 or scores.view.weak(series.method) is None)
    fidelity: Row = {"copies": 100 * max(shares) if known else None}
    if one_group:
        fidelity["kid"] = headline_kid(scores.view, series.method) if yields else None
        fidelity["fid_ratio"] = headline_fid_ratio(scores.view, series.method) if yields else None
    return (
        where(scores, series)
        | headline_scores(scores, series)
        | {"ties": scores.ties(series, scores.primary), "worst": worst_center(scores, series).scaled(100)}
        | fidelity
        | counts(scores, series)
    )


def _beside(scores: RunScores, series: Series) -> Row:
    return where(scores, series) | headline_scores(scores, series) | counts(scores, series)


def _notes(scores: RunScores) -> list[str]:
    facts = scores.view.run.protocol
    part = facts.tracks[facts.primary_track]
    start = (
        f"Run {scores.view.label}: track `{facts.primary_track}` of protocol `{facts.name}`, {part.n_images} images "
    )
    notes = [f"{start}of {part.n_clusters} clusters; no image of it was used for training a ranked row."]
    blocks = list(dict.fromkeys(series.block for series in scores.headline))
    said: dict[str, list[str]] = {}
    for block in blocks:
        for note in _block_notes(scores, [series for series in scores.headline if series.block == block]):
            said.setdefault(note, []).append(", ".join(block))
    notes += [note if len(at) == len(blocks) else f"{' and '.join(at)}: {note}" for note, at in said.items()]
    if max((len(cells) for cells in scores.rows.values()), default=0) == 1:
        notes.append(f"Run {scores.view.label}, {ONE_REPETITION}")
    return notes


def _block_notes(scores: RunScores, rows: list[Series]) -> list[str]:
    """What the rows of one backbone and augmentation are measured against, and what they could show."""
    if scores.view.control(rows[0]) is None:
        return [f"There is no gain: {scores.gain(rows[0], scores.primary).reason}. Rows are sorted by accuracy."]
    ranked = [series for series in rows if scores.is_ranked(series, scores.primary)]
    found = [scores.compared(series, scores.primary).detectable for series in ranked]
    known = sorted(100 * value for value in found if value is not None)
    tests = max(scores.family_size(series, scores.primary) for series in rows)
    notes = [CONTROL_NOTE.format(tests=tests)]
    real = {series.balance: series.title for series in rows if series.mix == "real"}
    alike = [real[balance] for balance in SAME_WHERE_EVEN if balance in real]
    if len(set(scores.view.run.protocol.train.per_class.values())) == 1 and len(alike) > 1:
        notes.append(EVEN.format(rows=", ".join(f"`{title}`" for title in alike)))
    if known:
        notes.append(
            "The smallest gain that this target and these repetitions detect at 80 % power is "
            f"{median(known):.1f} points (median over the ranked rows; {known[0]:.1f} to {known[-1]:.1f}), before Holm."
        )
    return notes
