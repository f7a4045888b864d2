"""All claims of a study that are judged by numbers with intervals at a glance: a row a claim, its worst part marked."""

import math
from collections.abc import Iterator
from textwrap import fill
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from advlaw.core.io import Cells
from advlaw.core.tables import Tables, groups, records
from advlaw.figures.figure import Drawing, Figure, listed
from advlaw.figures.style import TEXT_WIDTH_INCHES

ROW, AROUND = 0.25, 0.95  # inches: of a claim, and above and below all of them
FARTHEST = 4.0  # half-widths; what lies beyond is a triangle
COLOURS = {"fails": "#D55E00", "masked": "#CC79A7", "inconclusive": "#E69F00", "holds": "#009E73"}  # the worst first
ZONES = {"fails": (-FARTHEST, -1.0), "inconclusive": (-1.0, 1.0), "holds": (1.0, FARTHEST)}
MARKERS = {"as a law": "o", "as printed": "s", "straight": "D"}  # by the question about a curve
QUIET = "#777777"
NAMES, QUANTITIES, WORST = -146, -106, 6  # where columns begin, in points from the axes
LONGEST = 42  # letters of a subject
UNITS = {"": "", "percent": " %", "points": " points"}


def draw_forest(tables: Tables) -> Iterator[Drawing]:
    claims = list(groups(with_intervals(tables), "claim"))
    if not claims:
        return
    layout = ConstrainedLayoutEngine(w_pad=0.1)  # letters in a PNG may be wider than the layout takes them for
    sheet, ax = plt.subplots(figsize=(TEXT_WIDTH_INCHES, AROUND + ROW * len(claims)), layout=layout)
    scaled = set(tables.rows("claims", verdict="scaled")["claim"])
    draw_claims(ax, {f"{claim} ≈" if claim in scaled else claim: parts for claim, parts in claims})
    look: dict[str, Any] = {"color": QUIET, "linestyle": "none"}
    handles = [
        Line2D([], [], marker="o", markersize=5, markeredgecolor="black", label="worst part", **look),
        Line2D([], [], marker="o", markersize=3, alpha=0.4, label="other parts", **look),
    ]
    for question, marker in MARKERS.items():
        handles.append(Line2D([], [], marker=marker, markersize=4, markerfacecolor="white", label=question, **look))
    sheet.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    yield Drawing(sheet)


def with_intervals(tables: Tables) -> pd.DataFrame:
    """The judged parts that have one, with their `distance`, of every claim that is judged by some.

    `is_own`: the claim stands or falls by it, because it is about no curve, or answers what is asked first of curves.
    """
    parts = tables.rows("claim_parts")
    asked = parts.groupby("claim")["question"].transform("first")
    parts = parts.assign(is_own=(parts["question"] == "") | (parts["question"] == asked))
    has_interval = (parts["low"] < parts["high"]) & parts["value"].between(parts["low"], parts["high"])
    has_range = parts["allowed_low"].notna() | parts["allowed_high"].notna()
    parts = parts[(parts["verdict"] != "") & has_interval & has_range]
    parts = parts[parts.groupby("claim")["is_own"].transform("any")]
    return parts.assign(distance=[distance(part) for part in records(parts)])


def distance(part: Cells) -> float:
    """From the nearer end of what is allowed, in half-widths of the interval towards it: 1 where all of it is just
    inside, -1 where all of it is just outside, 0 where the value is at the end."""
    below, above = part["value"] - part["low"], part["high"] - part["value"]
    found = []
    for room, towards, away in (
        (part["value"] - part["allowed_low"], below, above),
        (part["allowed_high"] - part["value"], above, below),
    ):
        if not math.isnan(room):
            half = towards if room >= 0 else away
            found.append(room / half if half > 0 else math.copysign(math.inf, room))
    return min(found)


def worst(parts: pd.DataFrame) -> Cells:
    """Of the worst verdict the part that is nearest to failing."""
    places = parts["verdict"].map(list(COLOURS).index)
    return records(parts.assign(place=places).sort_values(["place", "distance"], kind="stable").head(1))[0]


def draw_claims(ax: Axes, claims: dict[str, pd.DataFrame]) -> None:
    """From top to bottom; to the left each claim and the quantity of its worst part, to the right its numbers."""
    ax.set(xlim=(-FARTHEST, FARTHEST), ylim=(len(claims) - 0.5, -0.5))
    ax.set(xlabel="distance from the end of what is allowed, in half-widths of the interval")
    for verdict, (left, right) in ZONES.items():
        ax.axvspan(left, right, color=COLOURS[verdict], alpha=0.12, linewidth=0, zorder=0)
        ax.text((left + right) / 2, -0.62, verdict, ha="center", va="bottom", fontsize=7)
    ax.set_yticks(range(len(claims)), list(claims), ha="left", fontweight="bold")
    ax.tick_params("y", length=0, pad=-NAMES)
    ax.grid(visible=False)
    _write(ax, -0.75, ("parts", "quantity", "the worst part"), QUIET)
    for y, parts in enumerate(claims.values()):
        own = parts[parts["is_own"]]
        for part in records(own):
            draw_part(ax, y, part, markersize=3, alpha=0.35, markeredgewidth=0)
        for _, others in groups(parts[~parts["is_own"]], "question"):
            draw_part(ax, y, worst(others), markersize=4, markerfacecolor="white")
        part = worst(own)
        draw_part(ax, y, part, markersize=5, markeredgecolor="black")
        subject = part["subject"] if len(part["subject"]) <= LONGEST else f"{part['subject'][: LONGEST - 1]}…"
        _write(ax, y, (str(len(own)), fill(part["quantity"], 32), f"{subject}\n{numbers(part)}"), "black")


def _write(ax: Axes, y: float, texts: tuple[str, str, str], colour: str) -> None:
    """The columns beside the axes: how many parts, of which quantity, and the worst one's numbers."""
    look: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "color": colour}
    look |= {"fontsize": 6, "va": "center", "linespacing": 1.1}
    places = ((0.0, QUANTITIES - 6, "right"), (0.0, QUANTITIES, "left"), (1.0, WORST, "left"))
    for text, (at, offset, side) in zip(texts, places, strict=True):
        ax.annotate(text, (at, y), (offset, 0), ha=side, **look)


def draw_part(ax: Axes, y: int, part: Cells, **look: Any) -> None:
    """A marker at a part's distance, or a triangle at the end of the axis."""
    at, colour = part["distance"], COLOURS[part["verdict"]]
    marker = "<" if at < -FARTHEST else ">" if at > FARTHEST else MARKERS.get(part["question"], "o")
    ax.plot(np.clip(at, -FARTHEST, FARTHEST), y, marker, color=colour, clip_on=False, **look)


def numbers(part: Cells) -> str:
    """`1.69 [1.56, 1.84]; allowed 0.9 to 1.3`, shares in percent."""
    factor, digits = (100.0, 1) if part["unit"] else (1.0, 2)
    value, low, high = (f"{factor * part[name]:z.{digits}f}" for name in ("value", "low", "high"))
    least, most = (f"{factor * part[name]:.3g}" for name in ("allowed_low", "allowed_high"))
    allowed = f"above {least}" if most == "nan" else f"at most {most}" if least == "nan" else f"{least} to {most}"
    return f"{value} [{low}, {high}]{UNITS[part['unit']]}; allowed {allowed}"


def _others(tables: Tables, of: str) -> str:
    """The claims that are judged, but by no number with an interval."""
    shown = set(with_intervals(tables)["claim"])
    told = (row for row in records(tables.rows("claims")) if row["n_parts"] and row["claim"] not in shown)
    return listed("Judged without an interval, and not here", (f"{row['claim']} {row['verdict']}" for row in told))


FIGURES = (
    Figure(
        "forest_claims",
        "overview",
        "All claims that are judged by numbers with intervals",
        "Each claim is a range, or a bound, that the papers state or imply; the table of claims has their words.",
        ("claim_parts", "claims"),
        draw_forest,
        (
            "A row for each claim, a dot for each of its parts: how far it is from the nearer end of what the claim "
            "allows, in half-widths of its interval. From 1 on the whole interval is inside, below −1 all of it is "
            "outside. The large dot is the part by which the claim stands or falls, with its numbers on the right; "
            "open marks are the worst on other questions about the same curves. Colours are verdicts, and a rule may "
            "leave open what one interval would not: where many are judged together, or a fit is poor. ≈: on a smaller "
            "analogue. Triangles lie beyond the axis.",
            _others,
        ),
        is_main=True,
    ),
)
