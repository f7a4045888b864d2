"""Small tables for the checks of claims: rows as a study's tables hold them, and those of each verdict."""

from pathlib import Path

import pandas as pd
from claim_laws import around, by_attack, exponent, exponents, gap, pooled, shuffled, tails

from advlaw.attacks.settings import Attacks
from advlaw.claims.finding import proportion
from advlaw.claims.judge import read_judges
from advlaw.claims.study import Evidence
from advlaw.core.section import read_section
from advlaw.core.tables import FLAGS, TEXT, Tables, read_table
from advlaw.training.settings import RobustNet

ROOT = Path(__file__).parents[1]
CLAIMS = read_table(ROOT / "claims" / "claims.csv")
JUDGES = read_judges(ROOT / "claims")
STUDIES = {"digits": "params.yaml", "mnist": "studies/mnist/params.yaml", "cifar10": "studies/cifar10/params.yaml"}


def a_study(tables=None, dataset="mnist", robust=None, attacks=None, **more) -> Evidence:
    """A study with these tables; its attacks and robust nets are those of the default study unless given.

    Nets that its curves name are in its `models`, too.
    """
    params, tables = ROOT / "params.yaml", dict(tables or {})
    swept = [row["model"] for name in ("laws/exponents", "exponents", "error_curves") for row in tables.get(name, [])]
    tables.setdefault("models", [model(name) for name in dict.fromkeys(swept)])
    tables.setdefault("trials/sets", [{"set": "sampled", "kind": "drawn", "dataset": dataset, "n_nets": 100}])
    robust = read_section(params, "robust_models", dict[str, RobustNet]) if robust is None else robust
    return Evidence(
        name="small",
        attacks=attacks or read_section(params, "attacks", Attacks),
        nets=more.get("nets", {}),
        robust_nets=robust,
        baselines=more.get("baselines", {"net": "base"}),
        sources=more.get("sources", {}),
        headline=more.get("headline", []),
        tables=Tables({name: frame(rows) for name, rows in tables.items()}),
    )


def frame(rows):
    """Rows as `read_table` gives them: of every column's type, whatever is missing."""
    table = pd.DataFrame(rows)
    for name in table.columns:
        if name in TEXT:
            table[name] = table[name].fillna("").astype(object)
        elif name not in FLAGS:
            table[name] = pd.to_numeric(table[name])
    return table


def verdict(claim, study):
    return JUDGES[claim](study).concluded["verdict"]


def analogue(claim, study):
    """The verdict on a smaller analogue, and that it is one."""
    found = JUDGES[claim](study).concluded
    assert found["verdict"] == "scaled"
    return found["analogue"]


def model(name, test_accuracy=0.98, **more):
    row = {"model": name, "dataset": "mnist", "arch": "fc", "labels": "original", "n_parameters": 100, "epochs": 30}
    row |= {"defence": "", "entropy_weight": 0, "adversarial_images": 0, "test_accuracy": test_accuracy}
    return row | more


def official(network, **more):
    """What the params say of a published net that stands for itself, on the validation images of ImageNet."""
    return {"holds": "imagenet validation", "network": network, "stands_for": "", "dataset": "photographs"} | more


def point(curve, eps, accuracy, net_error=None, half=0.005, **more):
    sweep, _, attack = curve.partition("/")
    net_error = 0.98 - accuracy if net_error is None else net_error
    row = {"curve": curve, "model": sweep, "dataset": "mnist", "split": "test", "arch": "fc", "labels": "original"}
    row |= {"attack": attack, "defence": "", "n_images": 10000, "eps": eps, "grid_eps": eps, "accuracy": accuracy}
    return row | {"net_error": net_error, "net_low": net_error - half, "net_high": net_error + half} | more


def worst_case(clean, weak, gains, transferred=(0.0,), pgd=None, n=10000):
    """Tables of a net and its baseline at eps = 16: (weak gain, worst gain, verdict), gains under other attacks."""
    rows = [("base", "clean", "clean", 0, clean), ("base", "one_step.step_ll_clipped", "weak", 16.0, weak)]
    for i, gain in enumerate(transferred):
        rows += [("base", f"moved{i}", "transferred", 16.0, 0.5), ("net", f"moved{i}", "transferred", 16.0, 0.5 + gain)]
    if pgd is not None:
        attack = "iterative.pgd_restarts"
        rows += [("base", attack, "strong", 16.0, 0.3), ("net", attack, "strong", 16.0, 0.3 + pgd)]
    accuracy = []
    for net, attack, role, eps, value in rows:
        found = proportion(value, n)
        cells = {"net": net, "attack": attack, "role": role, "eps": eps, "n_images": n}
        accuracy.append(cells | {"accuracy": value, "low": found.low, "high": found.high})
    weak_gain, worst_gain, verdict = gains
    row = {"net": "net", "baseline": "base", "eps": 16.0, "n_images": n, "verdict": verdict}
    row |= around("weak_gain", weak_gain, 0.01) | around("worst_gain", worst_gain, 0.01)
    return {"worst_case/accuracy": accuracy, "worst_case/gains": [row]}


def defended(gains, verdicts, **more):
    """One net with the entropy penalty beside its baseline."""
    models = [model("base"), model("net", entropy_weight=4.5, defence="entropy", **more.pop("net", {}))]
    return {**worst_case(0.98, 0.5, (*gains, verdicts), **more), "models": models}


def trained(name="net", family="one_step"):
    """A robust net of the default study under the name that the tables use."""
    nets = read_section(ROOT / "params.yaml", "robust_models", dict[str, RobustNet])
    return {name: nets["fc_adversarial" if family == "one_step" else "fc_pgd"]}


def prediction(attack, column, value, half=0.01, net="fc"):
    row = {"net": net, "dataset": "mnist", "attack": attack, "n_images": 10000, "n_below_50": 900, "n_succeeded": 900}
    return (
        row
        | around("second_first", 0.97, 0.01)
        | around("spearman_mean_field", 0.8, 0.01)
        | around(column, value, half)
    )


def penalty_on_gaps(ratio, shift, half=0.05):
    rows = [*tails(0.0, half=half, net="base"), *tails(shift, half=half, net="net", largest_gap=2.0 * ratio)]
    models = [model("base"), model("net", entropy_weight=4.5, defence="entropy")]
    speeds = [prediction("fgsm", "second_first", 0.9, net=net) | {"closing_speed": 2.0} for net in ("base", "net")]
    known = {"theory/gap_laws": rows, "theory/gap_exponents": rows}
    return {**known, "models": models, "theory/predictions": speeds}


def curves(small_gain, large_gain, half=0.004):
    rows = []
    for net, gains in (("base", (0.0, 0.0)), ("net", (small_gain, large_gain))):
        for eps, error, gain in zip((1.0, 32.0), (0.05, 0.8), gains, strict=True):
            rows.append(point(f"{net}/fgsm", eps, 0.98 - error + gain, half=half))
    return {"error_curves": rows, "models": [model("base"), model("net", defence="step_ll_clipped")]}


def defended_errors(error, half):
    return curves(0.05 - error, 0.0, half=half)


def cost(change):
    models = [model("base", 0.9), model("net", 0.9 + change, defence="step_ll_clipped")]
    return {"models": models, **exponents(exponent("fgsm", 1.0, sweep="net"), exponent("fgsm", 1.0, sweep="base"))}


def penalty_cost(change):
    models = [model("base", 0.98), model("net", 0.98 + change, defence="entropy", entropy_weight=4.5)]
    return {"models": models, **exponents(exponent("fgsm", 1.0, sweep="net", n_images=100000))}


def deciles(smallest, first, n_images=98):
    row = {"net": "fc", "dataset": "mnist", "attack": "l2", "prediction": "linear"}
    bins = [{"decile": 0, "median_error": smallest, "n_images": n_images}]
    bins += [{"decile": 1, "median_error": first, "n_images": 980}]
    return {"theory/deciles": [row | cells for cells in bins]}


def mean_field(ratio, n=10000):
    measured, of = proportion(0.02, n), {"net": "fc", "attack": "l2"}
    row = {**of, "eps": 1.0, "mean_field": 0.02 * ratio, "measured": 0.02}
    row |= {"measured_low": measured.low, "measured_high": measured.high}
    return {"theory/curves": [row], "theory/predictions": [{**of, "n_images": n}]}


def residuals(*slopes, residual=1e-3):
    return {"theory/residuals": [{"net": "fc", "slope": slope, "residual": residual} for slope in slopes]}


def slope(value, accuracy=0.4):
    """Two errors at the end of a curve, of an exponent of 1.2 before."""
    rows = [point("fc/fgsm", eps, accuracy, 0.5 * (eps / 32.0) ** value, half=0.002) for eps in (40.0, 32.0)]
    return {**exponents(exponent("fgsm", 1.2)), "error_curves": rows}


def pgd_curves(gain, n=10000):
    """Under PGD at eps = 16 and 20 only: a net trained on one-step examples beside its baseline."""
    nets = (("base", 0.5), ("net", 0.5 + gain))
    points = [point(f"{net}/pgd", eps, accuracy, n_images=n) for eps in (16.0, 20.0) for net, accuracy in nets]
    models = [model("base"), model("net", defence="step_ll_clipped")]
    return {"error_curves": points, "models": models, **exponents(exponent("pgd", 1.0, sweep="net"))}


# claim: tables that make it hold, fail and stay open
CASES = {
    "C01": [exponents(exponent("fgsm", b, h), exponent("l2", 1.0)) for b, h in ((1.1, 0.1), (1.7, 0.1), (1.2, 0.2))],
    "C02": [exponents(exponent("step_ll", b, h)) for b, h in ((2.2, 0.1), (1.5, 0.1), (2.4, 0.4))],
    "C05": [exponents(exponent("step_ll", b, h)) for b, h in ((2.2, 0.1), (3.0, 0.1), (2.4, 0.4))],
    "C10": [pooled(1.0), pooled(1.4), pooled(1.0, half=0.3)],
    "C11": [pooled(1.0), pooled(1.4), pooled(1.0, half=0.3)],
    "C13": [shuffled(1.2), shuffled(4.0), shuffled(1.2, 0.06)],
    "C14": [by_attack(1.2), by_attack(1.6), by_attack(1.2, 0.06)],
    "C15": [slope(0.0), slope(1.3), slope(0.5)],
    "C17": [deciles(0.01, 0.05), deciles(0.1, 0.12), deciles(0.01, 0.05, n_images=4)],
    "C18": [{"theory/predictions": [prediction("l2", "second_first", value)]} for value in (0.97, 0.90, 0.95)],
    "C19": [{"theory/predictions": [prediction("l2", "spearman_mean_field", value)]} for value in (0.8, 0.2, 0.5)],
    "C20": [mean_field(ratio) for ratio in (1.0, 0.3, 0.75)],
    "C22": [{"theory/gap_laws": tails(*ends)} for ends in ((0.0,), (0.5,), (0.0, 1.0, 0.6))],
    "C23": [
        {"order_statistics/exponents": [row | {"law": "uniform"} for row in tails(*ends, n_gaps=500000)]}
        for ends in ((0.0,), (0.5,), (0.0, 1.0, 0.6))
    ],
    "C24": [
        {"theory/gap_laws": [gap(2, 0.0, half, epoch=1), gap(2, change, half)]}
        for change, half in ((0.0, 0.05), (0.4, 0.05), (0.0, 0.3))
    ],
    "C25": [defended((0.1, 0.1), "holds"), defended((-0.1, 0.0), "fails"), defended((0.0, 0.0), "inconclusive")],
    "C26": [penalty_cost(change) for change in (-0.008, 0.01, -0.012)],
    "C29": [penalty_on_gaps(2.0, 0.0), penalty_on_gaps(0.5, 0.0), penalty_on_gaps(2.0, 0.0, half=0.3)],
    "C30": [defended((0, 0), "inconclusive", transferred=[g], n=n) for g, n in ((0, 10000), (0.1, 10000), (0, 100))],
}


SCALED = {
    "C07": [defended_errors(error, half) for error, half in ((0.05, 0.004), (0.01, 0.004), (0.03, 0.01))],
    "C09": [curves(0.0, 0.2), curves(0.0, -0.2), curves(0.0, 0.2, half=0.02)],
    "K10": [cost(0.0), cost(-0.05), cost(-0.01)],
}
