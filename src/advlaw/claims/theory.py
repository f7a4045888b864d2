"""Claims about linear response, the mean-field prediction and the gaps between logits (Cubuk Sec. 3)."""

import math

from advlaw.claims.finding import (
    PERCENT,
    Estimate,
    Finding,
    Part,
    above,
    difference,
    equal,
    exponent_in,
    inside,
    shown,
)
from advlaw.claims.pairs import penalised
from advlaw.claims.study import Evidence, estimate, is_analogue, number
from advlaw.core.io import Row

NOT_FOLLOWED = "no net whose logits are followed (response.nets is empty)"
RANKS = ("2", "3", "4", "5")
FLAT = (-0.1, 0.1)  # an exponent of the density that is "about 0"
SHIFT = (-0.15, 0.15)  # two exponents that are "the same"
STRONG = 0.5  # Cohen's convention for a strong correlation: the paper gives no number
WITHIN = (0.75, 1.25)  # the ratio of two curves that "agree"
SECOND_ORDER = 1.75  # least slope of a residual of order eps^2
CLOSE = 0.05  # a relative error that is nearly none
ENOUGH_GAPS = 200
FEWEST = 20  # images in a bin whose median is judged
LEVEL = 0.001  # of a chi-squared test, of which there are many


def second_order_residual(study: Evidence) -> Finding:
    """C16: logits move linearly, and what is left out is of order eps^2: its slope in log-log is 2, judged above 1.75.

    A linear net has no residual, and so no slope.
    """
    parts = []
    for net, rows in _by_net(study.rows("theory/residuals")).items():
        slope = number(rows[0], "slope")
        if math.isnan(slope):
            largest = max(number(row, "residual") for row in rows)
            parts.append(inside(net, "largest residual", Estimate(largest, largest, largest), (0.0, 1e-6)))
        else:
            parts.append(above(net, "slope of the residual", Estimate(slope, slope, slope), SECOND_ORDER))
    return Finding(tuple(parts), NOT_FOLLOWED)


def linear_threshold_converges(study: Evidence) -> Finding:
    """C17: eps_linear tends to the measured threshold as that tends to 0.

    Judged on the 1 % of images with the smallest thresholds, under L2: a median error of at most 5 %. Above it, the
    claim fails if the error is no longer falling, that is not below half of what it is in the first tenth.
    """
    parts = []
    for net, rows in _by_net(study.rows("theory/deciles", attack="l2", prediction="linear")).items():
        by_decile = {row["decile"]: row for row in rows}
        if "0" not in by_decile or "1" not in by_decile:
            continue
        smallest, first = by_decile["0"], by_decile["1"]
        error, n_images = number(smallest, "median_error"), int(smallest["n_images"])
        is_falling = error < 0.5 * number(first, "median_error")
        found = "holds" if error <= CLOSE else "inconclusive" if is_falling else "fails"
        found = "inconclusive" if n_images < FEWEST else found
        quantity = "median relative error of eps_linear, smallest 1 % of thresholds"
        parts.append(Part(net, quantity, Estimate(error, n=n_images), (0.0, CLOSE), found, unit=PERCENT))
    is_smaller = is_analogue(study.rows("theory/deciles", attack="l2"), "mnist")
    return Finding(tuple(parts), NOT_FOLLOWED, is_smaller)


def runner_up_first(study: Evidence) -> Finding:
    """C18: of the attacks that succeed up to eps = 50 the runner-up takes over first in more than 95 %.

    Judged under L2, the attack the paper's Section 3.1 studies; FGSM's share, where 50 is a far larger perturbation, is
    shown.
    """
    parts = []
    for row in study.rows("theory/predictions"):
        found = estimate(row, "second_first", n="n_below_50")
        if row["attack"] == "l2":
            parts.append(above(row["net"], "share under L2", found, 0.95, unit=PERCENT))
        elif row["attack"] == "fgsm":
            parts.append(shown(row["net"], "share under FGSM in L-infinity", found, unit=PERCENT))
    remark = "judged in L2, the norm of the theory's attack; in L-infinity eps = 50 flips nearly all images"
    return Finding(tuple(parts), NOT_FOLLOWED, remark=remark)


def mean_field_correlates(study: Evidence) -> Finding:
    """C19: the mean-field threshold is strongly correlated with the measured one: Spearman's rho above 0.5."""
    parts = [
        above(
            f"{row['net']}, {row['attack']}",
            "Spearman's rho",
            estimate(row, "spearman_mean_field", n="n_succeeded"),
            STRONG,
        )
        for row in study.rows("theory/predictions")
        if row["attack"] in ("l2", "fgsm")
    ]
    remark = "the paper gives no number; strong is taken as above 0.5"
    return Finding(tuple(parts), NOT_FOLLOWED, remark=remark)


def curve_follows_from_gaps(study: Evidence) -> Finding:
    """C20: the error is P(gap <= eps~); judged is the ratio of both at the smallest eps with 100 errors, under L2."""
    parts = []
    for net, rows in _by_net(study.rows("theory/curves", attack="l2")).items():
        n_images = {row["net"]: int(row["n_images"]) for row in study.rows("theory/predictions", attack="l2")}[net]
        with_errors = [row for row in rows if number(row, "measured") * n_images >= 100 - 1e-6]
        if with_errors:
            row = min(with_errors, key=lambda point: number(point, "eps"))
            predicted, measured = number(row, "mean_field"), estimate(row, "measured")
            ratio = Estimate(predicted / measured.value, predicted / measured.high, predicted / measured.low, n_images)
            parts.append(inside(net, "predicted over measured error", ratio, WITHIN))
    return Finding(tuple(parts), NOT_FOLLOWED)


def iid_density(study: Evidence) -> Finding:
    """C21: the exact density of gaps between i.i.d. logits, by a chi-squared test; for N uniform ones C_2 = N."""
    parts = []
    for row in study.rows("order_statistics/constants"):
        p_value = number(row, "chi2_p_value")
        subject = f"{row['law']}, rank {row['rank']}"
        parts.append(above(subject, "p-value", Estimate(p_value, p_value, p_value), LEVEL))
        if (row["law"], row["rank"]) == ("uniform", "2"):
            parts.append(equal("ten uniform logits", "constant C_2", number(row, "constant"), 10.0, 1e-3))
    return Finding(tuple(parts), "no i.i.d. logits in this study")


def tails_of_gaps(study: Evidence) -> Finding:
    """C22: the density of the gap to rank j has an exponent of about 0 for j = 2, positive and growing ones beyond."""
    rows = [row for row in study.rows("theory/gap_exponents", images="all") if not row["epoch"]]
    parts = [part for net, found in _by_net(rows).items() for part in _tails(net, found)]
    return Finding(tuple(parts), NOT_FOLLOWED)


def iid_tails(study: Evidence) -> Finding:
    """C23: so it is for ten i.i.d. uniform logits, five million samples; fewer are an analogue."""
    rows = study.rows("order_statistics/exponents", law="uniform")
    n_samples = max((round(int(row["n_gaps"]) / float(row["share"]), -4) for row in rows), default=0)
    parts = tuple(_tails("uniform logits", rows)) if rows else ()
    return Finding(parts, "no i.i.d. logits in this study", is_analogue=0 < n_samples < 4e6)


def _tails(subject: str, rows: list[Row]) -> list[Part]:
    """Rank 2 from the smallest share of gaps that is precise enough, the order of the others from the largest share."""
    by_rank = {rank: [row for row in rows if row["rank"] == rank] for rank in RANKS}
    found = _in_tail(by_rank["2"])
    parts = [exponent_in(subject, "exponent of the density, rank 2", found, FLAT)]
    widest = {rank: _widest(of_rank) for rank, of_rank in by_rank.items() if of_rank}
    parts.append(above(f"{subject}, rank 3", "exponent for higher ranks", widest["3"]))
    for lower, higher in (("3", "4"), ("4", "5")):
        if lower in widest and higher in widest:
            rise = difference(widest[higher], widest[lower])
            parts.append(above(f"{subject}, rank {lower} to {higher}", "its rise with the rank", rise))
    return parts


def _in_tail(rows: list[Row]) -> Estimate:
    """The exponent from the smallest share of gaps of which there are enough, else from the largest share."""
    enough = [row for row in rows if int(row["n_gaps"]) >= ENOUGH_GAPS]
    return _exponent(min(enough, key=_share) if enough else max(rows, key=_share))


def _widest(rows: list[Row]) -> Estimate:
    return _exponent(max(rows, key=_share))


def form_during_training(study: Evidence) -> Finding:
    """C24: the density's exponents do not change during training: the last ones minus those after each kept epoch.

    The same if the interval lies within 0.15 of zero. For rank 2 from every share of the gaps, for the others from the
    largest.
    """
    rows = study.rows("theory/gap_exponents", images="all")
    last = {(row["net"], row["rank"], row["share"]): row for row in rows if not row["epoch"]}
    largest = max((row["share"] for row in rows), key=float, default="")
    parts = []
    for row in rows:
        key = (row["net"], row["rank"], row["share"])
        if not row["epoch"] or key not in last or (row["rank"] != "2" and row["share"] != largest):
            continue
        if min(int(row["n_gaps"]), int(last[key]["n_gaps"])) < ENOUGH_GAPS and row["share"] != largest:
            continue
        change = difference(_exponent(last[key]), _exponent(row))
        subject = f"{row['net']}, epoch {row['epoch']}, rank {row['rank']}, smallest {float(row['share']):.0%}"
        parts.append(inside(subject, "change of the exponent until the end", change, SHIFT))
    return Finding(tuple(parts), "no net kept during its training")


def penalty_widens_gaps(study: Evidence) -> Finding:
    """C29: the entropy penalty makes gaps larger and leaves the exponents of their density.

    Rank 2 from the smallest share of gaps that is precise enough, the others from the largest, as everywhere. Larger:
    the logarithm of the ratio of their 10 % quantiles, whose standard error is 1 / (B sqrt(n)) for gaps
    distributed as gap^B. The factor by which FGSM closes them faster is shown.
    """
    rows = [row for row in study.rows("theory/gap_exponents", images="all") if not row["epoch"]]
    nets, parts = _by_net(rows), []
    for net, baseline in penalised(study, set(nets)):
        for rank in RANKS:
            ours, theirs = ([row for row in nets[name] if row["rank"] == rank] for name in (net, baseline))
            wider = difference(_log_quantile(max(ours, key=_share)), _log_quantile(max(theirs, key=_share)))
            parts.append(above(f"{net}, rank {rank}", "logarithm of the ratio of small gaps", wider))
            tail = _in_tail if rank == "2" else _widest
            change = difference(tail(ours), tail(theirs))
            parts.append(exponent_in(f"{net}, rank {rank}", "change of the exponent", change, FLAT))
        speeds = {row["net"]: number(row, "closing_speed") for row in study.rows("theory/predictions", attack="fgsm")}
        if net in speeds and baseline in speeds:
            faster = Estimate(speeds[net] / speeds[baseline])
            parts.append(shown(net, "ratio of the speeds at which FGSM closes them", faster))
    missing = "no net followed with and without the entropy penalty in this study"
    return Finding(tuple(parts), missing, is_analogue(rows, "mnist"))


def _log_quantile(row: Row) -> Estimate:
    value = math.log(number(row, "largest_gap"))
    spread = 1.96 / ((number(row, "exponent") + 1.0) * math.sqrt(int(row["n_gaps"])))
    return Estimate(value, value - spread, value + spread, int(row["n_gaps"]))


def _exponent(row: Row) -> Estimate:
    return estimate(row, "exponent", n="n_gaps")


def _share(row: Row) -> float:
    return float(row["share"])


def _by_net(rows: list[Row]) -> dict[str, list[Row]]:
    nets: dict[str, list[Row]] = {}
    for row in rows:
        nets.setdefault(row["net"], []).append(row)
    return nets
