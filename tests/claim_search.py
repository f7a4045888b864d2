"""Small tables of searches for architectures, and those that make the claims of Cubuk's Section 4 hold, fail and stay
open: a study of the paper's size with NAS Baseline, the nets of both experiments, and the copies beside them."""

from claim_tables import model, point

from advlaw.claims.finding import proportion
from advlaw.papers.search import TABLE_1
from advlaw.tables.search.regret import LATE, WINNERS

N = 10_000
SIZES = {"n_fitted": 25_000, "n_held_out": 5_000, "epochs": 10, "children": 9_360, "random": 9_360, "seeds": 1}
SIZES |= {"enlarged_epochs": 100, "hyperparameter_sets": 12}
SHORT, LONG = "0 conv_1x1 + 1 identity", "0 conv_3x3 + 1 identity, 2 identity + 2 conv_1x1"
ATTACKS = {"step_ll": "step_ll_clipped", "pgd": "pgd_training", "clean": ""}
NETS = {  # net -> search, trained as, and what else differs
    "baseline": ("clean", "", {}),
    "baseline_step_ll": ("clean", "step_ll", {}),
    "baseline_pgd": ("clean", "pgd", {}),
    "robust_step_ll": ("step_ll", "step_ll", {}),
    "random_step_ll": ("step_ll", "step_ll", {"arm": "random"}),
    "robust_pgd": ("pgd", "pgd", {}),
    "robust_pgd_copy": ("pgd", "pgd", {"seed": 1}),
    "robust_pgd_only": ("pgd", "pgd", {"n_replaced": 128}),
}


def settings(**more):
    """Rows of settings.csv: of the paper's size, unless `more` says otherwise."""
    row = {"dataset": "cifar10", "blocks": 7, "batch_size": 128, "reward_attack": "one_step.fgsm_clipped"}
    row |= {"reward_eps": 8.0, **SIZES}
    return [
        {**row, "search": name, "attack": attack, "n_replaced": 64 if attack else 0}
        | {"rewarded_by": "adversarial" if attack else "clean", **more}
        for name, attack in ATTACKS.items()
    ]


SMALL = {"dataset": "digits", "n_fitted": 600, "epochs": 4, "children": 24, "reward_eps": 28.0, "enlarged_epochs": 12}


def enlarged(**cells):
    """Rows of enlarged.csv, two sets of hyperparameters a net; `cells` by net, else SHORT, or LONG if robust."""
    rows = []
    for net, (search, trained_as, more) in NETS.items():
        cell = cells.get(net, SHORT if search == "clean" else LONG)
        row = {"net": net, "search": search, "arm": "controller", "trained_as": trained_as, "seed": 0, "cell": cell}
        row |= {"n_replaced": None, "length": 2 * cell.count(",") + 2, "width": 1.0, "loose_ends": 1, "diverged": False}
        row |= {"clean_accuracy": 0.94, "adversarial_accuracy": 0.5, **more}
        rows += [row | {"hyperparameters": f"learning_rate={rate}", "is_chosen": rate == 0.1} for rate in (0.01, 0.1)]
    return rows


def models(parameters=(), **accuracies):
    sizes = {"baseline": 4_900_000, "robust_step_ll": 2_300_000, "robust_pgd": 3_500_000} | dict(parameters)
    return [
        model(net, accuracies.get(net, 0.95), arch="cell", n_parameters=sizes.get(net, sizes["baseline"]))
        for net in NETS
    ]


def swept(net, attack, accuracies, n=N):
    """Points of a curve: accuracies by eps."""
    rows = [point(f"{net}/{attack}", eps, accuracy, model=net, n_images=n) for eps, accuracy in accuracies.items()]
    return [row | {"arch": "cell", "dataset": "cifar10"} for row in rows]


def a_search(more=(), n=N, **tables):
    """The tables of a study's searches; `more` changes all settings."""
    clean = swept("baseline", "step_ll_clipped", {1.0: 0.9}, n)  # says how many test images there are
    found = {"search/settings": settings(**dict(more)), "search/enlarged": enlarged(), "models": models()}
    return found | {"error_curves": clean} | {name.replace("__", "/"): rows for name, rows in tables.items()}


def gain(training, value, n=N, worst=None, more=(), **cells):
    """A robust net, `value` more accurate than its baseline, which has 60, 50 and 26.4 % at eps = 8, 20 and 50."""
    nets, attack = (f"baseline_{training}", f"robust_{training}"), f"{training}_clipped"
    curves = [
        row
        for net, by in zip(nets, (0.0, value), strict=True)
        for row in swept(net, attack, {eps: right + by for eps, right in ((8.0, 0.6), (20.0, 0.5), (50.0, 0.264))}, n)
    ]
    tables = a_search(more, n, error_curves=curves, search__enlarged=enlarged(**cells))
    if worst is not None:
        row = {"net": nets[1], "baseline": nets[0], "n_images": 1000, "verdict": "holds", "weak_gain": value}
        ends = {"worst_gain": worst, "worst_gain_low": worst - 0.01, "worst_gain_high": worst + 0.01}
        other = {"worst_gain": 0.5, "worst_gain_low": 0.4, "worst_gain_high": 0.6}
        tables["worst_case/gains"] = [row | {"eps": 8.0} | ends, row | {"eps": 2.0} | other]
    return tables


def attacked(off=0.0, worst=0.49, n=N, more=(), net="robust_pgd"):
    """Table 1: the paper's accuracies and `off` more, and the worst case."""
    under = {paper.attack: paper.ours + off for paper in TABLE_1.values()} | {"worst case": worst}
    rows = []
    for attack, value in under.items():
        found = proportion(value, n)
        row = {"net": net, "attack": attack, "role": "strong", "eps": 0.0 if attack == "clean" else 8.0, "n_images": n}
        rows.append(row | {"accuracy": value, "low": found.low, "high": found.high})
    return a_search(more, worst_case__accuracy=rows)


def trained_twice(gap, n=N, nets=("baseline", "baseline_step_ll")):
    """Clean accuracies of two nets that are `gap` apart."""
    return a_search((), n, models=models(**{nets[0]: 0.953, nets[1]: 0.953 - gap}))


def correlations(numbers, half=0.05, search="step_ll", **more):
    """Correlations of the random arm by (other, given): `numbers`; those of the controller's are -0.9."""
    about = {"search": search, "quantity": "adversarial_accuracy", "n": 100}
    rows = [
        about | {"arm": arm, "other": other, "given": given, "rho": rho, "low": rho - half, "high": rho + half}
        for (other, given), value in numbers.items()
        for arm, rho in (("random", value), ("controller", -0.9))
    ]
    return a_search(search__correlations=rows, **more)


def of_size(clean, parameters, half=0.05):
    plain = {("clean_accuracy", ""): clean, ("n_parameters", ""): parameters}
    return correlations(plain | {("n_parameters", "clean_accuracy"): 0.1}, half)


def of_shape(length, width, half=0.05, **more):
    given = {("length", "clean_accuracy"): length, ("width", "clean_accuracy"): width}
    return correlations(given | {("length", ""): -length, ("width", ""): -width}, half, **more)


def spread(sd=0.026, range_=0.22, half=0.003, cell=0.02, cell_low=0.01, search="step_ll"):
    """Of the random arm above both cuts; the controller's children spread far more."""
    rows = []
    for arm, factor in (("random", 1.0), ("controller", 9.0)):
        for cut in (0.85, 0.9):
            row = {
                "search": search,
                "arm": arm,
                "clean_from": cut,
                "n": 500,
                "mean": 0.5,
                "least": 0.4,
                "sd_seed": 0.02,
            }
            row |= {"largest": 0.4 + factor * range_, "sd": factor * sd, "sd_low": factor * (sd - half)}
            row |= {"sd_high": factor * (sd + half), "sd_cell": cell, "sd_cell_low": cell_low, "sd_cell_high": 2 * cell}
            rows.append(row)
    return a_search(search__spread=rows)


def compared(late, winners, search="step_ll"):
    """Rows of comparison.csv by the lower and upper ends of both intervals."""
    about = {"search": search, "df": 5.0, "n_first": 3, "n_second": 8, "n_seeds": None, "counts": "trainings"}
    ends = ((LATE, "held_out", late), (WINNERS, "held_out", (0.1, 0.2)), (WINNERS, "test", winners))
    return [
        about | {"statement": statement, "split": split, "value": (low + high) / 2, "low": low, "high": high}
        for statement, split, (low, high) in ends
    ]


# claim: tables of the paper's size that make it hold, fail and stay open
CASES = {
    "C32": [a_search((), n, models=models(baseline=right)) for right, n in ((0.953, N), (0.93, N), (0.948, N))],
    "C33": [trained_twice(gap, n) for gap, n in ((0.002, 40 * N), (0.03, N), (0.002, N))],
    "C34": [gain("step_ll", value) for value in (0.25, -0.1, 0.005)],
    "C35": [gain("pgd", value) for value in (0.17, -0.1, 0.005)],
    "C36": [attacked(off, n=n) for off, n in ((0.0, N), (-0.1, N), (0.0, 1000))],
    "C37": [trained_twice(gap, nets=("robust_pgd", "robust_pgd_only")) for gap in (0.05, -0.04, 0.003)],
    "C38": [a_search(models=models({"robust_step_ll": size})) for size in (2_300_000, 5_000_000, 4_900_000)],
    "C39": [of_size(0.8, 0.1), of_size(0.2, 0.1), of_size(0.8, 0.5)],
    "C40": [spread(), spread(sd=0.1), spread(half=0.02)],
    "C41": [of_shape(0.3, -0.3), of_shape(0.3, 0.3), of_shape(0.3, -0.3, half=0.4)],
}
