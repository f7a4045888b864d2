"""All claims of a study that are judged by numbers with intervals at a glance: a row a claim, its worst part marked."""

import math
from collections.abc import Iterator
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from advlaw.core.io import Cells
from advlaw.core.tables import Tables, chosen, groups, records
from advlaw.figures.figure import Drawing, Figure, listed
from advlaw.figures.style import TEXT_WIDTH_INCHES

ROW, AROUND = 0.25, 0.95  # inches: of a claim, and above and below all of them
FARTHEST = 4.0  # half-widths; what lies beyond is an arrow
COLOURS = {"fails": "#D55E00", "masked": "#CC79A7", "inconclusive": "#E69F00", "holds": "#009E73"}  # the worst first
ZONES = {"fails": (-FARTHEST, -1.0), "inconclusive": (-1.0, 1.0), "holds": (1.0, FARTHEST)}
NAMES, QUANTITIES = -146, -106  # where the columns on the left begin, in points from the axes
LONGEST = 44  # letters of a subject
SMALL = {"fontsize": 6, "va": "center", "linespacing": 1.1}
UNITS = {"": "", "percent": " %", "points": " points"}


def draw_forest(tables: Tables) -> Iterator[Drawing]:
    parts = judged(tables)
    rows = list(groups(parts, "claim"))
    if not rows:
        return
    sheet, ax = plt.subplots(figsize=(TEXT_WIDTH_INCHES, AROUND + ROW * len(rows)))
    scaled = set(tables.rows("claims", verdict="scaled")["claim"])
    draw_claims(ax, [(f"{claim} ≈" if claim in scaled else claim, own) for claim, own in rows])
    looks = {"color": "#777777", "linestyle": "none"}
    handles = (
        Line2D([], [], marker="o", markersize=5, markeredgecolor="black", label="worst part", **looks),
        Line2D([], [], marker="o", markersize=3, alpha=0.4, label="other parts", **looks),
        Line2D([], [], marker="s", markersize=4, markerfacecolor="white", label="worst as printed", **looks),
    )
    sheet.legend(handles=handles, loc="outside lower center", ncols=3)
    yield Drawing(sheet)


def judged(tables: Tables) -> pd.DataFrame:
    """The parts that have an interval and a verdict, ours or that by the papers' estimator, with their `distance`."""
    parts = tables.rows("claim_parts")
    is_told = (parts["verdict"] != "") | (parts["least_squares"] != "")
    parts = parts[is_told & (parts["low"] <= parts["value"]) & (parts["high"] >= parts["value"])]
    parts = parts[(parts["low"] < parts["high"]) & (parts["allowed_low"].notna() | parts["allowed_high"].notna())]
    return parts.assign(distance=[distance(row) for row in records(parts)])


def distance(part: Cells) -> float:
    """From the nearer end of what is allowed, in half-widths of the interval: 1 where all of it is just inside, -1 just
    outside, 0 where the value is at the end."""
    value, low, high = part["value"], part["low"], part["high"]
    found = []
    for inside, below, above in (
        (value - part["allowed_low"], value - low, high - value),
        (part["allowed_high"] - value, high - value, value - low),
    ):
        if not math.isnan(inside):
            half = below if inside >= 0 else above
            found.append(inside / half if half > 0 else math.copysign(math.inf, inside))
    return min(found)


def worst(parts: pd.DataFrame, verdict: str) -> Cells | None:
    """The part by whose verdict a claim stands or falls, of the worst verdict the one nearest to failing."""
    order = parts.assign(place=parts[verdict].map(list(COLOURS).index)).sort_values(["place", "distance"], kind="stable")
    return records(order.head(1))[0] if len(order) else None


def draw_claims(ax: Axes, claims: list[tuple[str, pd.DataFrame]]) -> None:
    """From top to bottom; to the left each claim and the quantity of its worst part, to the right its numbers."""
    ax.set(xlim=(-FARTHEST, FARTHEST), ylim=(len(claims) - 0.5, -0.5))
    ax.set(xlabel="distance from the end of what is allowed, in half-widths of the interval")
    for verdict, (left, right) in ZONES.items():
        ax.axvspan(left, right, color=COLOURS[verdict], alpha=0.12, linewidth=0, zorder=0)
        ax.text((left + right) / 2, -0.62, verdict, ha="center", va="bottom", fontsize=7)
    ax.set_yticks(range(len(claims)), [claim for claim, _ in claims])
    ax.tick_params("y", length=0, pad=-NAMES)
    ax.grid(visible=False)
    for label in ax.get_yticklabels():
        label.set(ha="left", fontweight="bold")
    place = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", **SMALL}
    for text, at, offset in (("parts", 0.0, QUANTITIES - 22), ("quantity", 0.0, QUANTITIES), ("the worst part", 1.0, 6)):
        ax.annotate(text, (at, -0.75), (offset, 0), color="#777777", **place)
    for y, (_, parts) in enumerate(claims):
        own, printed = parts[parts["verdict"] != ""], parts[parts["least_squares"] != ""]
        for part in records(own):
            draw_part(ax, y, part["distance"], COLOURS[part["verdict"]], markersize=3, alpha=0.35, markeredgewidth=0)
        if least := worst(printed, "least_squares"):
            draw_part(ax, y, least["distance"], COLOURS[least["least_squares"]], "s", 4, markerfacecolor="white")
        if found := worst(own, "verdict"):
            draw_part(ax, y, found["distance"], COLOURS[found["verdict"]], markersize=5, markeredgecolor="black")
            ax.annotate(f"{len(own)}", (0.0, y), (QUANTITIES - 6, 0), ha="right", **place)
            ax.annotate(fill(found["quantity"], 32), (0.0, y), (QUANTITIES, 0), **place)
            ax.annotate(f"{_cut(found['subject'])}\n{numbers(found)}", (1.0, y), (6, 0), **place)


def _cut(subject: str) -> str:
    return subject if len(subject) <= LONGEST else f"{subject[: LONGEST - 1]}…"


def draw_part(
    ax: Axes, y: int, at: float, colour: str, marker: str = "o", markersize: float = 3, **look: float | str
) -> None:
    """A marker at a distance, or an arrow at the end of the axis."""
    arrow = "<" if at < -FARTHEST else ">" if at > FARTHEST else marker
    ax.plot(np.clip(at, -FARTHEST, FARTHEST), y, arrow, markersize=markersize, color=colour, clip_on=False, **look)


def numbers(part: Cells) -> str:
    """`1.69 [1.56, 1.84]; allowed 0.90 to 1.30`, shares in percent."""
    factor, digits = (100.0, 1) if part["unit"] else (1.0, 2)
    names = ("value", "low", "high", "allowed_low", "allowed_high")
    value, low, high, least, most = (f"{factor * part[name]:z.{digits}f}" for name in names)
    allowed = f"above {least}" if most == "nan" else f"at most {most}" if least == "nan" else f"{least} to {most}"
    return f"{value} [{low}, {high}]{UNITS[part['unit']]}; allowed {allowed}"


def _others(tables: Tables, of: str) -> str:
    """The claims that are judged, but by no number with an interval."""
    shown = set(judged(tables)["claim"])
    told = (row for row in records(tables.rows("claims")) if row["n_parts"] and row["claim"] not in shown)
    return listed("Judged without an interval, and not here", (f"{row['claim']} {row['verdict']}" for row in told))


FIGURES = (
    Figure(
        "forest_claims",
        "overview",
        "All claims that are judged by numbers with intervals",
        "Each claim is a range, or a bound, that the papers state or imply; the table above has their words.",
        ("claim_parts", "claims"),
        draw_forest,
        (
            "A row for each claim, a dot for each of its parts. A dot lies as far from the nearer end of what the "
            "claim allows as the interval's half-width goes into it: at 1 and beyond the whole interval is inside, at "
            "−1 and beyond all of it outside, between them the end is in it. The large dot is the part by which the "
            "claim stands or falls, whose numbers are on the right; its colour is its verdict, which a rule may leave "
            "open although the numbers alone would not. Squares: by the papers' own estimator. ≈: on a smaller "
            "analogue. Triangles lie beyond the axis.",
            _others,
        ),
        is_main=True,
    ),
)
