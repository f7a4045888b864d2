"""Tables of made searches: cells and accuracies out of a hat, rows as the tables of searches have them."""

from base64 import b64encode

import numpy as np
from claim_tables import frame

from advlaw.core.tables import Tables, framed
from advlaw.evaluation.pictures import COLUMNS
from advlaw.models.cell_graph import COMBINE, OPERATIONS, canonical, drawn, from_decisions
from advlaw.tables.search import children, enlarged, regret, statistics

BLOCKS = 7
REWARDS = {"step_ll": "adversarial", "pgd": "adversarial", "clean": "clean"}
NETS = {  # search, arm, trained as, seed
    "baseline": ("clean", "controller", None, 0),
    "baseline_step_ll": ("clean", "controller", "step_ll", 0),
    "baseline_pgd": ("clean", "controller", "pgd", 0),
    "robust_step_ll": ("step_ll", "controller", "step_ll", 0),
    "robust_step_ll_copy": ("step_ll", "controller", "step_ll", 1),
    "random_step_ll": ("step_ll", "random", "step_ll", 0),
    "robust_pgd": ("pgd", "controller", "pgd", 0),
}
CLEAN = {"baseline": 0.95, "robust_step_ll": 0.94, "random_step_ll": 0.93, "robust_pgd": 0.9}
HALF = {"baseline": 3.0, "robust_step_ll": 50.0, "random_step_ll": 40.0, "robust_pgd": 12.0}  # eps where half is left


def searched(reward, n_children=24, n_random=24, seeds=1, draw=0):
    """What `advlaw.search.rounds.searched` gives: children of both arms, rounds of 8, cells trained anew."""
    rng = np.random.default_rng(draw)
    made, rounds = [], []
    arms = [("random", 0, n_random), *(("controller", seed, n_children) for seed in range(seeds))]
    for arm, seed, count in arms:
        for index in range(count):
            made.append(_child(rng, reward, arm, seed, index, 0.0 if arm == "random" else 0.1 * index / count))
        if arm == "controller":
            own = [child["reward"] for child in made if (child["arm"], child["seed"]) == (arm, seed)]
            for number in range(-(-count // 8)):
                mean = float(np.mean(own[8 * number : 8 * number + 8]))
                row = {"seed": seed, "round": number, "n_children": 8, "reward": mean, "baseline": mean}
                rounds.append(row | {"entropy": 62.0 - 3 * number, "clipped": 0.1, "loss": -1.0})
    return {"children": made, "rounds": rounds, "repeated": _repeated(rng, made)}


def _child(rng, reward, arm, seed, index, better):
    cell = canonical(from_decisions(drawn(rng, BLOCKS, OPERATIONS, tuple(COMBINE)), OPERATIONS, tuple(COMBINE)))
    clean = float(np.clip(rng.normal(0.88 + better, 0.04), 0.3, 0.99))
    robust = float(np.clip(0.55 + 0.8 * (clean - 0.88) + rng.normal(0, 0.04), 0.0, clean))
    child = {"arm": arm, "seed": seed, "index": index, "round": index // 8, "cell": cell.code, "diverged": False}
    child |= {"n_parameters": int(np.exp(rng.normal(11.4, 0.3))), "flops": int(rng.integers(10**6, 2 * 10**6))}
    accuracies = {"clean_accuracy": clean, "adversarial_accuracy": robust}
    return child | accuracies | {"reward": accuracies[f"{reward}_accuracy"]}


def _repeated(rng, made):
    by_arm = {arm: [child for child in made if child["arm"] == arm] for arm in ("controller", "random")}
    chosen = [(f"best of {arm}", [max(own, key=lambda child: child["reward"])]) for arm, own in by_arm.items() if own]
    chosen.append(("unchosen", by_arm["random"][:8]))
    rows = []
    for role, own in chosen:
        for rank, child in enumerate(own):
            for seed in (1, 2, 3):
                row = {"role": role, "rank": rank, "cell": child["cell"], "child_seed": seed, "diverged": False}
                for name in children.ACCURACIES:
                    row |= {f"{kind}{name}": float(child[name] - abs(rng.normal(0, 0.03))) for kind in ("", "test_")}
                rows.append(row)
    return rows


def tables_of(found, nets=(), pictures=(), bootstrap=50):
    """The tables of a study with these searches by name, enlarged nets of `NETS` and sets of pictures."""
    rng = np.random.default_rng(1)
    given = {
        "search/children": (children.CHILD_COLUMNS, children.child_rows(found)),
        "search/rounds": (children.ROUND_COLUMNS, children.round_rows(found)),
        "search/repeated": (children.REPEATED_COLUMNS, children.repeated_rows(found)),
        "search/regret": (regret.REGRET_COLUMNS, regret.regret_rows(found)),
        "search/correlations": (
            statistics.CORRELATION_COLUMNS,
            statistics.correlation_rows(found, rng, bootstrap, 0.95),
        ),
        "search/running": (statistics.RUNNING_COLUMNS, statistics.running_rows(found, 0.95)),
        "search/reliability": (statistics.RELIABILITY_COLUMNS, statistics.reliability_rows(found, 0.95)),
        "search/spread": (statistics.SPREAD_COLUMNS, statistics.spread_rows(found, rng, bootstrap, 0.95)),
        "search/enlarged": (enlarged.ENLARGED_COLUMNS, enlarged.enlarged_rows(_larger(found, nets))),
    }
    tables = {name: framed(rows, columns) for name, (columns, rows) in given.items()}
    tables["search/settings"] = frame(
        [{"search": name, "rewarded_by": REWARDS[name], "reward_eps": 8.0} for name in found]
    )
    tables["error_curves"] = frame([row for net in nets for row in _curve(net)])
    return Tables(tables | dict(pictures))


def _larger(found, nets):
    larger = {}
    for net in nets:
        search, arm, trained_as, seed = NETS[net]
        own = [child for child in found[search]["children"] if child["arm"] == arm]
        cell = max(own, key=lambda child: child["reward"])["cell"]
        accuracies = {"clean_accuracy": 0.9, "adversarial_accuracy": 0.5, "diverged": False}
        sets = [{"values": {"learning_rate": rate}, "is_chosen": rate == 0.01, **accuracies} for rate in (0.003, 0.01)]
        larger[net] = {
            "search": search,
            "arm": arm,
            "adversarial": trained_as,
            "images": None,
            "seed": seed,
            "cell": cell,
            "sets": sets,
        }
    return larger


def _curve(net):
    """Points of a net's curves: the baseline is under both attacks, others under the one that they are trained on."""
    trained_as = NETS[net][2]
    rows = []
    for attack in ("step_ll", "pgd") if trained_as is None else (trained_as,):
        clean, half = CLEAN.get(net, 0.92), HALF.get(net, 20.0)
        for eps in np.geomspace(0.1, 128.0, 24):
            error = clean / (1 + half / eps)
            row = {"net": net, "attack": f"{attack}_clipped", "grid_eps": float(eps), "clean_accuracy": clean}
            row |= {"accuracy": clean - error, "net_error": error, "net_low": error - 0.02, "net_high": error + 0.02}
            rows.append(row | {"snapshot": ""})
    return rows


def pictures_of(name="step_ll", dataset="digits", shape=(1, 8, 8), classes=10):
    """A set of pictures as its table has them: of class 5 none fools the net; the baseline is wrong on odd ones."""
    rng = np.random.default_rng(0)
    rows = []
    for label in range(classes):
        for role, said in (
            ("fooled", (label + 5) % classes),
            ("withstood", label),
            ("baseline", (label + label % 2) % classes),
        ):
            if (label, role) != (5, "fooled"):
                pixels = b64encode(rng.integers(0, 256, shape, dtype=np.uint8).tobytes()).decode()
                rows.append(dict(zip(COLUMNS, (label, role, 7, said, *shape, pixels), strict=True)))
    about = {"set": name, "dataset": dataset, "net": "robust_step_ll", "baseline": "baseline_step_ll"}
    about |= {"attack": "one_step.step_ll_clipped", "eps": 50.0}
    return {"pictures/sets": frame([about]), f"pictures/{name}": frame(rows)}
