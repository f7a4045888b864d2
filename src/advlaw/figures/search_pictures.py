"""Cubuk Fig. 8 and 15: adversarial images that fool the best net of a search, and some that do not."""

from base64 import b64decode
from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from advlaw.core.io import Cells
from advlaw.core.tables import Tables, chosen, records
from advlaw.figures.figure import Drawing, Figure
from advlaw.figures.search import GREEN, RED, name_of
from advlaw.figures.style import TEXT_WIDTH_INCHES
from advlaw.papers.names import class_name

ROLES = {"fooled": "fooled", "withstood": "not fooled", "baseline": "baseline"}
ASIDE = 2  # classes in a row, each with its three images
GAP = 0.3  # between them, in images


def draw_pictures(tables: Tables) -> Iterator[Drawing]:
    """A grid of images for each set of pictures."""
    for about in records(tables.rows("pictures/sets")):
        rows = tables.rows(f"pictures/{about['set']}")
        if not rows.empty:
            yield _grid(about, rows)


def _grid(about: Cells, rows: pd.DataFrame) -> Drawing:
    """A class after another, the first half on the left."""
    classes = sorted(rows["class_number"].unique())
    height = -(-len(classes) // ASIDE)
    widths = [*[1.0] * len(ROLES), GAP] * (ASIDE - 1) + [1.0] * len(ROLES)
    sheet, axes = plt.subplots(
        height, len(widths), figsize=(TEXT_WIDTH_INCHES, 1.12 * height + 0.7), squeeze=False, width_ratios=widths
    )
    for ax in axes.flat:
        ax.set_axis_off()
    for ax in axes[:, len(ROLES) :: len(ROLES) + 1].flat:
        ax.set_visible(False)
    for place, number in enumerate(classes):
        first = place // height * (len(ROLES) + 1)
        for column, (role, title) in enumerate(ROLES.items()):
            ax = axes[place % height, first + column]
            found = records(chosen(rows, class_number=number, role=role))
            if found:
                _draw_image(ax, found[0], about["dataset"])
            else:
                ax.imshow(np.ones((1, 1, 3)))
                ax.text(0, 0, "none", ha="center", va="center", fontsize=7)
            if place % height == 0:
                ax.set_title(title)
        axes[place % height, first].text(
            -0.1, 0.5, class_name(about["dataset"], int(number)), rotation=90, ha="right", va="center",
            transform=axes[place % height, first].transAxes,
        )  # fmt: skip
    sheet.suptitle(f"{about['net']}, and {about['baseline']} as its baseline: {_attack(about)}", fontsize=8)
    frames = [
        Patch(fill=False, edgecolor=colour, linewidth=2, label=word)
        for word, colour in (("right", GREEN), ("wrong", RED))
    ]
    sheet.legend(
        handles=frames,
        loc="outside lower center",
        ncols=2,
        title="below an image: what the net says of it",
        title_fontsize=7,
    )
    return Drawing(sheet, about["set"])


def _draw_image(ax: Axes, row: Cells, dataset: str) -> None:
    """An image in a frame whose colour says whether the net's answer, below it, is right."""
    shape = [int(row[name]) for name in ("n_channels", "height", "width")]
    pixels = np.frombuffer(b64decode(row["pixels"]), np.uint8).reshape(shape).transpose(1, 2, 0)
    ax.imshow(pixels.repeat(3, axis=2) if shape[0] == 1 else pixels, interpolation="none")
    ax.set_axis_on()
    ax.grid(visible=False)
    ax.set(xticks=[], yticks=[])
    colour = GREEN if row["prediction_number"] == row["class_number"] else RED
    ax.set_xlabel(class_name(dataset, int(row["prediction_number"])), color=colour, fontsize=7, labelpad=2)
    for spine in ax.spines.values():
        spine.set(visible=True, color=colour, linewidth=2)


def _attack(about: Cells) -> str:
    return f"{name_of(about['attack'].partition('.')[2])} at ε = {about['eps']:g}"


def _seen(tables: Tables, of: str) -> str:
    about = records(tables.rows("pictures/sets", set=of))
    return f"Both nets are attacked white-box, by {_attack(about[0])}." if about else ""


FIGURES = (
    Figure(
        "search_pictures",
        "search",
        "Adversarial images of the best net of a search and of the baseline",
        "Cubuk Fig. 8 (step l.l. at ε = 50) and 15 (PGD at ε = 8): step l.l. images that fool the best net of "
        "Experiment 1 are so distorted that people would have trouble, too.",
        ("pictures/sets",),
        draw_pictures,
        (
            "Of every class one image that fools the net, and one that does not; the third is made from the same clean "
            "image as the second for the baseline, whose answer is below it. Images are drawn at random from those "
            "that the net gets right clean.",
            _seen,
        ),
    ),
)
