"""The tables of plots/<study>/theory: what the theory says of every net and attack, next to what was measured."""

from pathlib import Path

import numpy as np

from advlaw.core.io import Arrays, Cells
from advlaw.core.rng import generator
from advlaw.core.tables import write_table
from advlaw.fitting.settings import Fit
from advlaw.theory import label_blind, logit_gaps, predictions
from advlaw.theory.mean_field import by_rank, sorted_gaps
from advlaw.theory.predictions import Case
from advlaw.theory.settings import RANKS, Rays, Theory

POINTS_PER_DECADE = 12
GRID_MIN = 0.01  # of the curves, pixel units; thresholds are exact below the grid that brackets them
FOLLOWED = 10  # ranks of logits along a ray: as many classes as the paper's data have
N_IDEAL = 20_000_000
IDEAL_EPS = np.array([0.04, 0.12])
IDEAL_SPEEDS = {"constant": (None, 1.0), "falling": (5.0, 0.5)}  # slope in Delta_12, and floor


class TheoryTables:
    """Collects the rows of all nets; `add_net` begins one, `add_rays` and `add_attack` are about it."""

    def __init__(self, rays: Rays, fit: Fit, theory: Theory, seed: int) -> None:
        n_points = round(POINTS_PER_DECADE * np.log10(rays.eps_max / GRID_MIN)) + 1
        self.grid = np.geomspace(GRID_MIN, rays.eps_max, n_points)
        self.first_bracket = rays.eps_min
        self.fit, self.theory, self.seed = fit, theory, seed
        self.tables: dict[str, list[Cells]] = {}
        self.net: Cells = {}
        self.clean: Arrays = {}

    def add_net(self, name: str, clean: Arrays, epochs: dict[int, np.ndarray]) -> None:
        """`clean`: logits (N, K), label (N,) and dataset (); `epochs`: logits after these epochs of its training."""
        self.net, self.clean = {"net": name, "dataset": str(clean["dataset"])}, clean
        for epoch, logits in [*epochs.items(), (None, clean["logits"])]:
            right = logits.argmax(axis=1) == clean["label"]
            state = {"epoch": epoch, "test_accuracy": float(right.mean())}
            gaps = sorted_gaps(logits)
            for rank in range(2, min(RANKS, logits.shape[1]) + 1):
                here = gaps[:, rank - 2]
                self._add("gap_densities", logit_gaps.density(here), {**state, "rank": rank})
                for images, chosen in (("all", here), ("right", here[right])):
                    rows = logit_gaps.exponents(chosen, self.theory.cut_offs, self.fit.confidence)
                    about = {**state, "images": images, "rank": rank}
                    self._add("gap_exponents", rows, about)
                    self._add("gap_laws", [logit_gaps.law(chosen, self.fit.confidence)], about)

    def add_rays(self, arrays: Arrays) -> None:
        """Logits followed along L2 rays (Cubuk Fig. 3a), and their distance from the linear response."""
        eps, start, gamma = arrays["eps"], arrays["logits"][0], arrays["gamma"]
        linear = start + eps[:, None, None] * gamma
        ordered = [np.stack([by_rank(values, start) for values in found]) for found in (arrays["logits"], linear)]
        for i, image in enumerate(arrays["image"].tolist()):
            for j in range(min(FOLLOWED, start.shape[1])):
                columns = zip(eps.tolist(), ordered[0][:, i, j].tolist(), ordered[1][:, i, j].tolist(), strict=True)
                rows = [{"eps": e, "logit": h, "linear": straight} for e, h, straight in columns]
                self._add("followed", rows, {"image": image, "rank": j + 1})
        eps, residual = arrays["residual_eps"], arrays["residual"]
        last = eps[-1] * self.first_bracket / self.grid[-1]
        self._add("residuals", predictions.residual_rows(eps, residual, last), {})

    def add_attack(self, attack: str, found: Arrays, is_label_blind: bool) -> None:
        """One attack of n images: gamma (n, K), threshold, threshold_class, recovery and not_finite (n,), scale ()."""
        judged = ~found["not_finite"]
        kept = {name: found[name][judged] for name in ("gamma", "threshold", "threshold_class")}
        clean = {name: self.clean[name][: len(judged)][judged] for name in ("logits", "label")}
        case = Case(**clean, scale=float(found["scale"]), **kept)
        confidence, labels = self.fit.confidence, {"attack": attack}
        curves = predictions.curves(case, self.grid, confidence)
        counted = {"n_not_finite": int(found["not_finite"].sum())}
        self._add("predictions", [predictions.summary(case, confidence) | counted], labels)
        self._add("curves", curves, labels)
        self._add("agreement", predictions.agreement(curves, len(case.label), self.fit.min_errors), labels)
        self._add("deciles", predictions.deciles(case), labels)
        self._add("takeovers", predictions.takeovers(case, self.grid, confidence), labels)
        if attack == "l2":
            self._add("histograms", predictions.histogram(case), labels)
        if is_label_blind:
            self._add("ties", label_blind.by_gap(case, confidence), labels)
            self._add("near_ties", [label_blind.near_ties(case)], labels)
            rng = generator(self.seed, "label_blind", self.net["net"], attack)
            grid, recovery = self.grid, found["recovery"][judged]
            self._add("label_blind", label_blind.exponents(case, recovery, grid, self.fit, rng), labels)
            self._add("label_blind_curves", label_blind.error_counts(case, recovery, grid), labels)

    def write(self, folder: Path) -> None:
        """Every table that has rows as folder/<name>.csv."""
        self.tables["ideal"] = self._ideal()
        for name, rows in self.tables.items():
            if rows:
                write_table(folder / f"{name}.csv", rows)

    def _ideal(self) -> list[Cells]:
        """The account of label-blind attacks where its assumptions hold by construction: sampled and exact errors."""
        rows = []
        for speeds, (slope, floor) in IDEAL_SPEEDS.items():
            rng = generator(self.seed, "ideal", speeds)
            sampled = label_blind.sampled_errors(IDEAL_EPS, slope, floor, N_IDEAL, rng)
            exact = label_blind.ideal_errors(IDEAL_EPS, slope, floor)
            for i, eps in enumerate(IDEAL_EPS.tolist()):
                row: Cells = {"speeds": speeds, "eps": eps, "n_images": N_IDEAL}
                for kind, found, wanted in zip(("gross", "net"), sampled, exact, strict=True):
                    row |= {f"{kind}_sampled": found[i], f"{kind}_exact": wanted[i]}
                rows.append(row)
        return rows

    def _add(self, table: str, rows: list[Cells], labels: Cells) -> None:
        self.tables.setdefault(table, []).extend({**self.net, **labels, **row} for row in rows)
