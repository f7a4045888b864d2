"""How well exponents are estimated where they are known: by small_eps, by the mean slope and by least squares.

    python benchmarks/coverage.py [--draw]          # half an hour on one core; --draw only draws what was found
writes  benchmarks/coverage.csv  ·  benchmarks/coverage.svg and .png

A row says what many samples of one truth and size gave: mean and spread of the estimates, how often the interval of
95 % holds the true exponent (with 300 samples known to 1.3 %) and how often it excludes 1, of the samples that have an
estimate (`without`: the share that has none). As for measured curves, the range is the largest of 10, 5, 2 and 1 %
whose fit is not rejected (`rejected`: how often that is not the first one).
"""

import argparse
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from advlaw.core.io import Cells
from advlaw.core.tables import chosen, read_table, records, write_table
from advlaw.figures.style import COLOURS, MARKERS, RC, TEXT_WIDTH_INCHES, save
from advlaw.fitting import small_eps
from advlaw.fitting.changes import GROSS_SHARES, Changes, up_to
from advlaw.fitting.fit import Fitted
from advlaw.fitting.outcomes import Outcomes
from advlaw.fitting.pooled import pool
from advlaw.fitting.settings import Fit
from advlaw.fitting.small_eps import PRIOR, REJECTED
from advlaw.fitting.truths import FACTORS, LIKE_NETS, Factor, changes, label_blind, thresholds
from advlaw.tables.laws import NET_SHARES, law_up_to

HERE = Path(__file__).parent
CONFIDENCE = 0.95
EXPONENTS, SIZES = (1.0, 1.2, 1.5, 2.0), (540, 10_000, 50_000)
SAMPLES, FEWER, FEWEST = 300, 150, 40
PRIORS = {"small_eps": PRIOR, "half prior": PRIOR / 2, "double prior": PRIOR * 2}
OLD = {"mean slope": "mean_slope", "least squares": "least_squares"}
OLD_SETTINGS = Fit(min_errors=10, max_error=0.1, bootstrap=200, confidence=CONFIDENCE, headline=[])
GRID = np.geomspace(0.01, 64.0, 40)
POOLED_NETS, POOLED_IMAGES = 30, 10_000

Estimate = tuple[float, float, float, float, bool]  # exponent, interval; standard error (or NaN); was a fit rejected?
Sample = dict[str, Estimate | None]  # by its estimator; None where it has none


def by_small_eps(known: Changes, of_net: bool, prior: float = PRIOR) -> Estimate | None:
    """In the largest range whose fit is not rejected."""
    was_rejected = False
    for share in NET_SHARES if of_net else GROSS_SHARES:
        found = law_up_to(known, share, of_net, CONFIDENCE, prior)
        if found is not None and found.law.p_fit >= REJECTED:
            b, low, high = (found.numbers[f"exponent{end}"] for end in ("", "_low", "_high"))
            error = math.nan if of_net else found.law.standard_error
            return b, low or 0.0, math.inf if high is None else high, error, was_rejected
        was_rejected |= found is not None
    return None


def by_old(found: Outcomes, kind: str, rng: np.random.Generator) -> Sample:
    """The mean slope up to 10 % and least squares, with the bootstrap over images that they have always had."""
    fitted = Fitted(found, OLD_SETTINGS, rng)
    rows = {row["estimator"]: row for row in fitted.exponents() if row["kind"] == kind}
    values = {name: [rows[key][f"exponent{end}"] for end in ("", "_low", "_high")] for name, key in OLD.items()}
    return {name: None if math.isnan(sum(ends)) else (*ends, math.nan, False) for name, ends in values.items()}


def as_outcomes(found: Changes) -> Outcomes:
    n_wrong, n_right = len(found.wrong), len(found.right)
    events = np.full(found.n_images, np.inf)
    events[:n_wrong], events[found.n_right : found.n_right + n_right] = found.wrong, found.right
    was_right = np.arange(found.n_images) < found.n_right
    changed = events <= GRID[:, None]
    signs = np.where(was_right, 1.0, -1.0)
    net, top5 = (changed * signs).astype(np.int8), np.ones(len(GRID))
    return Outcomes(GRID, was_right, net, changed & was_right, events, signs, top5, np.zeros(0))


def of_factor(
    factor: Factor, exponent: float, n_images: int, estimators: str
) -> Callable[[np.random.Generator], Sample]:
    """`estimators`: the recommended, also with other priors, or the old ones."""

    def sample(rng: np.random.Generator) -> Sample:
        found = changes(thresholds(factor, exponent, n_images, rng), n_images)
        if estimators == "old":
            return by_old(as_outcomes(found), "gross", rng)
        priors = PRIORS if estimators == "priors" else {"small_eps": PRIOR}
        return {name: by_small_eps(found, False, prior) for name, prior in priors.items()}

    return sample


def of_net_errors(n_images: int, is_old: bool) -> Callable[[np.random.Generator], Sample]:
    def sample(rng: np.random.Generator) -> Sample:
        found = label_blind(n_images, rng)
        return by_old(as_outcomes(found), "net", rng) if is_old else {"small_eps": by_small_eps(found, True)}

    return sample


def of_nets(factors: Sequence[Factor]) -> Callable[[np.random.Generator], Sample]:
    """Nets in turn of these factors, as one sample and by the mean of their estimates, weighed by their precisions."""

    def sample(rng: np.random.Generator) -> Sample:
        laws = []
        for i in range(POOLED_NETS):
            flips = thresholds(factors[i % len(factors)], 1.0, POOLED_IMAGES, rng)
            in_range = up_to(changes(flips, POOLED_IMAGES), 0.1, False)
            law = small_eps.fit(in_range.sizes) if in_range else None
            assert law is not None
            laws.append(law)
        found = pool(laws)
        assert found is not None
        weight = np.array([law.standard_error**-2 for law in laws])
        mean, error = float(weight @ [law.b for law in laws] / weight.sum()), float(weight.sum() ** -0.5)
        law = found.law
        return {
            "pooled": (law.b, law.low, law.high, law.standard_error, law.p_fit < REJECTED),
            "averaged": (mean, mean - 1.96 * error, mean + 1.96 * error, error, False),
        }

    return sample


def rows_of(
    truth: str, exponent: float, n_images: int, n_samples: int, sample: Callable[[np.random.Generator], Sample]
) -> Iterator[Cells]:
    """A row for every estimator; the same samples whatever is estimated from them."""
    start, rng = time.monotonic(), np.random.default_rng([n_images, round(10 * exponent)])
    found = [sample(rng) for _ in range(n_samples)]
    for estimator in found[0]:
        known = [values for one in found if (values := one[estimator]) is not None]
        b, low, high, error, rejected = np.array(known).reshape(-1, 5).T if known else np.full((5, 1), np.nan)
        half = np.median(high - low) / 2
        row = {
            "truth": truth,
            "estimator": estimator,
            "true_exponent": exponent,
            "n_images": n_images,
            "n_samples": n_samples,
            "without": 1 - len(known) / n_samples,
            "rejected": float(rejected.mean()),
            "bias": float(b.mean() - exponent),
            "spread": float(b.std()),
            "standard_error": float(np.median(error)) if not np.isnan(error).any() else None,
            "coverage": float(((low <= exponent) & (exponent <= high)).mean()),
            "half_width": float(half) if math.isfinite(half) else None,
            "excludes_1": float(((low > 1) | (high < 1)).mean()),
        }
        numbers = "  ".join(f"{value:7.3f}" for value in list(row.values())[6:] if value is not None)
        print(
            f"{truth:12} {estimator:14} {exponent:g} {n_images:6}  {numbers}  {time.monotonic() - start:.0f} s",
            flush=True,
        )
        yield row


def simulated() -> Iterator[Cells]:
    for n_images in SIZES:
        for truth, factor in FACTORS.items():
            for exponent in EXPONENTS:
                is_like_a_net = truth in LIKE_NETS
                estimators = "priors" if is_like_a_net and exponent == 1.0 else "small_eps"
                n_samples = SAMPLES if is_like_a_net else FEWER
                yield from rows_of(
                    truth, exponent, n_images, n_samples, of_factor(factor, exponent, n_images, estimators)
                )
            yield from rows_of(truth, 1.0, n_images, FEWEST, of_factor(factor, 1.0, n_images, "old"))
        yield from rows_of("net errors", 2.0, n_images, FEWER, of_net_errors(n_images, False))
        yield from rows_of("net errors", 2.0, n_images, FEWEST, of_net_errors(n_images, True))
    for truth, names in (("30 fc nets", ["fc"]), ("30 nets", ["fc", "cnn", "linear"])):
        yield from rows_of(truth, 1.0, POOLED_IMAGES, FEWER, of_nets([FACTORS[name] for name in names]))


def draw() -> None:
    """Coverage of an exponent of 1 by truth and estimator, one panel for each number of images."""
    frame = chosen(read_table(HERE / "coverage.csv"), true_exponent=1.0)
    with plt.rc_context(RC):
        sheet, axes = plt.subplots(1, len(SIZES), figsize=(TEXT_WIDTH_INCHES, 2.1), sharey=True)
        for ax, n_images in zip(axes, SIZES, strict=True):
            ax.axhline(CONFIDENCE, color="#999999", linewidth=0.8)
            for estimator, colour, marker in zip(("small_eps", *OLD), COLOURS, MARKERS, strict=False):
                rows = records(chosen(frame, estimator=estimator, n_images=n_images, truth=tuple(FACTORS)))
                ax.plot([row["truth"] for row in rows], [row["coverage"] for row in rows], marker, color=colour)
            ax.set_title(f"{n_images:,} images")
            ax.tick_params(axis="x", rotation=60)
        axes[0].set_ylabel("intervals that hold 1")
        labels = ["as ε → 0", "mean slope up to 10 %", "least squares"]
        sheet.legend(axes[0].get_lines()[1:], labels, loc="outside lower center", ncols=3)
        save(sheet, HERE / "coverage")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draw", action="store_true", help="only draw what was found")
    if not parser.parse_args().draw:
        write_table(HERE / "coverage.csv", simulated())
    draw()


if __name__ == "__main__":
    main()
