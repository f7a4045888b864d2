"""What stands under a figure: what the paper shows in it, and what is seen here, from the study's own tables.

No number is written here: it is read from a table of the study, or the words are true of every study.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from advlaw.core.io import Row, Tables
from advlaw.papers.names import ATTACK_NAMES
from advlaw.report.cells import interval
from advlaw.report.trials_tables import EXPONENTS, rows_of


@dataclass(frozen=True)
class Caption:
    """`title` is also what a screen reader says of the figure; `paper` is empty where the paper has no such figure."""

    title: str
    paper: str
    seen: str


def caption(name: str, tables: Tables) -> Caption:
    """The caption of a figure by its file's name; one made of the name alone for a figure that is not known."""
    if name in KNOWN:
        title, paper, seen = KNOWN[name]
        return Caption(title, paper, seen(name, tables))
    for begins, (title, paper, seen) in OF_A_NET.items():
        if name.startswith(begins):
            return Caption(f"{title}: {name.removeprefix(begins)}", paper, seen(name.removeprefix(begins), tables))
    return Caption(name.replace("_", " "), "", "")


def _said(words: str) -> Callable[[str, Tables], str]:
    return lambda name, tables: words


def _listed(lead: str, found: Iterable[str]) -> str:
    shown = list(dict.fromkeys(found))
    return f"{lead}: {'; '.join(shown)}." if shown else ""


def _joined(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)


def _exponents(words: str) -> Callable[[str, Tables], str]:
    """The fitted exponent of every curve in the figure, from the table of what was plotted."""

    def seen(name: str, tables: Tables) -> str:
        plotted = {row["curve"]: (row["dataset"], row["label"]) for row in tables.get(f"figures/{name}", [])}
        fitted = {row["curve"]: row for row in tables["exponents"] if row["is_reported"] == "true"}
        is_ambiguous = len({label for _, label in plotted.values()}) < len(plotted)
        found = []
        for curve, (dataset, label) in plotted.items():
            if curve in fitted:
                net = f"{curve.partition('/')[0]} on {dataset}, " if is_ambiguous else ""
                found.append(f"{net}{label} {interval(fitted[curve])}")
        return _joined(_listed("Exponents here, with 95 % intervals", found), words)

    return seen


def _thresholds(net: str, tables: Tables) -> str:
    own = [row for row in tables.get("theory/predictions", []) if (row["net"], row["attack"]) == (net, "l2")]
    return _joined(
        "Brighter cells hold more images; on the dashed diagonal the predicted threshold is the measured one.",
        *(
            f"Rank correlation of prediction and measurement: linear response {interval(row, 'spearman_linear')}, "
            f"mean field {interval(row, 'spearman_mean_field')}."
            for row in own
            if row["spearman_linear"] and row["spearman_mean_field"]
        ),
    )


def _residuals(name: str, tables: Tables) -> str:
    found = [f"{row['net']} {float(row['slope']):.2f}" for row in tables.get("theory/residuals", []) if row["slope"]]
    words = (
        "Slope 2 is what a smooth function leaves after its linear response; slope 1 says that the response "
        "is not linear however small ε is, for at least some images. A linear net leaves nothing and is not drawn."
    )
    return _joined(_listed("Slopes at small ε", found), words)


def _takeovers(name: str, tables: Tables) -> str:
    rows = [row for row in tables.get("theory/predictions", []) if row["second_first"]]
    named = {"l2": "Share under the L2 attack up to an L2 norm of 50", "fgsm": "Under FGSM up to ε = 50 in L∞"}
    lists = (
        _listed(title, [_share(row, "second_first") for row in rows if row["attack"] == attack])
        for attack, title in named.items()
    )
    return _joined(*lists)


def _share(row: Row, name: str) -> str:
    value, low, high = (100 * float(row[f"{name}{end}"]) for end in ("", "_low", "_high"))
    return f"{row['net']} {value:.1f} % [{low:.1f}, {high:.1f}]"


def _densities(words: str) -> Callable[[str, Tables], str]:
    """The exponents of the density of Delta_12 at the smallest share of gaps, for every trained net."""

    def seen(name: str, tables: Tables) -> str:
        rows = [row for row in tables.get("theory/gap_exponents", []) if (row["images"], row["rank"]) == ("all", "2")]
        final = [row for row in rows if not row["epoch"] and row["exponent"]]
        smallest = min((float(row["share"]) for row in final), default=0.0)
        found = (f"{row['net']} {interval(row)}" for row in final if float(row["share"]) == smallest)
        lead = (
            f"Exponent of the density of Δ₁₂ of all nets that were followed, smallest {100 * smallest:g} % of the gaps"
        )
        return _joined(_listed(lead, found), words)

    return seen


def _label_blind(net: str, tables: Tables) -> str:
    words = (
        "(a) The closer the two largest logits, the more often the runner-up is the right class. (b) How fast the gap "
        "closes, with the spread over images. (c) The net error, measured and from these two causes."
    )
    found = []
    for row in tables.get("theory/label_blind", []):
        is_wanted = (row["net"], row["kind"], row["estimator"]) == (net, "net", "maximum_likelihood")
        if is_wanted and row["speeds"] == "measured" and row["exponent"]:
            found.append(f"{ATTACK_NAMES.get(row['attack'], row['attack'])} {interval(row)}")
    return _joined(words, _listed("Net exponents as measured", found))


def _gains(words: str) -> Callable[[str, Tables], str]:
    """What is left of each defence's gain in the worst case, at the largest eps."""

    def seen(name: str, tables: Tables) -> str:
        rows = tables.get("worst_case/gains", [])
        largest = max((float(row["eps"]) for row in rows), default=0.0)
        found = []
        for row in rows:
            if float(row["eps"]) == largest:
                gain, low, high = (100 * float(row[f"worst_gain{end}"]) for end in ("", "_low", "_high"))
                found.append(f"{row['net']} {gain:+.1f} [{low:+.1f}, {high:+.1f}] ({row['verdict']})")
        lead = f"Gain over the net without the defence in the worst case at ε = {largest:g}, in points"
        return _joined(words, _listed(lead, found))

    return seen


def _population(estimate: str) -> Callable[[str, Tables], str]:
    def seen(name: str, tables: Tables) -> str:
        found = []
        for row in rows_of(tables, EXPONENTS):
            if (row["nets"], row["estimate"]) != ("all", estimate) or row["n_nets"] == "0":
                continue
            middle, low, high = (float(row[f"quantile_{q}"]) for q in ("0.5", "0.05", "0.95"))
            attack = ATTACK_NAMES.get(row["attack"], row["attack"])
            found.append(f"{attack} {middle:.2f} [{low:.2f}, {high:.2f}] over {row['n_nets']} nets")
        return _listed("Median net exponent by least squares [5 %, 95 %]", found)

    return seen


CONTROLS = (
    "Thick lines are the attack of the paper; thin ones say what controls find on the same nets, of which the dashed "
    "one, the worst case over all attacks, is what robustness would have to survive."
)
FITTED = (
    "Points: clean minus adversarial accuracy, shaded by its 95 % interval; lines: the fitted law, solid where fitted."
)
NONE = "No figure of the papers"
Known = tuple[str, str, Callable[[str, Tables], str]]

KNOWN: dict[str, Known] = {
    "figure_2a": (
        "Adversarial error under FGSM against ε: a linear, a fully connected and a convolutional net",
        "Cubuk Fig. 2a: FGSM's error on MNIST is a power law for three architectures, a linear model among them.",
        _exponents(FITTED),
    ),
    "figure_2b": (
        "Adversarial error under FGSM of nets fitted to shuffled labels, on their training images",
        "Cubuk Fig. 2b: a net that fits shuffled labels perfectly has nearly the same exponent on its training images.",
        _exponents("Each state of training has its own law: the exponent depends on when training ends."),
    ),
    "figure_2b_gaps": (
        "Share of images whose gap Δ₁₂ is below a multiple of its median, for shuffled and for true labels",
        f"{NONE}: it asks why Fig. 2b comes out as it does.",
        _said(
            "A curve parallel to the dotted line has a positive density of gaps at zero, and the error then begins "
            "linearly in ε; a steeper one has pushed its training images away from ties."
        ),
    ),
    "figure_2c": (
        "Adversarial error of a fully connected net against ε under FGSM, L2, step l.l. and PGD",
        "Cubuk Fig. 2c: attacks on the true label share an exponent near 1; that of step l.l. is about 2.",
        _exponents(FITTED),
    ),
    "figure_4": (
        "Density of the gaps between the largest logit and the next ones, of a net and of independent random logits",
        "Cubuk Fig. 4: near zero the density of Δ₁₂ is flat, those of Δ₁ⱼ rise as powers that grow with j, for an "
        "ImageNet net as for independent uniform logits.",
        _densities("Zero is a flat density. Dotted lines have the slopes of the theory."),
    ),
    "figure_5": (
        "Adversarial accuracy against ε with and without the entropy penalty and adversarial training",
        "Cubuk Fig. 5: the entropy penalty makes nets more accurate under step l.l., with and without adversarial "
        "training.",
        _gains(CONTROLS),
    ),
    "figure_6": (
        "Density of the gaps between logits, with and without the entropy penalty",
        "Cubuk Fig. 6: the penalty moves gaps to larger values and leaves fewer small ones; the tails keep their "
        "exponents.",
        _densities("A curve further to the right has larger gaps."),
    ),
    "figure_10": (
        "Adversarial error under FGSM against ε of nets whose architectures were drawn at random",
        "Cubuk Fig. 10: the curves of hundreds of sampled nets on MNIST, said to share one form.",
        _population("net_ls"),
    ),
    "figure_11": (
        "Adversarial error of ResNets on CIFAR-10 against ε",
        "Cubuk Fig. 11: a ResNet-32 on CIFAR-10 follows a power law with an exponent of 0.99.",
        _exponents(FITTED),
    ),
    "figure_12": (
        "Adversarial accuracy under step l.l. of wide ResNets on CIFAR-10, with and without the entropy penalty",
        "Cubuk Fig. 12: the entropy penalty makes a wide ResNet more accurate under step l.l. at equal clean accuracy.",
        _gains(CONTROLS),
    ),
    "figure_13": (
        "Density of the gaps between logits, of other nets",
        "Cubuk Fig. 13: the distributions of gaps of other ImageNet models look like those of Fig. 4.",
        _densities("Zero is a flat density. Dotted lines have the slopes of the theory."),
    ),
    "own": (
        "Adversarial error of a person's own model",
        f"{NONE}: Cubuk Fig. 2c has these attacks on a fully connected net on MNIST.",
        _exponents(FITTED),
    ),
    "clipping": (
        "Adversarial error under FGSM with and without clipping to valid pixels",
        f"{NONE}: Cubuk Eq. 1 does not clip, Kurakin's attacks do.",
        _exponents("Clipping cuts off what would leave the range of pixels, so that the same ε moves an image less."),
    ),
    "defended": (
        "Adversarial error of defended nets under FGSM",
        f"{NONE}: Cubuk Fig. 1 has adversarially trained ImageNet nets among others, with exponents of 0.9 to 1.1 "
        "as all of them.",
        _exponents(FITTED),
    ),
    "one_step_methods": (
        "Accuracy of one net against ε under all one-step methods, top 1 and top 5",
        "Kurakin's appendix compares such methods on ImageNet; Cubuk takes FGSM, L2 and step l.l.",
        _said("Left: methods that use the true label. Right: methods that do not, and noise. Dotted: top 5."),
    ),
    "error_predictions": (
        "Share of images broken against ε: measured, and predicted from clean logits",
        "Cubuk Eq. 8 predicts the error from the gaps of clean images; the paper draws no such figure.",
        _said("Where linear response or mean field are within a tenth of the measured curve is in the table below."),
    ),
    "residuals": (
        "Mean distance of the logits from their linear response against ε",
        "Cubuk Eq. 4 takes logits to respond linearly to a small perturbation; the paper shows one image (Fig. 3a).",
        _residuals,
    ),
    "takeovers": (
        "Share of the broken images whose runner-up class takes over first, against ε",
        "Cubuk Sec. 3.1 says that in more than 95 % of successful FGSM attacks with ε < 50 the second largest logit is "
        "the first to take over.",
        _takeovers,
    ),
    "gaps_in_training": (
        "Density of the gaps Δ₁₂ and Δ₁₃ at several epochs of training",
        f"{NONE}.",
        _said("One marker for each epoch. Where a curve is flat to the left, there are images arbitrarily near a tie."),
    ),
    "population_exponents": (
        "How the exponents of sampled nets are distributed, by two estimators",
        "Cubuk Sec. 2 says that sampled nets have exponents between 0.9 and 1.2.",
        _population("net_ls"),
    ),
    "population_scatter": (
        "Exponents and errors of sampled nets against their size, depth and clean accuracy",
        f"{NONE}.",
        _said("Each dot is a net: above its exponent by least squares, below its gross error at one ε."),
    ),
}
OF_A_NET: dict[str, Known] = {
    "figure_3_": (
        "Logits along one ray, and predicted against measured thresholds",
        "Cubuk Fig. 3: logits respond linearly to a small perturbation (a), which predicts the smallest ε that changes "
        "the class of each image (b), and so does the gap alone (c).",
        _thresholds,
    ),
    "label_blind_": (
        "Why attacks that do not know the label have larger exponents",
        "The paper reports the larger exponent of step l.l. and leaves its cause open.",
        _label_blind,
    ),
}
