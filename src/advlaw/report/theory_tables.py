"""The tables of docs/theory.md and docs/label_blind.md, from a study's committed tables."""

from collections.abc import Iterator

from advlaw.report.cells import Row, interval, table

Tables = dict[str, list[Row]]
ATTACKS = {"l2": "L2", "fgsm": "FGSM", "fgsm_predicted": "FGSM-pred", "step_ll": "step l.l.", "step_rnd": "step rnd."}
SPEEDS = {"constant": "one speed for all", "linear": "its own linear response", "measured": "measured"}
FEWEST_IMAGES = 1000
TRUE_LABEL = ("l2", "fgsm")


def predictions_table(tables: Tables) -> str:
    """A line per net and true-label attack: rank correlations, where predicted curves agree, who takes over first."""
    heads = ["data", "net", "attack", "flipped:", "Spearman, ε̂_linear", "Spearman, ε̂_MF"]
    heads += ["ε̂_linear within 10 %", "mean field within 10 %", "within 25 %", "all images within 25 %", "rank 2 first"]
    rows = []
    for row in _of(tables["theory/predictions"], *TRUE_LABEL):
        agreed = {
            (found["prediction"], found["tolerance"]): _range(found)
            for found in tables["theory/agreement"]
            if (found["net"], found["attack"]) == (row["net"], row["attack"])
        }
        cells = [row["dataset"], row["net"], ATTACKS[row["attack"]], f"{int(row['n_succeeded']):,}"]
        cells += [interval(row, "spearman_linear"), interval(row, "spearman_mean_field")]
        wanted = (("linear", "0.1"), ("mean_field", "0.1"), ("mean_field", "0.25"), ("mean_field_literal", "0.25"))
        cells += [agreed[key] for key in wanted]
        rows.append([*cells, _second_first(tables["theory/takeovers"], row)])
    return table(heads, rows)


def deciles_table(tables: Tables) -> str:
    """A line per decile of the measured L2 threshold: how far the predicted one is off, for every net."""
    found = [row for row in tables["theory/deciles"] if (row["attack"], row["prediction"]) == ("l2", "linear")]
    nets = list(dict.fromkeys(row["net"] for row in found))
    rows = []
    for decile in sorted({int(row["decile"]) for row in found}):
        here = {row["net"]: row for row in found if int(row["decile"]) == decile}
        cells = [
            f"{_percent(here[net]['median_error'])} ({_percent(here[net]['error_90'])})" if net in here else "–"
            for net in nets
        ]
        rows.append([str(decile), *cells])
    return table(["decile of ε̂:", *(f"{net}:" for net in nets)], rows)


def gap_exponents_table(tables: Tables) -> str:
    """A line per net: the exponent of the density of Delta_1j near zero, j = 2..5; i.i.d. laws below."""
    heads = ["logits of", "gaps", "Δ₁₂", "Δ₁₃", "Δ₁₄", "Δ₁₅"]
    final = [row for row in tables["theory/gap_exponents"] if not row["epoch"]]
    rows = []
    for net, images in dict.fromkeys((row["net"], row["images"]) for row in final):
        for share in ("0.1", "0.01"):
            own = [row for row in final if (row["net"], row["images"], row["share"]) == (net, images, share)]
            rows.append([net, f"{images}, smallest {_percent(share)}", *(interval(row) for row in own)])
    for law in dict.fromkeys(row["law"] for row in tables["order_statistics/exponents"]):
        for share in ("0.1", "0.01"):
            own = [row for row in tables["order_statistics/exponents"] if (row["law"], row["share"]) == (law, share)]
            rows.append([f"i.i.d. {law}", f"smallest {_percent(share)}", *(interval(row) for row in own)])
    return table(heads, rows)


def constants_table(tables: Tables) -> str:
    """A line per law: the constant of Cubuk Eq. 22 by quadrature and from samples."""
    found = tables["order_statistics/constants"]
    rows = []
    for law in dict.fromkeys(row["law"] for row in found):
        own = [row for row in found if row["law"] == law]
        rows.append([law, *(f"{float(row['constant']):.4g} ({float(row['sampled']):.4g})" for row in own)])
    return table(["law", "C₂ (sampled)", "C₃", "C₄", "C₅"], rows)


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
    """A line per net and epoch: test accuracy, and the exponents of the densities from the smallest tenth."""
    found = tables["theory/gap_exponents"]
    trained = {row["net"] for row in found if row["epoch"]}
    kept = [row for row in found if row["net"] in trained and (row["images"], row["share"]) == ("all", "0.1")]
    rows = []
    for net, epoch in dict.fromkeys((row["net"], row["epoch"]) for row in kept):
        own = [row for row in kept if (row["net"], row["epoch"]) == (net, epoch)]
        rows.append([net, epoch or "end", f"{float(own[0]['test_accuracy']):.2%}", *(interval(row) for row in own)])
    return table(["net", "epoch:", "test accuracy:", "Δ₁₂", "Δ₁₃", "Δ₁₄", "Δ₁₅"], rows)


def label_blind_table(tables: Tables) -> str:
    """A line per net, label-blind attack and account: gross and net exponents by maximum likelihood, net by a line.

    Nets with fewer than a thousand test images are left out: their intervals say nothing.
    """
    found = [row for row in tables.get("theory/label_blind", []) if int(row["n_images"]) >= FEWEST_IMAGES]
    keys = dict.fromkeys((row["net"], row["attack"], row["speeds"]) for row in found)
    rows = []
    for net, attack, speeds in keys:
        own = {
            (row["kind"], row["estimator"]): row
            for row in found
            if (row["net"], row["attack"], row["speeds"]) == (net, attack, speeds)
        }
        wanted = [("gross", "maximum_likelihood"), ("net", "maximum_likelihood"), ("net", "least_squares")]
        rows.append([net, ATTACKS.get(attack, attack), SPEEDS[speeds], *(interval(own[key]) for key in wanted)])
    return table(["net", "attack", "gaps close at", "gross, ML", "net, ML", "net, LS"], rows)


def ties_table(tables: Tables) -> str:
    """A line per bin of Delta_12: who is right, and how fast gaps close under FGSM-pred and step l.l."""
    found = tables.get("theory/ties", [])
    heads = ["net", "median Δ₁₂:", "images:", "prediction right", "runner-up right"]
    heads += ["FGSM-pred, mean speed ± spread", "step l.l.", "step l.l. closes"]
    rows = []
    for net in dict.fromkeys(row["net"] for row in found):
        by_attack = [[row for row in found if (row["net"], row["attack"]) == (net, a)] for a in ATTACKS]
        own = dict(zip(ATTACKS, by_attack, strict=True))
        if not (own["fgsm_predicted"] and own["step_ll"]):
            continue
        for blind, least in zip(own["fgsm_predicted"], own["step_ll"], strict=True):
            cells = [net, f"{float(blind['gap']):.3g}", f"{int(blind['n_images']):,}"]
            cells += [interval(blind, "p_right"), interval(blind, "p_second"), _speed(blind), _speed(least)]
            rows.append([*cells, _percent(least["closing"])])
    return table(heads, rows)


def ideal_table(tables: Tables) -> str:
    """A line per eps: sampled and derived errors where the account's assumptions hold by construction."""
    rows = []
    for row in tables["theory/ideal"]:
        cells = ["one for all" if row["speeds"] == "constant" else "falling", row["eps"]]
        for kind in ("gross", "net"):
            cells += [f"{float(row[f'{kind}_{how}']):.3g}" for how in ("sampled", "exact")]
        rows.append(cells)
    return table(["speeds", "ε:", "gross, sampled:", "derived:", "net, sampled:", "derived:"], rows)


def _of(rows: list[Row], *attacks: str) -> Iterator[Row]:
    return (row for row in rows if row["attack"] in attacks)


def _range(row: Row) -> str:
    if not row["grid_eps_first"]:
        return "nowhere"
    return f"ε = {float(row['grid_eps_first']):.2g}–{float(row['grid_eps_last']):.2g}"


def _second_first(takeovers: list[Row], row: Row) -> str:
    """The share up to the eps of 50 in the attack's own norm, Cubuk's number, or the last point below."""
    own = [found for found in takeovers if (found["net"], found["attack"]) == (row["net"], row["attack"])]
    below = [found for found in own if float(found["grid_eps"]) <= 50.0]
    last = below[-1] if below else own[0]
    return (
        f"{100 * float(last['second_first']):.1f} % [{100 * float(last['low']):.1f}, {100 * float(last['high']):.1f}]"
    )


def _speed(row: Row) -> str:
    return f"{float(row['speed']):.3g} ± {float(row['spread']):.2g}"


def _percent(share: str) -> str:
    value = 100 * float(share)
    return f"{value:.1f} %" if value < 9.95 else f"{value:.0f} %"
