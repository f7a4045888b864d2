"""Small tables of a set of nets at a few eps, and those that make Kurakin's claims hold, fail and stay open."""

import math

EPS = (2.0, 4.0, 8.0, 16.0)
SET = "few"
PLAIN = "adversarial=null"
REGULARISED = "label_smoothing=0.1, dropout=0.2, weight_decay=0.0001"
NAN = math.nan
METHODS = {"fast_entropy": "fast_entropy", "random_sign": "random_sign"}


def net(name, differs="", **more):
    """A row of nets.csv: of Algorithm 1 as Kurakin has it, unless it differs in that."""
    is_plain = differs.startswith("adversarial=null") or "adversarial=null" in differs
    row = {"net": name, "differs": differs, "seed": 0, "baseline": "", "arch": "fc", "layers": 2, "activation": "relu"}
    row |= {"width": 1.0, "n_replaced": 0 if is_plain else 64, "batch_size": 128, "fixed_eps": None, "delay": 0.0}
    row |= {"attack": "" if is_plain else "step_ll_clipped", "eps_law": "" if is_plain else "|N(0, 8)| up to 16"}
    row |= {"collapsed": False, "diverged": False, "test_accuracy": 0.9, "top5_accuracy": 0.99, "n_images": 10000}
    return row | more


def trained_on(attack, **more):
    return net(attack, f'adversarial.attack="one_step.{attack}_clipped"', attack=f"{attack}_clipped", **more)


def accuracy(name, attack, eps, top1, clean=0.9, half=0.005):
    """A row of accuracy.csv; `half` is that of all its intervals."""
    attack = attack if attack == "clean" else f"{attack}_clipped"
    ratio = NAN if attack == "clean" else top1 / clean
    row = {"net": name, "attack": attack, "eps": eps, "n_images": 10000, "n_not_finite": 0, "top5_ratio": ratio}
    for column, value in (("top1", top1), ("top5", min(1.0, top1 + 0.05)), ("ratio", ratio)):
        row |= {column: value, f"{column}_low": value - half, f"{column}_high": value + half}
    return row


def under(name, attack, accuracies, **more):
    """Rows of accuracy.csv at every eps."""
    return [accuracy(name, attack, eps, top1, **more) for eps, top1 in zip(EPS, accuracies, strict=True)]


def difference(name, baseline, attack, eps, value, seeds):
    attack = attack if attack == "clean" else f"{attack}_clipped"
    row = {"net": name, "baseline": baseline, "attack": attack, "eps": eps, "n_images": 10000, "top1": 0.5}
    row |= {"difference": value, "difference_low": value - 0.0001, "difference_high": value + 0.0001}
    return row | {"seeds_low": value - seeds, "seeds_high": value + seeds}


def replicates(half, *attacks):
    """Rows of replicates.csv: of both kinds of nets, when clean and under attacks; none where half is NaN."""
    points = [("clean", 0.0), *((f"{attack}_clipped", eps) for attack in attacks for eps in EPS)]
    row = {"sd": half / 3, "df": 3, "n_nets": 4, "half_width": half}
    kinds = ("adversarial", "plain")
    rows = [{"kind": kind, "attack": attack, "eps": eps} | row for kind in kinds for attack, eps in points]
    return [] if math.isnan(half) else rows


def a_set(nets, accuracies=(), dataset="mnist", **tables):
    """The tables of a set; each net has clean images, right in 90 % unless `accuracies` say otherwise."""
    said = {row["net"] for row in accuracies if row["attack"] == "clean"}
    clean = [accuracy(row["net"], "clean", 0.0, 0.9) for row in nets if row["net"] not in said]
    found = {"nets": nets, "accuracy": [*clean, *accuracies], **tables}
    sets = {"trials/sets": [{"set": SET, "kind": "varied", "dataset": dataset, "n_nets": len(nets)}]}
    return sets | {f"trials/{SET}/{name}": rows for name, rows in found.items()}


def against(nets, baseline, changes, seeds):
    """A set of nets beside one baseline: its changes by attack, the same at every eps."""
    rows = [row | {"baseline": "base"} for row in nets]
    found = [
        difference(row["net"], "base", attack, eps, value, seeds)
        for row in rows
        for attack, value in changes.items()
        for eps in ((0.0,) if attack == "clean" else EPS)
    ]
    return a_set([net("base", baseline), *rows], differences=found)


def plain_under(attack, error):
    return a_set([net("plain", PLAIN)], under("plain", attack, [1 - error] * 4))


def fixed_eps(own, elsewhere, random, seeds):
    """Gains of a net trained at eps = 8, there and at the others, and the least one of training at random eps."""
    law = {"eps_law": "fixed 8", "fixed_eps": 8.0}
    nets = [net("plain", PLAIN), net("step_ll"), net("eps_8", 'adversarial.eps={"fixed": 8.0}', **law)]
    rows = [difference("eps_8", "plain", "step_ll", eps, own if eps == 8 else elsewhere, seeds) for eps in EPS]
    rows += [difference("step_ll", "plain", "step_ll", eps, random, seeds) for eps in EPS]
    return a_set(nets, differences=rows)


def unregularised(clean, attacked, decayed, seeds):
    less = "label_smoothing=0.1, dropout=0.2, weight_decay=1e-05"
    tables = against([net("no_dropout", "label_smoothing=0.1, weight_decay=0.0001")], REGULARISED, {}, seeds)
    nets = [*tables[f"trials/{SET}/nets"], net("less_decay", less, baseline="base")]
    rows = [
        difference(name, "base", attack, eps, value, seeds)
        for name, under_attack in (("no_dropout", attacked), ("less_decay", decayed))
        for attack, eps, value in (("clean", 0.0, clean), ("step_ll", 16.0, under_attack))
    ]
    return a_set(nets, differences=rows)


def methods(gain, noise, others_fgsm, half):
    """Nets trained on step l.l., fast entropy and noise; step l.l. has 70 % under FGSM."""
    nets = [net("plain", PLAIN), net("step_ll"), *(trained_on(name) for name in METHODS)]
    gains = {"step_ll": gain, "fast_entropy": gain, "random_sign": noise}
    rows = [difference(name, "plain", "fgsm", eps, value, half) for name, value in gains.items() for eps in EPS]
    right = {"plain": 0.1, "step_ll": 0.7, **dict.fromkeys(METHODS, others_fgsm)}
    found = [row for name, top1 in right.items() for row in under(name, "fgsm", [top1] * 4)]
    return a_set(nets, found, differences=rows, replicates=replicates(half, "fgsm"))


def leaks(fgsm, iterative, step_ll, half=0.005):
    """Ratios of accuracies at eps = 16 to clean ones, of nets trained on FGSM and on step l.l. examples."""
    ratios = [("fgsm", "fgsm", fgsm), ("fgsm", "iter_basic", iterative), ("step_ll", "step_ll", step_ll)]
    rows = [accuracy(name, attack, 16.0, 0.9 * ratio, half=half) for name, attack, ratio in ratios]
    return a_set([net("step_ll"), trained_on("fgsm")], rows)


def widths(clean, robust, plain, half, iterative=0.2):
    """Nets of widths 0.5, 1 and 2: clean accuracies, and ratios with and without adversarial training."""
    nets, rows = [], []
    for kind, ratios in (("", robust), (PLAIN, plain)):
        for width, right, ratio in zip((0.5, 1.0, 2.0), clean, ratios, strict=True):
            differs = ", ".join(filter(None, (f"width={width}" if width != 1 else "", kind)))
            name = differs or "step_ll"
            nets.append(net(name, differs, width=width))
            rows.append(accuracy(name, "clean", 0.0, right))
            for attack, share in (("step_ll", ratio), ("iter_ll", iterative)):
                rows.append(accuracy(name, attack, 16.0, share * right, right))
    return a_set(nets, rows, replicates=replicates(half, "step_ll", "iter_ll"))


def deeper(base, deep, seeds, layers=4):
    """The costs in clean accuracy of adversarial training, of a net and of one with another number of layers."""
    nets = [net("plain", PLAIN), net("step_ll"), net("deep", "widths=[9, 9, 9, 9]", layers=layers)]
    nets.append(net("deep_plain", "adversarial=null, widths=[9, 9, 9, 9]", layers=layers))
    rows = [difference("step_ll", "plain", "clean", 0.0, base, seeds)]
    return a_set(nets, differences=[*rows, difference("deep", "deep_plain", "clean", 0.0, deep, seeds)])


def moved(rate, half=0.02):
    """Transfer rates: of each attack beside the next, and of larger eps beside smaller ones."""
    compared = [("fgsm_clipped", "iter_basic_clipped"), ("iter_basic_clipped", "iter_ll_clipped")]
    compared.append(("fgsm_clipped", "smaller eps"))
    row = {"eps": 16.0, "n_images": 1000, "n_fooled": 900, "rate": rate, "rate_low": rate - half}
    rows = [{"attack": one, "other": other} | row | {"rate_high": rate + half} for one, other in compared]
    return a_set([net("plain", PLAIN)], transfer_methods=rows)


def activations(clean, attacked, similar, seeds):
    """Changes by tanh, and of clean accuracy by relu6."""
    nets = [net("tanh", 'activation="tanh"', activation="tanh"), net("relu6", 'activation="relu6"', activation="relu6")]
    tables = against(nets, "", {}, seeds)
    rows = [difference("tanh", "base", "clean", 0.0, clean, seeds)]
    rows += [difference("tanh", "base", "step_ll", 16.0, attacked, seeds)]
    rows += [difference("relu6", "base", "clean", 0.0, similar, seeds)]
    return tables | {f"trials/{SET}/differences": rows}


def gains(nets, value, seeds, attack="iter_ll"):
    return against(nets, PLAIN, {attack: value}, seeds)


DELAYED = [net("delayed", "adversarial.delay=0.13", delay=0.13)]
ITERATIVE = [net("pgd", 'adversarial.attack="iterative.pgd_training"', attack="pgd_training")]
ELU = [net("elu", 'activation="elu", adversarial=null', activation="elu")]
MORE = [net("images_96", "adversarial.images=96", n_replaced=96)]
TRAINED = [net("step_ll")]
# claim: tables that make it hold, fail and stay open, of data other than ImageNet
SETS = {
    "K01": [plain_under("fgsm", error) for error in (0.66, 0.3, 0.685)],
    "K02": [plain_under("iter_ll", error) for error in (0.999, 0.5, 0.99)],
    "K05": [fixed_eps(0.3, 0.1, 0.2, 0.01), fixed_eps(0.1, 0.3, 0.2, 0.01), fixed_eps(0.3, 0.1, 0.2, 0.3)],
    "K08": [
        unregularised(-0.003, 0.012, -0.01, 0.002),
        unregularised(0.01, 0.012, -0.01, 0.002),
        unregularised(-0.003, 0.012, -0.01, 0.02),
    ],
    "K09": [
        against(DELAYED, "", {"clean": clean, "step_ll": -0.02}, seeds)
        for clean, seeds in ((0.0, 0.001), (-0.02, 0.001), (0.0, 0.01))
    ],
    "K11": [a_set(TRAINED, under("step_ll", "step_ll", [0.9 * ratio] * 4)) for ratio in (0.955, 0.5, 0.969)],
    "K12": [methods(0.3, 0.0, 0.5, 0.01), methods(0.3, 0.2, 0.5, 0.01), methods(0.3, 0.0, 0.7, 0.01)],
    "K15": [leaks(1.05, 0.1, 0.9), leaks(0.9, 0.1, 0.9), leaks(1.001, 0.1, 0.9)],
    "K17": [
        widths((0.8, 0.85, 0.9), (0.7, 0.8, 0.9), (0.3, 0.4, 0.3), 0.01),
        widths((0.8, 0.85, 0.9), (0.9, 0.8, 0.7), (0.3, 0.4, 0.3), 0.01),
        widths((0.8, 0.85, 0.9), (0.7, 0.8, 0.9), (0.3, 0.4, 0.3), 0.2),
    ],
    "K18": [deeper(-0.05, -0.01, 0.01), deeper(-0.01, -0.05, 0.01), deeper(-0.02, -0.01, 0.01)],
    "K19": [moved(0.1), moved(-0.1), moved(0.01)],
    "K20": [against(ELU, PLAIN, {"clean": change}, 0.01) for change in (0.0, -0.1, 0.015)],
    "K21": [
        a_set(TRAINED, under("step_ll", "fgsm", right))
        for right in ((0.9, 0.5, 0.6, 0.4), (0.9, 0.6, 0.5, 0.4), (0.6, 0.5, 0.501, 0.4))
    ],
    "K22": [
        activations(-0.03, -0.1, 0.0, 0.005),
        activations(0.03, -0.1, 0.0, 0.005),
        activations(-0.03, -0.1, 0.0, 0.02),
    ],
    "K23": [
        against(MORE, "", {"clean": -0.005, "step_ll": gain}, seeds)
        for gain, seeds in ((0.01, 0.002), (0.1, 0.002), (0.01, 0.1))
    ],
}
SETS_BESIDE = {  # claims that other tables judge as well
    "K10": [against(TRAINED, PLAIN, {"clean": change}, 0.005) for change in (0.0, -0.05, -0.01)],
    "K13": [gains(TRAINED, value, 0.005) for value in (0.0, 0.2, 0.02)],
    "K14": [gains(ITERATIVE, value, 0.005) for value in (0.0, 0.2, 0.02)],
}
WITHOUT_SEEDS = {  # the tables on which each holds, as if no net had a replicate
    "K05": fixed_eps(0.3, 0.1, 0.2, NAN),
    "K08": unregularised(-0.003, 0.012, -0.01, NAN),
    "K09": against(DELAYED, "", {"clean": 0.0, "step_ll": -0.02}, NAN),
    "K10": against(TRAINED, PLAIN, {"clean": 0.0}, NAN),
    "K12": methods(0.3, 0.0, 0.5, NAN),
    "K13": gains(TRAINED, 0.0, NAN),
    "K14": gains(ITERATIVE, 0.0, NAN),
    "K17": widths((0.8, 0.85, 0.9), (0.7, 0.8, 0.9), (0.3, 0.4, 0.3), NAN),
    "K18": deeper(-0.05, -0.01, NAN),
    "K20": against(ELU, PLAIN, {"clean": 0.0}, NAN),
    "K22": activations(-0.03, -0.1, 0.0, NAN),
    "K23": against(MORE, "", {"clean": -0.005, "step_ll": 0.01}, NAN),
}
