"""The tables of docs/theory.md and docs/label_blind.md, from a study's committed tables."""

from advlaw.core.io import Row, Tables
from advlaw.papers.names import ATTACK_NAMES
from advlaw.report.cells import interval, table

SPEEDS = {"constant": "one speed for all", "linear": "its own linear response", "measured": "measured"}
GAPS = ("Δ₁₂", "Δ₁₃", "Δ₁₄", "Δ₁₅")
FEWEST_IMAGES, ALWAYS_RIGHT = 1000, 0.98
TRUE_LABEL = ("l2", "fgsm")


def predictions_table(tables: Tables) -> str:
    """A line per net and true-label attack: rank correlations, where predicted curves agree, who takes over first."""
    heads = ["data", "net", "attack", "flipped:", "Spearman, ε̂_linear", "Spearman, ε̂_MF"]
    heads += [
        "ε̂_linear within 10 %",
        "mean field within 10 %",
        "within 25 %",
        "all images within 25 %",
        "rank 2 first, ε ≤ 50",
    ]
    rows = []
    for row in tables["theory/predictions"]:
        if row["attack"] not in TRUE_LABEL:
            continue
        agreed = {
            (found["prediction"], found["tolerance"]): _range(found)
            for found in tables["theory/agreement"]
            if (found["net"], found["attack"]) == (row["net"], row["attack"])
        }
        cells = [row["dataset"], row["net"], ATTACK_NAMES[row["attack"]], f"{int(row['n_succeeded']):,}"]
        cells += [interval(row, "spearman_linear"), interval(row, "spearman_mean_field")]
        wanted = (("linear", "0.1"), ("mean_field", "0.1"), ("mean_field", "0.25"), ("mean_field_literal", "0.25"))
        cells += [agreed[key] for key in wanted]
        rows.append([*cells, _second_first(row)])
    return table(heads, rows)


def deciles_table(tables: Tables) -> str:
    """A line per decile of the measured L2 threshold, and its smallest 1 %: how far the predicted one is off."""
    found = [row for row in tables["theory/deciles"] if (row["attack"], row["prediction"]) == ("l2", "linear")]
    nets = list(dict.fromkeys(row["net"] for row in found))
    rows = []
    for decile in sorted({int(row["decile"]) for row in found}):
        here = {row["net"]: row for row in found if int(row["decile"]) == decile}
        cells = [
            f"{_percent(here[net]['median_error'])} ({_percent(here[net]['error_90'])})" if net in here else "–"
            for net in nets
        ]
        rows.append([str(decile) if decile else "smallest 1 %", *cells])
    return table(["tenth of the images by ε̂:", *(f"{net}:" for net in nets)], rows)


def gap_exponents_table(tables: Tables) -> str:
    """A line per net and share: the exponent of the density of Delta_1j near zero, j = 2..5; i.i.d. laws below.

    The largest share and the smallest; the tables have those between.
    """
    rows = []
    final = [row for row in tables["theory/gap_exponents"] if not row["epoch"]]
    for (net, images, share), own in _groups(_extreme(final), "net", "images", "share"):
        rows.append([net, f"{images}, smallest {_percent(share)}", *_by_rank(own)])
    for (law, share), own in _groups(_extreme(tables["order_statistics/exponents"]), "law", "share"):
        rows.append([f"i.i.d. {law}", f"smallest {_percent(share)}", *_by_rank(own)])
    return table(["logits of", "gaps", *GAPS], rows)


def constants_table(tables: Tables) -> str:
    """A line per law: the constant of Cubuk Eq. 22, and whether sampled gaps have the exact distribution."""
    rows = []
    for (law,), own in _groups(tables["order_statistics/constants"], "law"):
        rows.append([law, *(f"{float(row['constant']):.4g} ({float(row['chi2_p_value']):.2f})" for row in own)])
    return table(["law", "C₂ (p)", "C₃", "C₄", "C₅"], rows)


def residuals_table(tables: Tables) -> str:
    """A line per net: the slope of the linear response's residual, and how many images have one at the smallest eps."""
    first = {row["net"]: row for row in reversed(tables["theory/residuals"])}
    rows = [
        [
            *(row["dataset"], net, row["n_images"]),
            f"{float(row['slope']):.3f}" if row["slope"] else "exactly linear",
            _percent(row["share_not_linear"]),
        ]
        for net, row in reversed(first.items())
    ]
    smallest = f"not linear at ε = {float(first[rows[0][1]]['eps']):.2g}:"
    return table(["data", "net", "images:", "slope of the residual:", smallest], rows)


def epochs_table(tables: Tables) -> str:
    """A line per net and epoch: test accuracy, and the exponents of the densities from the largest share of gaps."""
    found = [row for row in tables["theory/gap_exponents"] if row["images"] == "all"]
    trained = {row["net"] for row in found if row["epoch"]}
    share = max((row["share"] for row in found), key=float)
    rows = []
    for (net, epoch), own in _groups([row for row in found if row["share"] == share], "net", "epoch"):
        if net in trained:
            rows.append([net, epoch or "end", f"{float(own[0]['test_accuracy']):.2%}", *_by_rank(own)])
    return table(["net", "epoch:", "test accuracy:", *GAPS], rows)


def label_blind_table(tables: Tables) -> str:
    """A line per net, label-blind attack and account: gross and net exponents by maximum likelihood, net by a line.

    Nets with fewer than a thousand test images are left out: their intervals say nothing.
    """
    found = [row for row in tables.get("theory/label_blind", []) if int(row["n_images"]) >= FEWEST_IMAGES]
    rows = []
    for (net, attack, speeds), group in _groups(found, "net", "attack", "speeds"):
        own = {(row["kind"], row["estimator"]): row for row in group}
        wanted = [("gross", "maximum_likelihood"), ("net", "maximum_likelihood"), ("net", "least_squares")]
        rows.append([net, ATTACK_NAMES.get(attack, attack), SPEEDS[speeds], *(interval(own[key]) for key in wanted)])
    return table(["net", "attack", "gaps close at", "gross, ML", "net, ML", "net, LS"], rows)


def ties_table(tables: Tables) -> str:
    """A line per bin of Delta_12: who is right, and how fast gaps close under FGSM-pred and step l.l.

    Up to where practically every prediction is right.
    """
    found = tables.get("theory/ties", [])
    heads = ["net", "median Δ₁₂:", "images:", "prediction right", "runner-up right"]
    heads += ["FGSM-pred, mean speed ± spread", "step l.l.", "step l.l. closes"]
    rows = []
    for (net,), group in _groups(found, "net"):
        own = {attack: bins for (attack,), bins in _groups(group, "attack")}
        if not {"fgsm_predicted", "step_ll"} <= own.keys():
            continue
        for blind, least in zip(own["fgsm_predicted"], own["step_ll"], strict=True):
            if float(blind["p_right"]) > ALWAYS_RIGHT:
                continue
            cells = [net, f"{float(blind['gap']):.3g}", f"{int(blind['n_images']):,}"]
            cells += [interval(blind, "p_right"), interval(blind, "p_second"), _speed(blind), _speed(least)]
            rows.append([*cells, _percent(least["closing"])])
    return table(heads, rows)


def near_ties_table(tables: Tables) -> str:
    """A line per net and attack: the speeds of gaps below 1, as slope * Delta_12 + intercept and their spread."""
    rows = []
    for row in tables.get("theory/near_ties", []):
        if not row["slope"]:  # too few images near a tie
            continue
        numbers = [f"{float(row[name]):.2g}" if row[name] else "–" for name in ("slope", "intercept", "floor", "pole")]
        rows.append([row["net"], ATTACK_NAMES.get(row["attack"], row["attack"]), row["n_images"], *numbers])
    return table(["net", "attack", "images with Δ₁₂ < 1:", "c:", "intercept:", "s:", "1 / c:"], rows)


def ideal_table(tables: Tables) -> str:
    """A line per eps: sampled and derived errors where the account's assumptions hold by construction."""
    rows = []
    for row in tables["theory/ideal"]:
        cells = ["one for all" if row["speeds"] == "constant" else "falling", row["eps"]]
        for kind in ("gross", "net"):
            cells += [f"{float(row[f'{kind}_{how}']):.3g}" for how in ("sampled", "exact")]
        rows.append(cells)
    return table(["speeds", "ε:", "gross, sampled:", "derived:", "net, sampled:", "derived:"], rows)


def _range(row: Row) -> str:
    if not row["grid_eps_first"]:
        return "nowhere"
    return f"ε = {float(row['grid_eps_first']):.2g}–{float(row['grid_eps_last']):.2g}"


def _second_first(row: Row) -> str:
    """The share with its interval and the number of images, as far as there are any."""
    if not row["second_first"]:
        return "none flips"
    share, low, high = (100 * float(row[name]) for name in ("second_first", "second_first_low", "second_first_high"))
    return f"{share:.1f} % [{low:.1f}, {high:.1f}] of {int(row['n_below_50']):,}"


def _extreme(rows: list[Row]) -> list[Row]:
    """The rows of the largest and of the smallest share."""
    shares = sorted({row["share"] for row in rows}, key=float)
    return [row for row in rows if row["share"] in (shares[0], shares[-1])] if rows else []


def _groups(rows: list[Row], *names: str) -> list[tuple[tuple[str, ...], list[Row]]]:
    """Rows by their values of some columns, in order of appearance."""
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in names), []).append(row)
    return list(found.items())


def _by_rank(rows: list[Row]) -> list[str]:
    """A cell for each of `GAPS`; a net with fewer classes has fewer gaps."""
    return ([interval(row) for row in rows] + ["–"] * len(GAPS))[: len(GAPS)]


def _speed(row: Row) -> str:
    return f"{float(row['speed']):.3g} ± {float(row['spread']):.2g}"


def _percent(share: str) -> str:
    value = 100 * float(share)
    return f"{value:.1f} %" if value < 9.95 else f"{value:.0f} %"
