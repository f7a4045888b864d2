"""Cubuk Fig. 7 on the best cells of our searches; and our own: whether a search beats chance, and what a seed does.

The baseline is the best cell of the search for clean accuracy. Each search has two arms: a controller that learns, and
cells that are drawn at random.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator

from advlaw.core.io import Cells
from advlaw.core.tables import Tables, chosen, groups, records
from advlaw.core.words import interval
from advlaw.figures.figure import OURS, Drawing, Figure, listed
from advlaw.figures.style import ATTACK_NAMES, COLOURS, EPS, in_panels

BLUE, RED, GREEN = COLOURS[:3]
GREY = "#777777"
SHOWN = 200  # numbers of children at most that a line of chance has points at
ARMS = {"random": ("random search", GREY), "controller": ("controller", BLUE)}
NETS = {  # as in the paper, and random search's: colour and name of a role
    "baseline": (RED, "baseline, trained on clean images"),
    "trained baseline": (GREEN, "baseline, adversarially trained"),
    "best of controller": (BLUE, "best cell of the search"),
    "best of random": (GREY, "best cell of random search"),
}
DOTS: dict[str, Any] = {"marker": "o", "linestyle": "", "markersize": 3.5, "markeredgewidth": 0}
ROLES = {  # of a cell that was trained anew: colour and name
    "best of controller": (BLUE, "best of the controller"),
    "best of random": (GREY, "best of random search"),
    "unchosen": (GREEN, "cells that nobody chose"),
}


def name_of(attack: str) -> str:
    """As the papers call it."""
    plain = attack.removesuffix("_clipped").removesuffix("_training")
    return ATTACK_NAMES.get(plain, plain)


def best_nets(tables: Tables) -> pd.DataFrame:
    """The larger nets of the best cells: no copies on other seeds, and none with other shares of adversarial images."""
    return tables.rows("search/enlarged", seed=0, is_chosen=True, n_replaced=None)


def _compared(tables: Tables) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """How nets were trained, what attacks them, and the curves of at least two, each with its `role`."""
    settings, nets = tables.rows("search/settings"), best_nets(tables)
    baselines = set(chosen(settings, rewarded_by="clean")["search"])
    for trained_as in dict.fromkeys(nets["trained_as"]):
        roles = {row["net"]: _role(row, trained_as, baselines) for row in records(nets)}
        curves = tables.rows("error_curves", net=tuple(net for net, role in roles.items() if role))
        curves = curves.assign(role=curves["net"].map(roles))
        of_trained = curves["attack"][curves["role"] != "baseline"]
        for attack in dict.fromkeys(of_trained):
            rows = chosen(curves, attack=attack)
            if trained_as and rows["role"].nunique() > 1:
                yield trained_as, attack, rows


def _role(net: Cells, trained_as: str, baselines: set[str]) -> str:
    """What a net is among those that were trained so; nothing for others."""
    if net["search"] in baselines:
        known = {"": "baseline", trained_as: "trained baseline"} if net["arm"] == "controller" else {}
        return known.get(net["trained_as"], "")
    return f"best of {net['arm']}" if net["search"] == net["trained_as"] == trained_as else ""


def draw_accuracies(tables: Tables) -> Iterator[Drawing]:
    """Fig. 7: a panel for each way of training adversarially."""
    rewards = {row["search"]: row["reward_eps"] for row in records(tables.rows("search/settings"))}
    panels, legend = {}, dict[str, Line2D]()
    for trained_as, attack, rows in _compared(tables):
        draw = partial(_draw_accuracies, rows=rows, reward_eps=rewards.get(trained_as), legend=legend)
        panels[f"under {name_of(attack)}; adversarial training on {name_of(trained_as)}"] = draw
    for drawing in in_panels(panels, 3.1, "adversarial accuracy", width=0.62, sharey=True):
        drawing.sheet.legend(list(legend.values()), list(legend), loc="outside lower center", ncols=len(panels))
        yield drawing


def _draw_accuracies(ax: Axes, rows: pd.DataFrame, reward_eps: float | None, legend: dict[str, Line2D]) -> None:
    """Bands are what is known of the loss of accuracy; the dotted line is where the search measured its children."""
    by_role = dict(groups(rows, "role"))
    for role, (colour, name) in NETS.items():
        if role in by_role:
            eps, clean, low, high, accuracy = (
                by_role[role][["grid_eps", "clean_accuracy", "net_low", "net_high", "accuracy"]].to_numpy(float).T
            )
            ax.fill_between(eps, clean - high, clean - low, color=colour, alpha=0.2, linewidth=0)
            (legend[name],) = ax.plot(eps, accuracy, color=colour, linewidth=1.6)
    if reward_eps is not None:
        legend["ε of the reward"] = ax.axvline(reward_eps, color="#333333", linewidth=0.8, linestyle=":")
    ax.set(xscale="log", xlabel=EPS, ylim=(-0.02, 1.02))


def _accuracies(tables: Tables, of: str) -> str:
    """The plotted accuracies near the eps of the reward."""
    rewards = {row["search"]: row["reward_eps"] for row in records(tables.rows("search/settings"))}
    found = []
    for trained_as, attack, rows in _compared(tables):
        grid = np.unique(rows["grid_eps"])
        eps = grid[np.argmin(np.abs(np.log(grid / rewards[trained_as])))] if trained_as in rewards else grid[-1]
        own = {row["role"]: row["accuracy"] for row in records(chosen(rows, grid_eps=eps))}
        words = ", ".join(f"{name} {own[role]:.1%}" for role, (_, name) in NETS.items() if role in own)
        found.append(f"{name_of(attack)} at ε = {eps:.3g}: {words}")
    return listed("Accuracies under", found)


def _panels_of(tables: Tables, name: str) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Title, reward and rows of every search in a table of searches."""
    rewards = {row["search"]: row["rewarded_by"] for row in records(tables.rows("search/settings"))}
    for search, rows in groups(tables.rows(f"search/{name}"), "search"):
        yield f"search {search}: {rewards[search]} accuracy", rewards[search], rows


def _side_by_side(panels: Mapping[str, Any]) -> dict[str, Any]:
    """Three panels in a row; one alone has no room for a long legend."""
    return {"in_a_row": 3, "width": 0.4, "in_a_legend": min(4, 1 + len(panels))}


def draw_regret(tables: Tables) -> Iterator[Drawing]:
    """The best child so far against how many there were, beside the best of as many random ones."""
    panels = {title: partial(_draw_regret, rows=rows) for title, _, rows in _panels_of(tables, "regret")}
    yield from in_panels(panels, 2.5, "best reward so far", **_side_by_side(panels))


def _draw_regret(ax: Axes, rows: pd.DataFrame) -> None:
    for number, (_, own) in enumerate(groups(rows, "seed")):
        name = ARMS["controller"][0] if number == 0 else None
        steps = own[own["best_so_far"].diff().ne(0) | own["n"].eq(own["n"].max())]
        ax.step(steps["n"], steps["best_so_far"], where="post", color=BLUE, linewidth=1.4, label=name)
    chance = chosen(rows, seed=rows["seed"].iloc[0]).dropna(subset="expected_best")
    chance = chosen(chance, n=tuple(np.geomspace(1, max(1, len(chance)), SHOWN).round()))
    ax.plot(chance["n"], chance["expected_best"], color=GREY, label="best of as many random cells: mean")
    ax.fill_between(chance["n"], chance["low"], chance["high"], color=GREY, alpha=0.2, linewidth=0, label="5 to 95 %")
    ax.set(xscale="log", xlabel="children")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if rows["n"].max() < 100 else (1,)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.minorticks_off()


def _regret(tables: Tables, of: str) -> str:
    """The best of a controller and by chance, at half of the children that random search has."""
    found = []
    for search, rows in groups(tables.rows("search/regret").dropna(subset="expected_best"), "search"):
        n = -(-rows["n"].max() // 2)
        here = chosen(rows, n=n)
        best = " and ".join(f"{value:.1%}" for value in here["best_so_far"])
        mean, low, high = (f"{here[name].iloc[0]:.1%}" for name in ("expected_best", "low", "high"))
        found.append(f"{search}, {n:g} children: {best}, by chance {mean} [{low}, {high}]")
    return listed("Best reward of a controller, and of as many random cells with 5 and 95 % quantiles", found)


def draw_rounds(tables: Tables) -> Iterator[Drawing]:
    """What the controller learns: the mean reward of each round beside random cells', and its entropy."""
    children = tables.rows("search/children", arm="random")
    panels = {}
    for title, _, rows in _panels_of(tables, "rounds"):
        random = chosen(children, search=rows["search"].iloc[0])["reward"]
        panels[title] = partial(_draw_rounds, rows=rows, random=random)
    for drawing in in_panels(panels, 2.5, "mean reward of a round", **_side_by_side(panels)):
        drawing.sheet.axes[-1].set_ylabel("entropy of the controller (nats)", color=RED)
        yield drawing


def _draw_rounds(ax: Axes, rows: pd.DataFrame, random: pd.Series) -> None:
    entropy = ax.twinx()
    for number, (_, own) in enumerate(groups(rows, "seed")):
        names = ("controller", "entropy") if number == 0 else (None, None)
        ax.plot(own["round"] + 1, own["reward"], "o-", color=BLUE, linewidth=0.8, markersize=2, label=names[0])
        entropy.plot(own["round"] + 1, own["entropy"], "--", color=RED, linewidth=1.0)
        ax.plot([], [], "--", color=RED, linewidth=1.0, label=names[1])
    if len(random):
        ax.axhline(random.mean(), color=GREY, label="random cells: mean")
    entropy.grid(visible=False)
    entropy.tick_params(axis="y", labelcolor=RED)
    entropy.spines["right"].set_visible(True)
    ax.set_xlabel("round")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def draw_spread(tables: Tables) -> Iterator[Drawing]:
    """Cells that were trained anew: what each seed gave, and what the search had measured of them."""
    panels = {}
    for title, reward, rows in _panels_of(tables, "repeated"):
        search, quantity = rows["search"].iloc[0], f"{reward}_accuracy"
        before = tables.rows("search/children", search=search).drop_duplicates("cell").set_index("cell")[quantity]
        parts = tables.rows("search/reliability", search=search, split="held_out", quantity=quantity)
        own = chosen(rows, diverged=False)
        panels[title] = partial(_draw_spread, rows=own, quantity=quantity, before=before, parts=records(parts))
    yield from in_panels(panels, 2.6, "accuracy on the search's images", **_side_by_side(panels))


def _draw_spread(ax: Axes, rows: pd.DataFrame, quantity: str, before: pd.Series, parts: list[Cells]) -> None:
    place = 0
    for role, (colour, name) in ROLES.items():
        means = chosen(rows, role=role).groupby("cell", sort=False)[quantity].mean()
        if means.empty:
            continue
        for cell, mean in means.sort_values(ascending=False, kind="stable").items():
            own = chosen(rows, role=role, cell=cell)[quantity]
            ax.plot(np.full(len(own), place), own, color=colour, alpha=0.8, **DOTS)
            ax.plot([place - 0.3, place + 0.3], [mean] * 2, color=colour)
            ax.plot(place, before[str(cell)], "x", color="black", markersize=4, markeredgewidth=0.8)
            place += 1
        place += 1
        ax.plot([], [], color=colour, label=name, **DOTS)
    ax.plot([], [], "-", color="black", label="mean of a cell's dots")
    ax.plot([], [], "x", color="black", markersize=4, markeredgewidth=0.8, label="in the search")
    ax.set_xticks([])
    ax.set_xlabel("a column a cell, a dot a seed")
    for part in parts:
        ends = {f"reliability_{end}": part[end] for end in ("low", "high")}
        ax.set_title(f"{ax.get_title()}\nreliability {interval(part | ends, 'reliability')}")


def _spread(tables: Tables, of: str) -> str:
    found = [
        f"{row['search']} {100 * row['sd_cell']:.1f} and {100 * row['sd_seed']:.1f} over {row['n_cells']:g} cells"
        for row in records(tables.rows("search/reliability", split="held_out", quantity="adversarial_accuracy"))
    ]
    return listed("Standard deviation of adversarial accuracy between cells and between seeds, in points", found)


FIGURES = (
    Figure(
        "search_curves",
        "search",
        "Adversarial accuracy of the best cells that searches found, against ε",
        "Cubuk Fig. 7: trained alike, the cell of a search that rewards adversarial accuracy is more robust than the "
        "one of a search that rewards clean accuracy.",
        ("search/enlarged", "search/settings", "error_curves"),
        draw_accuracies,
        (
            "Bands are 95 % intervals of the loss of accuracy over images; another seed can move a curve more.",
            _accuracies,
        ),
        is_main=True,
    ),
    Figure(
        "search_regret",
        "search",
        "The best child so far of a controller and of random search",
        OURS,
        ("search/regret", "search/settings"),
        draw_regret,
        (
            "The band is exact over all subsets of the random cells, so it closes where there are no more of them. One "
            "reward is one training, so the best is partly the luckiest.",
            _regret,
        ),
    ),
    Figure(
        "search_rounds",
        "search",
        "What a controller learns: mean rewards of its rounds and its entropy",
        OURS,
        ("search/rounds", "search/children", "search/settings"),
        draw_rounds,
        ("Entropy falls as the controller prefers some cells; the reward should rise above that of random cells.",),
    ),
    Figure(
        "search_spread",
        "search",
        "The same cells trained anew on other seeds",
        OURS,
        ("search/repeated", "search/children", "search/settings"),
        draw_spread,
        (
            "The highest of many rewards is partly luck, so the cross of a chosen cell tends to lie above its dots. "
            "Reliability is the share of the variance between cells that nobody chose which is the cells' own.",
            _spread,
        ),
    ),
)
