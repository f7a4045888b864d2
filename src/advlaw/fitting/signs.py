"""Whether a change breaks an image or repairs it: the odds fall to even as eps -> 0 under attacks that know no label.

P(broken | a change of size u) has the log-odds beta u^D. If all changes have a rate of eps^(B-1), the net error, broken
minus repaired, goes as eps^(B + D).
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import chi2

LARGEST = 8.0  # D is looked for below
STEPS = 60
FEWEST = 10  # changes of either kind


@dataclass(frozen=True)
class Odds:
    """D with its profile interval; `intercept` of log-odds that are a line in u, and the p value of its being 0."""

    d: float
    low: float
    high: float
    beta: float
    intercept: float
    p_even: float
    covariance: np.ndarray  # (2, 2), of beta and D

    def scores(self, u: np.ndarray, is_wrong: np.ndarray) -> np.ndarray:
        """How far each change (n,) moves D."""
        x = u**self.d
        residual = is_wrong - 1.0 / (1.0 + np.exp(-self.beta * x))
        score = residual[:, None] * np.stack([x, self.beta * x * np.log(u)], axis=1)
        return score @ self.covariance[1]


def fit(u: np.ndarray, wrong: np.ndarray, right: np.ndarray, confidence: float = 0.95) -> Odds | None:
    """Of changes of sizes u (c,), so many (c,) to wrong and to right; None of fewer than FEWEST of either kind."""
    if min(wrong.sum(), right.sum()) < FEWEST:
        return None
    grid = np.linspace(0.0, LARGEST, 33)  # weak odds have likelihoods of several maxima
    values = np.array([_at(u**value, wrong, right)[0] for value in grid])
    around = np.clip(values.argmax() + np.array([-1, 1]), 0, len(grid) - 1)
    found = minimize_scalar(lambda value: -_at(u**value, wrong, right)[0], bounds=grid[around], method="bounded")
    d, best = float(found.x), -float(found.fun)
    limit = float(chi2.ppf(confidence, 1)) / 2.0

    def drop(value: float) -> float:
        return best - _at(u**value, wrong, right)[0] - limit

    within = [d, *grid[best - values < limit]]
    below, above = grid[grid < min(within)], grid[grid > max(within)]
    low = float(brentq(drop, below[-1], min(within))) if len(below) else 0.0
    high = float(brentq(drop, max(within), above[0])) if len(above) else math.inf
    line = _logistic(np.stack([np.ones_like(u), u], axis=1), wrong, right)
    even = _logistic(u[:, None], wrong, right)
    p_even = float(chi2.sf(max(0.0, 2.0 * (line[0] - even[0])), 1))
    beta = _at(u**d, wrong, right)[1]
    return Odds(d, low, high, beta, float(line[1][0]), p_even, _covariance(u, wrong + right, beta, d))


def _covariance(u: np.ndarray, total: np.ndarray, beta: float, d: float) -> np.ndarray:
    x = u**d
    share = 1.0 / (1.0 + np.exp(-beta * x))
    slope = np.stack([x, beta * x * np.log(u)], axis=1)
    return np.linalg.pinv(slope.T @ (slope * (total * share * (1.0 - share))[:, None]))


def _at(x: np.ndarray, wrong: np.ndarray, right: np.ndarray) -> tuple[float, float]:
    """The log likelihood of the best beta for log-odds beta x, and it."""
    value, beta = _logistic(x[:, None], wrong, right)
    return value, float(beta[0])


def _logistic(x: np.ndarray, wrong: np.ndarray, right: np.ndarray) -> tuple[float, np.ndarray]:
    """Newton's method for log-odds x (c, p) beta; the log likelihood, and beta."""
    beta, total = np.zeros(x.shape[1]), wrong + right
    best = _likelihood(x, beta, wrong, right)
    for _ in range(STEPS):
        share = 1.0 / (1.0 + np.exp(-np.clip(x @ beta, -500, 500)))
        gradient = x.T @ (wrong - total * share)
        information = x.T @ (x * (total * share * (1.0 - share))[:, None]) + 1e-12 * np.eye(x.shape[1])
        step = np.linalg.solve(information, gradient)
        if gradient @ step < 1e-10:
            break
        size = 1.0
        while size > 1e-8 and _likelihood(x, beta + size * step, wrong, right) <= best:
            size /= 2
        beta = beta + size * step
        best = _likelihood(x, beta, wrong, right)
    return best, beta


def _likelihood(x: np.ndarray, beta: np.ndarray, wrong: np.ndarray, right: np.ndarray) -> float:
    log_odds = x @ beta
    return float(-(wrong @ np.logaddexp(0.0, -log_odds) + right @ np.logaddexp(0.0, log_odds)))
