"""The chapters of a study's report: which figures and tables belong together, in the order they are read."""

from dataclasses import dataclass
from fnmatch import fnmatch

from markupsafe import Markup

from advlaw.core.io import Tables
from advlaw.report.captions import Caption, caption
from advlaw.report.html_svg import inline_svg, width
from advlaw.report.html_table import html_table, n_rows
from advlaw.report.markdown import BLOCKS
from advlaw.report.trials_tables import DIFFERENCES, EXPONENTS


@dataclass(frozen=True)
class ShownFigure:
    key: str  # its id in the page
    name: str
    caption: Caption
    svg: Markup
    is_wide: bool  # several panels side by side: takes the width of the page


@dataclass(frozen=True)
class ShownTable:
    key: str
    title: str
    is_open: bool
    html: Markup


@dataclass(frozen=True)
class Chapter:
    key: str
    title: str
    lead: str
    figures: list[ShownFigure]
    tables: list[ShownTable]


@dataclass(frozen=True)
class Plan:
    """A chapter's title and lead, its figures (a name, or how names begin with `*`), and tables of `BLOCKS`."""

    title: str
    lead: str
    figures: tuple[str, ...]
    tables: tuple[str, ...]


PLANS = {
    "curves": Plan(
        "Adversarial error against ε",
        "Adversarial error is clean minus adversarial accuracy; ε is in pixel units of [0, 255]. The law is A·ε^B. "
        "Gross counts images that become wrong, net takes off those that become right; ML is maximum likelihood on "
        "each image's threshold, LS the papers' straight line through the net curve in log-log. Bold: the exponent "
        "judged.",
        ("figure_2a", "figure_2c", "figure_11", "own", "clipping", "one_step_methods"),
        ("exponents", "models"),
    ),
    "shuffled": Plan(
        "Shuffled labels",
        "A net that fits shuffled labels has learnt nothing that holds for other images; it is attacked on its own "
        "training images, at several states of training.",
        ("figure_2b", "figure_2b_gaps"),
        ("shuffled",),
    ),
    "theory": Plan(
        "The theory: clean logits predict the error",
        "Logits respond linearly to a small perturbation, an image flips when the gap Δ₁₂ between its two largest "
        "logits has closed, and the share of images with small gaps is that of sorted random numbers.",
        ("figure_3_*", "error_predictions", "residuals", "takeovers", "figure_4", "figure_13", "gaps_in_training"),
        ("predictions", "deciles", "residuals", "gap-exponents", "constants", "epochs"),
    ),
    "blind": Plan(
        "Attacks that do not know the label",
        "Near a tie such an attack repairs nearly as many images as it breaks, and some close the gap more slowly "
        "there.",
        ("label_blind_*",),
        ("label-blind", "ties", "near-ties", "ideal"),
    ),
    "defences": Plan(
        "Defended nets",
        "In the worst case an image is right only if it stays right under every attack that was run.",
        ("figure_5", "figure_12", "figure_6", "defended"),
        ("defences",),
    ),
    "population": Plan(
        "Sampled nets",
        "Architectures drawn at random, trained alike and attacked on the same images.",
        ("figure_10*", "population_exponents*", "population_scatter*"),
        ("population",),
    ),
    "variants": Plan(
        "Variants of one net",
        "Each net differs from its set's base in what its name says, and is compared with a declared baseline on the "
        "same images. Intervals are over images alone: two trainings that differ in their seed differ by more.",
        (),
        ("differences",),
    ),
}
WIDE = 400.0  # in 1/72 inch: half a page of a paper is 243
OTHERS = Plan("Other figures", "", ("*",), ())
MAIN = {"figure_2a", "figure_2b", "figure_2c", "figure_3_fc", "figure_4", "figure_5", "figure_6"}
MAIN |= {"figure_10", "figure_11", "figure_12"}

# of a block of `BLOCKS`: its caption, whether it is shown unfolded, and the tables it is made from
TABLES: dict[str, tuple[str, bool, tuple[str, ...]]] = {
    "exponents": ("Exponents of nets fitted to true labels", True, ("exponents",)),
    "models": ("The nets", True, ("models", "logit_gaps")),
    "shuffled": ("FGSM on nets fitted to shuffled labels", True, ("exponents", "logit_gaps", "models")),
    "population": ("Net exponents of sampled nets", True, (EXPONENTS,)),
    "differences": ("Accuracy above the baseline's, in points", True, (DIFFERENCES,)),
    "defences": ("Accuracy under every kind of attack", False, ("worst_case/accuracy",)),
    "predictions": ("Predicted thresholds and curves", True, ("theory/predictions", "theory/agreement")),
    "deciles": ("Median error of the predicted L2 threshold (and 90 %)", False, ("theory/deciles",)),
    "residuals": ("Residual of the linear response", False, ("theory/residuals",)),
    "gap-exponents": (
        "Exponents of the density of gaps near zero",
        False,
        ("theory/gap_exponents", "order_statistics/exponents"),
    ),
    "constants": (
        "Densities of gaps of independent logits",
        False,
        ("order_statistics/constants", "theory/gap_exponents"),
    ),
    "epochs": ("Exponents of the density of gaps in training", False, ("theory/gap_exponents",)),
    "label-blind": ("Exponents of label-blind attacks, with speeds replaced", False, ("theory/label_blind",)),
    "ties": ("Who is right near a tie, and how fast gaps close", False, ("theory/ties",)),
    "near-ties": ("How the speed falls towards a tie", False, ("theory/near_ties",)),
    "ideal": ("The account where its assumptions hold exactly", False, ("theory/ideal", "theory/label_blind")),
}


def chapters(study: str, tables: Tables, figures: dict[str, str], only_main: bool = False) -> list[Chapter]:
    """The chapters that have something to show; `figures` are SVG texts by name. With `only_main`, the paper's figures
    and the tables that are shown unfolded, for a page about several studies."""
    left = {name: text for name, text in sorted(figures.items()) if not only_main or name in MAIN}
    made = []
    for key, plan in [*PLANS.items(), ("others", OTHERS)]:
        names = [name for pattern in plan.figures for name in _matching(pattern, left)]
        shown = [_figure(f"{study}-{name}", name, left.pop(name), tables) for name in dict.fromkeys(names)]
        found = [_table(f"{study}-table-{name}", name, tables) for name in plan.tables]
        kept = [table for table in found if table and (table.is_open or not only_main)]
        if shown or kept:
            made.append(Chapter(f"{study}-{key}", plan.title, plan.lead, shown, kept))
    return made


def _matching(pattern: str, names: dict[str, str]) -> list[str]:
    if pattern.endswith("*"):
        return [name for name in names if name.startswith(pattern[:-1])]
    return [pattern] if pattern in names else []


def _figure(key: str, name: str, text: str, tables: Tables) -> ShownFigure:
    words = caption(name, tables)
    svg = inline_svg(text, key, words.title)
    return ShownFigure(key, name, words, Markup(svg), width(svg) > WIDE)


def _table(key: str, name: str, tables: Tables) -> ShownTable | None:
    """A table of the README's, None where the study has nothing for it."""
    title, is_open, needed = TABLES[name]
    if not all(any(tables[name] for name in tables if fnmatch(name, table)) for table in needed):
        return None
    markdown = BLOCKS[name](tables)
    return ShownTable(key, title, is_open, html_table(markdown, title)) if n_rows(markdown) else None
