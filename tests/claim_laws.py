"""Rows of the tables of exponents, as claims read them: of curves, of nets together, of the gaps between logits."""


def around(name, value, half):
    return {name: value, f"{name}_low": value - half, f"{name}_high": value + half}


def exponent(attack, value, half=0.05, sweep="fc", **more):
    """A curve's row of laws/exponents; an attack that does not know the label has a net exponent."""
    row = {"curve": f"{sweep}/{attack}", "model": sweep, "net": sweep, "dataset": "mnist", "split": "test"}
    row |= {"arch": "fc", "defence": "", "labels": "original", "attack": attack, "n_images": 10000, "n_errors": 900}
    row |= {"train_accuracy": 1.0, "remark": "", "kind": "net" if attack in ("step_ll", "step_rnd") else "gross"}
    row |= around("factor_1", 0.0, 0.1) | {"p_straight": 0.5} | around("exponent", value, half)
    return row | around("half_prior", value, half) | around("double_prior", value, half) | more


def line(attack, value, half=0.05, p_value=0.5, **more):
    """A curve's rows of exponents: least squares on net errors, and how well a straight line fits the gross ones."""
    row = {"kind": "net", "estimator": "least_squares", "chi2_p_value": None}
    names = "curve model net dataset split arch defence labels attack n_images n_errors train_accuracy".split()
    law = exponent(attack, value, half)
    row |= {name: law[name] for name in (*names, *around("exponent", value, half))} | more
    return [row, row | {"kind": "gross", "estimator": "mean_slope", "chi2_p_value": p_value}]


def exponents(*rows):
    return {"laws/exponents": list(rows)}


def lines(*pairs):
    return {"exponents": [row for pair in pairs for row in pair]}


def by_attack(fgsm, half=0.02):
    """Slopes of the paper's four attacks, but of FGSM."""
    values = {"l2": 1.1, "fgsm": fgsm, "pgd": 1.3, "step_ll": 2.3}
    return lines(*(line(attack, value, half) for attack, value in values.items()))


def shuffled(value, half=0.02, **more):
    more = {"curve": "fc_shuffled/fgsm", "model": "fc_shuffled", "labels": "shuffled", "split": "train"} | more
    return lines(line("fgsm", value, half, **more))


def paired(difference, half=0.005, curve="fc/fgsm", other="fc/l2"):
    return {
        "laws/paired": [{"curve": curve, "other": other, "n_images": 10000} | around("difference", difference, half)]
    }


def pooled(value, half=0.05, p_equal=0.9, attack="fgsm", **more):
    """A set's nets together, and one named net whose exponent is that of the paper."""
    row = {"set": "sampled", "nets": "all", "attack": attack, "share": 0.1, "n_nets": 100, "n_errors": 78000}
    row |= {"p_equal": p_equal, "tau": 0.0} | around("exponent", value, half) | more
    return {"laws/pooled": [row]} | exponents(exponent("fgsm", 1.05))


def share(value, half=0.05):
    """Of sampled nets, how many slopes by least squares are in the paper's range."""
    row = {"attack": "fgsm", "nets": "all", "estimate": "net_ls", "n_nets": 100, "band_low": 0.9, "band_high": 1.2}
    return {"trials/sampled/exponents": [row | around("share", value, half)]}


def gap(rank, value, half=0.05, epoch=None, net="fc", n_gaps=1000, **more):
    """The exponent of the density of a net's gaps."""
    row = {"net": net, "dataset": "mnist", "epoch": epoch, "images": "all", "rank": rank, "share": 0.1}
    row |= {"n_gaps": n_gaps, "largest_gap": 2.0, "p_fit": 0.5, "remark": ""}
    return row | around("exponent", value, half) | more


def tails(second, third=1.0, half=0.05, **more):
    rows = zip((2, 3, 4, 5), (second, third, 2.0, 3.0), strict=True)
    return [gap(rank, value, half, **more) for rank, value in rows]
