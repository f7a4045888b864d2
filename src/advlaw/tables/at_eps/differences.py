"""differences.csv and replicates.csv of a set at a few eps: nets beside their baselines, and what chance alone does."""

from collections.abc import Iterable, Mapping, Sequence

from advlaw.core.io import Cells
from advlaw.fitting.proportions import paired_difference
from advlaw.fitting.seeds import Spread, half_width, of_difference, pooled, widened
from advlaw.tables.at_eps.nets import ADVERSARIAL, PLAIN, is_collapsed, kind_of
from advlaw.tables.at_eps.ranks import ENDS, Point, Ranks, interval, judged_in_all, right_on

COLUMNS = (
    "net",
    "baseline",
    "attack",
    "eps",
    "n_images",
    "top1",
    *(f"difference{end}" for end in ENDS),
    "seeds_low",
    "seeds_high",
)
REPLICATE_COLUMNS = ("kind", "attack", "eps", "sd", "df", "n_nets", "half_width")
Spreads = Mapping[tuple[str, str, float], Spread]  # by kind of net, attack and eps


def spreads(nets: Iterable[Cells], ranks: Mapping[str, Ranks]) -> dict[tuple[str, str, float], Spread]:
    """How much top-1 accuracies of a kind of net differ between trainings: within groups that differ in `seed` alone.

    Without nets that collapsed, whose differences have no verdict; kinds without two nets of one group are left out.
    """
    groups: dict[tuple[str, str], dict[int, Ranks]] = {}
    for net in nets:
        own = ranks.get(net["net"])
        if own is not None and not is_collapsed(own):
            groups.setdefault((kind_of(net), net["differs"]), {}).setdefault(net["seed"], own)
    found = {}
    for kind in (ADVERSARIAL, PLAIN):
        replicated = [list(group.values()) for (of, _), group in groups.items() if of == kind and len(group) > 1]
        for attack, eps in replicated[0][0].points if replicated else ():
            spread = pooled([_accuracies(group, (attack, eps)) for group in replicated])
            if spread is not None:
                found[kind, attack, eps] = spread
    return found


def _accuracies(group: Sequence[Ranks], at: tuple[str, float]) -> list[float]:
    """The accuracies of replicates on the images that are judged of all of them."""
    points = [ranks.points[at] for ranks in group]
    judged = judged_in_all(*points)
    return [float(right.mean()) for right in right_on(judged, *points)] if judged.any() else []


def replicate_rows(found: Spreads, confidence: float) -> list[Cells]:
    """A row for every kind of net, attack and eps; `half_width` is that of the interval around one net's accuracy."""
    return [
        {
            **dict(zip(REPLICATE_COLUMNS, (*at, spread.sd, spread.df, spread.n_nets), strict=False)),
            "half_width": half_width(spread, confidence),
        }
        for at, spread in found.items()
    ]


def difference_rows(
    nets: Sequence[Cells], ranks: Mapping[str, Ranks], found: Spreads, confidence: float
) -> list[Cells]:
    """A row for every net with a baseline, when clean and under every attack at every eps.

    `difference` has an interval over images, `seeds_low` and `seeds_high` are its ends with the spread between
    trainings of the two kinds of nets added; empty where a kind has no replicates.
    """
    kinds, rows = {net["net"]: kind_of(net) for net in nets}, []
    for net in nets:
        name, baseline = net["net"], net["baseline"]
        if name in ranks and baseline in ranks:
            for (attack, eps), point in ranks[name].points.items():
                both = [found.get((kinds[one], attack, eps)) for one in (name, baseline)]
                row = _row(point, ranks[baseline].points[attack, eps], both, confidence)
                rows.append({"net": name, "baseline": baseline, "attack": attack, "eps": eps, **row})
    return rows


def _row(point: Point, other: Point, both: Sequence[Spread | None], confidence: float) -> Cells:
    judged = judged_in_all(point, other)
    row: Cells = {**dict.fromkeys(COLUMNS[5:]), "n_images": int(judged.sum())}
    if judged.any():
        own, theirs = right_on(judged, point, other)
        difference = paired_difference(own, theirs, confidence)
        row |= {"top1": float(own.mean()), **interval("difference", difference)}
        first, second = both
        if first is not None and second is not None:
            half = half_width(of_difference(first, second), confidence)
            row["seeds_low"], row["seeds_high"] = widened(*difference, half)
    return row
