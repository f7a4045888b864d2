"""Cubuk Fig. 1, 4a and 13: adversarial error of published nets on photographs, a curve a net, and gaps of their logits.

In Fig. 1 points are the net error (clean minus adversarial accuracy). Solid lines are the paper's, least squares
through the log-log points; dashed ones are the law that claims are judged by, the tangent of the fit as eps -> 0. Nets
that are defended have filled markers.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from advlaw.core.io import Cells
from advlaw.core.tables import Tables, groups, records
from advlaw.core.words import interval, law
from advlaw.figures.error_curves import POINTS, SMALLEST_SHOWN
from advlaw.figures.figure import Drawing, Figure, listed
from advlaw.figures.gaps import FLAT, draw_densities, exponents_seen
from advlaw.figures.style import ATTACK_NAMES, COLOURS, EPS, MARKERS, in_panels, looks
from advlaw.papers.imagenet import NASNET, PRINTED_EPS

LINE = ("exponent", "amplitude", "eps_first", "eps_last", "exponent_low", "exponent_high")
RANKS = (2, 3, 4)  # of Fig. 4a
FILLABLE, QUIET = MARKERS[:5], "#777777"
RANK_NAMES = {2: "Δ₁₂", 3: "Δ₁₃", 4: "Δ₁₄"}


@dataclass(frozen=True)
class Attacked:
    """Published nets under one attack."""

    attack: str

    def laws(self, tables: Tables) -> pd.DataFrame:
        """The exponents as eps -> 0 of every net, and the line that the paper draws, in columns `line_...`."""
        nets = tuple(tables.rows("published/nets")["net"])
        laws = tables.rows("laws/exponents", attack=self.attack, model=nets, split="test", snapshot=None)
        lines = tables.rows("exponents", kind="net", estimator="least_squares").set_index("curve")[list(LINE)]
        return laws.join(lines.add_prefix("line_"), on="curve")

    def draw(self, tables: Tables) -> Iterator[Drawing]:
        laws = self.laws(tables)
        tangents = tables.rows("laws/lines").reindex(columns=["curve", "grid_eps", "tangent"])
        tangents = tangents[tangents["curve"].isin(laws["curve"][laws["remark"] == ""])]
        rows = laws.merge(pd.concat([tables.rows("error_curves")[POINTS], tangents]), on="curve")
        panels = {
            f"{dataset}: {ATTACK_NAMES[self.attack]} ({own['n_images'].max():,} images)": partial(draw_nets, rows=own)
            for dataset, own in groups(rows, "dataset")
        }
        height = 3.6 + 0.08 * laws["model"].nunique()
        for drawing in in_panels(panels, height, "adversarial error", in_a_row=1, width=1.0, in_a_legend=2):
            yield replace(
                drawing, numbers=rows[["dataset", *POINTS, "tangent", *(f"line_{name}" for name in LINE[:4])]]
            )

    def slopes(self, tables: Tables, of: str) -> str:
        """The exponents as a law and as printed."""
        rows = records(self.laws(tables))
        laws = listed("Exponents as ε → 0, with 95 % intervals", (f"{row['model']} {law(row)}" for row in rows))
        lines = (f"{row['model']} {interval(row, 'line_exponent')}" for row in rows)
        return f"{laws} {listed('Slopes of the solid lines', lines)}"


def draw_nets(ax: Axes, rows: pd.DataFrame) -> None:
    """Points, the paper's line and the judged law of every net, undefended ones first."""
    curves = sorted(groups(rows, "curve"), key=lambda curve: curve[1]["defence"].iloc[0] != "")
    shapes = zip(itertools.cycle(COLOURS[:-1]), itertools.cycle(FILLABLE), strict=False)
    for (_, own), (colour, marker) in zip(curves, shapes, strict=False):
        about, points, tangent = records(own.head(1))[0], own.dropna(subset="net_error"), own.dropna(subset="tangent")
        points = points[points["net_error"] > 0]
        face = colour if about["defence"] else "none"
        label = label_of(about)
        ax.plot(points["grid_eps"], points["net_error"], marker, color=colour, markerfacecolor=face, label=label)
        eps = pd.Series([about["line_eps_first"], about["line_eps_last"]])
        ax.plot(eps, about["line_amplitude"] * eps ** about["line_exponent"], "-", color=colour, linewidth=0.9)
        ax.plot(tangent["grid_eps"], tangent["tangent"], "--", color=colour, linewidth=0.7)
    ax.plot([], [], "-", color=QUIET, linewidth=0.9, label="least squares, and its slope")
    ax.plot([], [], "--", color=QUIET, linewidth=0.7, label="tangent of the fit as ε → 0, of slope B")
    if any(rows["defence"]):
        ax.plot([], [], "o", color=QUIET, label="filled: trained on adversarial examples")
    errors = rows["net_error"][rows["net_error"] > 0]
    smallest = max(errors.min(), SMALLEST_SHOWN) if len(errors) else SMALLEST_SHOWN
    ax.set(xscale="log", yscale="log", ylim=(smallest / 1.5, 1.5), xlabel=EPS)
    ax.set_xlim(min(PRINTED_EPS[0], rows["grid_eps"][rows["net_error"] > 0].min()) / 1.2, 1.2 * PRINTED_EPS[1])


def label_of(row: Cells) -> str:
    """`inception_v3: 1.03; B = 0.98 [0.90, 1.07]`; why there is no law is said in the caption."""
    law_of_net = "no law" if row["remark"] else f"B = {law(row)}"
    return f"{row['model']}: {number(row['line_exponent'])}; {law_of_net}"


def number(value: float) -> str:
    return "no slope" if math.isnan(value) else f"{value:.2f}"


def draw_best(tables: Tables) -> Iterator[Drawing]:
    """The gaps of the net of Fig. 4a, or of the net that is there in its place."""
    name = _best(tables)
    rows = {net: rows for net, rows in _densities(tables) if net == name}
    panels = {net: partial(draw_densities, sets={"": own}, ranks=RANKS) for net, own in rows.items()}
    return in_panels(panels, 3.3, "density")


def draw_others(tables: Tables) -> Iterator[Drawing]:
    """The gaps of all other nets over each other, a panel for each rank."""
    others = pd.concat([pd.DataFrame(), *(rows for net, rows in _densities(tables) if net != _best(tables))])
    panels = {RANK_NAMES[rank]: partial(draw_rank, rows=rows) for rank, rows in groups(others, "rank") if rank in RANKS}
    return in_panels(panels, 3.0, "density", width=1 / 3, sharey=True)


def draw_rank(ax: Axes, rows: pd.DataFrame) -> None:
    """Log-log densities of the gaps of one rank, a curve a net; dotted: slope j - 2, of mean-field theory."""
    nets = list(groups(rows, "net"))
    for (net, own), (colour, marker) in zip(nets, looks(len(nets)), strict=False):
        ax.plot(
            own["gap"], own["density"], f"{marker}-", color=colour, markerfacecolor="none", linewidth=0.6, label=net
        )
    first = nets[0][1].sort_values("gap")
    reach = first["gap"][: max(2, len(first) // 3)]
    guide = 0.4 * first["density"].iloc[0] * (reach / reach.iloc[0]) ** (rows["rank"].iloc[0] - 2)
    ax.plot(reach, guide, ":", color=QUIET, label="slope of the theory")
    ax.set(xscale="log", yscale="log", xlabel="logit gap")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_formatter(NullFormatter())


def _densities(tables: Tables) -> Iterator[tuple[str, pd.DataFrame]]:
    nets = tuple(tables.rows("published/nets")["net"])
    return groups(tables.rows("theory/gap_densities", epoch=None, net=nets), "net")


def _best(tables: Tables) -> str:
    """NASNet-A, or else the most accurate net."""
    known = {net for net, _ in _densities(tables)}
    nets = tables.rows("published/nets")
    nets = nets[nets["net"].isin(known)].sort_values("top1", ascending=False, kind="stable")
    ordered = [*nets["net"][nets["network"] == NASNET], *nets["net"]]
    return ordered[0] if ordered else ""


FITS = (
    "Solid lines are least squares through the log-log points, as the papers fit them. Dashed lines are the tangents "
    "of the fits as ε → 0, whose slope is the exponent B that claims are judged by. Filled markers belong to nets that "
    "were trained on adversarial examples."
)
NEEDS = ("published/nets", "error_curves", "exponents", "laws/exponents")
GAPS = ("published/nets", "theory/gap_densities")


def _figure_1(letter: str, paper: str, attacked: Attacked) -> Figure:
    title = f"Adversarial error of published nets on photographs under {ATTACK_NAMES[attacked.attack]} against ε"
    seen = (attacked.slopes, FITS)
    return Figure(f"figure_1{letter}", "imagenet", title, paper, NEEDS, attacked.draw, seen, is_main=True)


FIGURES = (
    _figure_1(
        "a",
        "Cubuk Fig. 1a: below ε = 0.2 the error of all ImageNet nets under FGSM, adversarially trained ones too, "
        "follows a power law with an exponent between 0.9 and 1.1.",
        Attacked("fgsm"),
    ),
    _figure_1(
        "b",
        "Cubuk Fig. 1b: under step l.l. the exponents of ImageNet nets are between 1.8 and 2.2.",
        Attacked("step_ll"),
    ),
    Figure(
        "figure_4a",
        "imagenet",
        "Density of the gaps between the largest logit and the next ones, of a published net",
        "Cubuk Fig. 4a: for NASNet-A on ImageNet the density of Δ₁₂ is flat near zero, and those of Δ₁₃ and Δ₁₄ rise.",
        GAPS,
        draw_best,
        (exponents_seen, FLAT),
    ),
    Figure(
        "figure_13a",
        "imagenet",
        "Density of the gaps between logits, of the other published nets over each other",
        "Cubuk Fig. 13a: the distributions of gaps of other ImageNet models look like that of NASNet-A.",
        GAPS,
        draw_others,
        (exponents_seen, FLAT),
    ),
)
