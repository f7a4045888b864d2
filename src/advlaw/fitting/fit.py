"""Exponents of one curve with bootstrap intervals, and the curve itself with pointwise ones."""

import numpy as np
from scipy.stats import chi2

from advlaw.core.io import Cells
from advlaw.fitting.moments import Moments, patterns
from advlaw.fitting.outcomes import Outcomes
from advlaw.fitting.power_law import ESTIMATORS, Range, choose_range, local_slope, n_nonpositive
from advlaw.fitting.settings import Fit
from advlaw.fitting.thresholds import thresholds

KINDS = ("gross", "net")
HALF_WIDTH = 2
MIN_EXPECTED = 5.0
HUGE = 1e300


class Fitted:
    """One curve, its moments and those of its bootstrap samples."""

    def __init__(self, outcomes: Outcomes, settings: Fit, rng: np.random.Generator) -> None:
        self.settings = settings
        images = patterns(outcomes)
        self.sample = images.sample()
        self.top5, self.gaps, self.thresholds = outcomes.top5, outcomes.gaps, thresholds(outcomes)
        self.replicates = images.bootstrap(settings.bootstrap, rng)
        self.range = self._choose(self.sample)
        self.replicate_range = self._choose(self.replicates)

    def exponents(self) -> list[Cells]:
        """A row for every (gross, net) x (maximum likelihood, least squares)."""
        return [self._exponent(kind, estimator) for kind in KINDS for estimator in ESTIMATORS]

    def curve(self) -> list[Cells]:
        """A row for every eps: accuracies (top 1 and 5), gross and net error, each error with a pointwise interval."""
        top1 = (self.sample.n_right - self.sample.net[0]) / self.sample.n_images
        columns = zip(self.sample.eps.tolist(), top1.tolist(), self.top5.tolist(), strict=True)
        rows: list[Cells] = [{"eps": eps, "accuracy": a, "top5_accuracy": b} for eps, a, b in columns]
        for kind in KINDS:
            low, high = self._interval(getattr(self.replicates, kind) / self.sample.n_images)
            error = getattr(self.sample, kind)[0] / self.sample.n_images
            for i, row in enumerate(rows):
                row |= {f"{kind}_error": error[i], f"{kind}_low": low[i], f"{kind}_high": high[i]}
        return rows

    def slopes(self) -> list[Cells]:
        """The local slope of the net curve with its interval, wherever its lower end has `min_errors` errors."""
        counts, eps = self.sample.net, self.sample.eps
        slope = local_slope(counts, eps, HALF_WIDTH)[0]
        low, high = self._interval(local_slope(self.replicates.net, eps, HALF_WIDTH))
        inner = range(HALF_WIDTH, len(eps) - HALF_WIDTH)
        return [
            {"eps": float(eps[i]), "slope": slope[i], "low": low[i], "high": high[i]}
            for i in inner
            if counts[0, i - HALF_WIDTH] >= self.settings.min_errors
        ]

    def _choose(self, moments: Moments) -> Range:
        settings = self.settings
        return choose_range(moments, settings.min_errors, settings.max_error, settings.eps_last)

    def _exponent(self, kind: str, estimator: str) -> Cells:
        fit = ESTIMATORS[estimator]
        point, spread = fit(self.sample, kind, self.range), fit(self.replicates, kind, self.replicate_range)
        b_low, b_high = self._interval(spread.b)
        a_low, a_high = self._interval(spread.a)
        has_range = bool(self.range.has_points[0])
        first, last = int(self.range.first[0]), int(self.range.last[0])
        counts = getattr(self.sample, kind)[0]
        p_value = self._chi2_p_value(kind, float(point.b[0])) if estimator == "mean_slope" else None
        return {
            "kind": kind,
            "estimator": estimator,
            "exponent": float(point.b[0]),
            "exponent_low": float(b_low),
            "exponent_high": float(b_high),
            "amplitude": float(point.a[0]),
            "amplitude_low": float(a_low),
            "amplitude_high": float(a_high),
            "eps_first": self.sample.eps[first] if has_range else None,
            "eps_last": self.sample.eps[last] if has_range else None,
            "n_points": last - first + 1 if has_range else 0,
            "n_nonpositive": int(n_nonpositive(self.sample, kind, self.range)[0]) if has_range else 0,
            "n_errors": int(counts[last]) if has_range else 0,
            "n_images": self.sample.n_images,
            "clean_accuracy": self.sample.n_right[0] / self.sample.n_images,
            "r_squared": point.r_squared[0],
            "chi2_p_value": p_value,
            "bootstrap_without_fit": int(np.isnan(spread.b).sum()),
        }

    def _interval(self, replicates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Percentile interval over the first axis; NaN where under half of the replicates have a value.

        Those that have none may be anything: they count as lowest for the lower end and as highest for the upper one,
        which is then none.
        """
        tail = 0.5 * (1.0 - self.settings.confidence)
        known = ~np.isnan(replicates)
        usable = known.mean(axis=0) > 0.5
        low = np.quantile(np.where(known, replicates, -HUGE), tail, axis=0)
        high = np.quantile(np.where(known, replicates, HUGE), 1.0 - tail, axis=0)
        is_low, is_high = usable & (low > -HUGE / 1e9), usable & (high < HUGE / 1e9)
        return np.where(is_low, low, np.nan), np.where(is_high, high, np.nan)

    def _chi2_p_value(self, kind: str, exponent: float) -> float | None:
        """Whether the gross counts between grid points up to e0 are those of the fitted law (Pearson).

        Neighbouring intervals are joined until 5 errors are expected in each. Net counts are differences of
        dependent counts, for which this is no test.
        """
        if kind != "gross" or np.isnan(exponent):
            return None
        last = int(self.range.last[0])
        counts = self.sample.gross[0, : last + 1]
        edges, total = self.sample.eps[: last + 1], counts[-1]
        expected = total * (edges / edges[-1]) ** exponent
        kept, below = [], 0.0
        for i, value in enumerate(expected):
            if value - below >= MIN_EXPECTED:
                kept.append(i)
                below = value
        if len(kept) < 3:
            return None
        kept[-1] = last
        observed, wanted = np.diff(counts[kept], prepend=0.0), np.diff(expected[kept], prepend=0.0)
        return float(chi2.sf(((observed - wanted) ** 2 / wanted).sum(), len(kept) - 2))
