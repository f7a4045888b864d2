"""Kurakin's Figures 1 to 5 on our sets of nets, and three of our own: leaks, shares of a minibatch, and delays."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from advlaw.core.tables import Tables, chosen, groups
from advlaw.figures.figure import OURS, Drawing, Figure
from advlaw.figures.style import ATTACK_NAMES, EPS, in_panels, legend_below, looks
from advlaw.papers.kurakin import BASE, with_roles

SUFFIX = "_clipped"
NAMES = {**ATTACK_NAMES, "l2": "fast grad. L2", "fast_l2": "fast grad. L2"}
OF_WIDTH = ("step_ll", "iter_ll", "iter_basic")
WIDTHS = {"without adversarial training": "adversarial + width", "adversarially trained": "width"}
KNOWING = ("fgsm", "fast_l2", "fast_linf")
ROOM = 0.06  # of an axis: a number takes as much
RATIO = "accuracy over clean accuracy"


def _sets(tables: Tables) -> Iterator[tuple[str, pd.DataFrame]]:
    """Every set that was attacked at a few eps: its accuracies, each with what is known of its net."""
    for name, rows in groups(tables.of_sets("accuracy"), "set"):
        nets = with_roles(tables.rows(f"trials/{name}/nets")).drop(columns=["top5_accuracy", "test_accuracy"])
        methods = rows["attack"].str.removesuffix(SUFFIX)
        yield name, rows.assign(attack=methods).merge(nets, on="net", suffixes=("", "_of_net"))


def _at_sizes(ax: Axes, values: pd.Series, label: str) -> None:
    """A logarithmic axis with a tick at each of the values, and its number where there is room for it."""
    sizes, told = sorted(set(values)), [0.0]
    apart = (sizes[-1] / sizes[0]) ** ROOM
    for size in sizes:
        if size >= told[-1] * apart:
            told.append(size)
    ax.set(xscale="log", xlabel=label)
    ax.set_xticks(sizes, [f"{size:.3g}" if size in told else "" for size in sizes])
    ax.set_xticks([], minor=True)


def _error_bars(ax: Axes, rows: pd.DataFrame, x: str, value: str, **look: object) -> None:
    """Points with their intervals."""
    middle = rows[value]
    ends = np.array([middle - rows[f"{value}_low"], rows[f"{value}_high"] - middle]).clip(min=0)
    ax.errorbar(rows[x], middle, ends, capsize=2, markerfacecolor="none", elinewidth=0.8, **look)  # type: ignore[arg-type]


def draw_widths(ratio: str, tables: Tables) -> Iterator[Drawing]:
    """Fig. 1 and 4: a panel for each attack, without and with adversarial training; a line for each eps."""
    for name, rows in _sets(tables):
        panels = {}
        for attack in OF_WIDTH:
            for title, varied in WIDTHS.items():
                alone = "adversarial" if "+" in varied else ""
                own = chosen(rows, attack=attack, seed=0)
                own = own[own["varies"].isin((varied, alone))].sort_values(["eps", "width"])
                if own["width"].nunique() > 1:
                    panels[f"{NAMES.get(attack, attack)}, {title}"] = partial(_draw_ratios, rows=own, ratio=ratio)
        yield from in_panels(panels, 2.6, RATIO, in_a_row=2, of=name)


def _draw_ratios(ax: Axes, rows: pd.DataFrame, ratio: str) -> None:
    for (eps, own), (colour, marker) in zip(groups(rows, "eps"), looks(7), strict=False):
        if f"{ratio}_low" in own:
            _error_bars(ax, own, "width", ratio, color=colour, marker=marker, label=f"ε = {eps:g}")
        else:
            ax.plot(own["width"], own[ratio], f"{marker}-", color=colour, markerfacecolor="none", label=f"ε = {eps:g}")
    _at_sizes(ax, rows["width"], "width factor ρ")


def draw_transfer(value: str, label: str, tables: Tables) -> Iterator[Drawing]:
    """Fig. 2 and 5: from the first to the second net of a set, top 1 and top 5, against eps."""
    for name, moved in groups(tables.of_sets("transfer"), "set"):
        nets = list(dict.fromkeys(moved["source"]))
        if len(nets) < 2:  # where no other could be trained
            continue
        source, target = nets[:2]
        rows = chosen(moved, source=source, target=target)
        panels = {
            f"{name}: {source} to {target}, {title}": partial(_draw_transfer, rows=rows, value=f"{prefix}{value}")
            for title, prefix in (("top 1", ""), ("top 5", "top5_"))
        }
        yield from in_panels(panels, 2.8, label, sharey=True, of=name)


def _draw_transfer(ax: Axes, rows: pd.DataFrame, value: str) -> None:
    for (attack, own), (colour, marker) in zip(groups(rows, "attack"), looks(7), strict=False):
        plain = attack.removesuffix(SUFFIX)
        _error_bars(ax, own, "eps", value, color=colour, marker=marker, label=NAMES.get(plain, plain))
    _at_sizes(ax, rows["eps"], EPS)
    ax.set_ylim(-0.02, 1.02)


def draw_methods(tables: Tables) -> Iterator[Drawing]:
    """Fig. 3: the base of a set, trained on step l.l. examples, under every one-step method that it was tried on."""
    for name, rows in _sets(tables):
        own = chosen(rows, varies=BASE, trained_on="step_ll", seed=0)
        methods = [attack for attack in dict.fromkeys(own["attack"]) if attack != "clean" and "iter" not in attack]
        if len(methods) < 6:
            continue
        panels = {
            f"{name}: {title}": partial(_draw_accuracies, rows=chosen(own, attack=tuple(some)), clean=own)
            for title, some in (
                ("methods that use the label", [method for method in methods if method in KNOWING]),
                ("methods that do not", [method for method in methods if method not in KNOWING]),
            )
        }
        yield from in_panels(panels, 3.2, "accuracy (solid: top 1, dotted: top 5)", sharey=True, of=name)


def _draw_accuracies(ax: Axes, rows: pd.DataFrame, clean: pd.DataFrame) -> None:
    for (attack, own), (colour, marker) in zip(groups(rows, "attack"), looks(7), strict=False):
        _error_bars(ax, own, "eps", "top1", color=colour, marker=marker, label=NAMES.get(attack, attack))
        ax.plot(own["eps"], own["top5"], ":", color=colour)
    ax.axhline(chosen(clean, attack="clean")["top1"].iloc[0], color="#666666", linewidth=0.8, label="clean images")
    _at_sizes(ax, rows["eps"], EPS)
    ax.set_ylim(-0.02, 1.02)
    legend_below(ax, n_columns=2)


def draw_leaks(tables: Tables) -> Iterator[Drawing]:
    """Accuracy under FGSM minus clean accuracy: of every net trained on FGSM examples, and its base, against eps."""
    for name, leaks in groups(tables.of_sets("leaking"), "set"):
        nets = with_roles(tables.rows(f"trials/{name}/nets"))
        chosen_nets = nets[(nets["trained_on"] == "fgsm") | nets["varies"].isin(BASE)]
        rows = leaks[leaks["attack"].str.startswith("fgsm") & leaks["net"].isin(chosen_nets["net"])]
        rows = rows.drop_duplicates(["net", "attack", "eps"])  # the blind methods share the difference to clean images
        if rows["net"].nunique() > 1:
            yield from in_panels(
                {name: partial(_draw_leaks, rows=rows)},
                3.6,
                "accuracy under FGSM minus clean accuracy",
                width=0.7,
                of=name,
            )


def _draw_leaks(ax: Axes, rows: pd.DataFrame) -> None:
    for (net, own), (colour, marker) in zip(groups(rows, "net"), looks(12), strict=False):
        _error_bars(ax, own, "eps", "over_clean", color=colour, marker=marker, label=net)
    ax.axhline(0.0, color="#666666", linewidth=0.8)
    _at_sizes(ax, rows["eps"], EPS)
    legend_below(ax, n_columns=3)


def draw_varied(keys: dict[str, tuple[str, str]], tables: Tables) -> Iterator[Drawing]:
    """Accuracy against one key of training, at every eps under step l.l. and on clean images."""
    for name, rows in _sets(tables):
        panels = {}
        for key, (column, label) in keys.items():
            own = chosen(rows, attack=("clean", "step_ll"), seed=0)
            own = own[own["varies"].isin((key, *BASE)) & own[column].notna()].sort_values(column)
            if own[column].nunique() > 2:
                draw = partial(_draw_varied, rows=own, column=column, label=label)
                panels[f"{name}: {key.rpartition('.')[2]}"] = draw
        yield from in_panels(panels, 2.8, "accuracy", sharey=True, of=name)


def _draw_varied(ax: Axes, rows: pd.DataFrame, column: str, label: str) -> None:
    for (eps, own), (colour, marker) in zip(
        groups(rows.sort_values("eps", kind="stable"), "eps"), looks(7), strict=False
    ):
        name = "clean" if eps == 0 else f"step l.l., ε = {eps:g}"
        _error_bars(ax, own.sort_values(column), column, "top1", color=colour, marker=marker, label=name)
    ax.set(xlabel=label, ylim=(-0.02, 1.02))


NEEDS = ("trials/*/accuracy",)
ONE_NET = "Intervals are over images; nets that differ in the seed alone differ by more."
FIGURES = (
    Figure(
        "kurakin_1",
        "kurakin",
        "Kurakin Fig. 1: width of the net and the ratio of adversarial to clean accuracy, top 1",
        "Without adversarial training there is an optimal width; with it the ratio rises with width, and at twice the "
        "width it is near 1 for one-step methods, below 1 for iterative ones.",
        NEEDS,
        partial(draw_widths, "ratio"),
        (ONE_NET,),
    ),
    Figure(
        "kurakin_2",
        "kurakin",
        "Kurakin Fig. 2: transfer rate against ε",
        "Rates rise with ε; FGSM transfers most and iter. l.l. least.",
        ("trials/*/transfer",),
        partial(draw_transfer, "rate", "transfer rate"),
        ("Of the images that fool the first net, the share that fools the second. " + ONE_NET,),
    ),
    Figure(
        "kurakin_3",
        "kurakin",
        "Kurakin Fig. 3: one-step methods on a net trained on step l.l. examples",
        "Accuracy under some methods that use the label rises with ε, because labels leak.",
        NEEDS,
        draw_methods,
        ("Fast grad. L2 has a literal ε, which is spread over all pixels.",),
    ),
    Figure(
        "kurakin_4",
        "kurakin",
        "Kurakin Fig. 4: width of the net and the ratio of adversarial to clean accuracy, top 5",
        "As in Fig. 1.",
        NEEDS,
        partial(draw_widths, "top5_ratio"),
        ("With ten classes, top 5 is half of all classes: chance is 50 %.",),
    ),
    Figure(
        "kurakin_5",
        "kurakin",
        "Kurakin Fig. 5: error rate of transferred images against ε",
        "As the transfer rates of Fig. 2.",
        ("trials/*/transfer",),
        partial(draw_transfer, "error", "error rate"),
        ("The share of all images that the second net gets wrong.",),
    ),
    Figure(
        "leaks",
        "kurakin",
        "Label leaking: accuracy under FGSM minus clean accuracy, of nets trained on FGSM or step l.l. examples",
        OURS,
        ("trials/*/leaking",),
        draw_leaks,
        ("Above zero a net is more accurate under attack than on clean images. " + ONE_NET,),
        is_main=True,
        typical="leaking",
    ),
    Figure(
        "minibatches",
        "kurakin",
        "Adversarial images in a minibatch, and the delay of adversarial training",
        OURS,
        NEEDS,
        partial(
            draw_varied,
            {
                "adversarial.images": ("share_replaced", "share of a minibatch that is adversarial"),
                "adversarial.delay": ("delay", "share of training without adversarial images"),
            },
        ),
        (ONE_NET,),
    ),
)
