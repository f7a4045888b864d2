"""What the rows and numbers of every committed table are, so that two versions of it can be compared row by row.

A table is named by its file under plots/<study>/ without its ending; `training/fc` and the like by their folder. The
parts of metrics/<study>/summary.json are `summary/claims`, `summary/exponent` and `summary/test_accuracy`.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from advlaw.core.tables import FLAGS, TEXT

Row = dict[str, str]  # as a file has it


class Ends(NamedTuple):
    """The columns of an interval's ends."""

    low: str
    high: str


@dataclass(frozen=True)
class Table:
    """What the names of its columns do not say.

    key: the columns that say which row it is; `#` stands for the row's place among those with the same other keys.
    intervals: numbers whose ends are not called `<number>_low` and `<number>_high`.
    shares: shares of images, and of how many: a column, a split of the row's data set (`split`: the one the row names),
    or `net` (as many as that net of a set was attacked with). Their interval is Wilson's where they have no ends.
    verdicts: words that must be equal.
    is_open: which rows there are depends on the outcomes (bins that hold something), not on the params alone.
    """

    key: tuple[str, ...]
    intervals: dict[str, Ends] = field(default_factory=dict)
    shares: dict[str, str] = field(default_factory=dict)
    verdicts: tuple[str, ...] = ()
    is_open: bool = False

    def ends(self, number: str, columns: Collection[str]) -> Ends | tuple[()]:
        """The columns of a number's interval, none where it has none."""
        found = self.intervals.get(number, Ends(f"{number}_low", f"{number}_high"))
        return found if columns and set(found) <= set(columns) else ()

    def is_end(self, column: str, columns: Collection[str]) -> bool:
        """Whether a column holds an end of another one's interval."""
        return any(column in self.ends(number, columns) for number in columns)


def is_text(column: str) -> bool:
    return column in TEXT or column in FLAGS


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


LOW_HIGH = Ends("low", "high")
ERRORS = {"gross_error": Ends("gross_low", "gross_high"), "net_error": Ends("net_low", "net_high")}

TABLES = {
    "claims": Table(("claim",), verdicts=("verdict", "analogue", "as_a_law", "as_printed", "straight")),
    "claim_parts": Table(("claim", "subject", "quantity"), {"value": LOW_HIGH}, verdicts=("verdict",)),
    "summary/claims": Table(("verdict",)),
    "summary/exponent": Table(("curve",), {"B": LOW_HIGH}),
    "summary/test_accuracy": Table(("model",), shares={"test_accuracy": "test"}),
    "curves": Table(("curve",), shares={"clean_accuracy": "n_images"}),
    "exponents": Table(("curve", "kind", "estimator")),
    "models": Table(
        ("model",),
        shares={f"{split}_accuracy": split for split in ("train", "validation", "test")}
        | {"test_top5_accuracy": "test"},
    ),
    "error_curves": Table(
        ("curve", "grid_eps"), ERRORS, dict.fromkeys(("accuracy", "top5_accuracy", "gross_error", "net_error"), "split")
    ),
    "laws/exponents": Table(("curve",)),
    "laws/ranges": Table(("curve", "kind", "share"), is_open=True),
    "laws/pooled": Table(("set", "nets", "attack", "share")),
    "laws/paired": Table(("curve", "other")),
    "local_slopes": Table(("curve", "grid_eps"), {"slope": LOW_HIGH}, is_open=True),
    "logit_gaps": Table(("net", "dataset", "split")),
    "logit_gap_distribution": Table(("net", "split", "#"), is_open=True),
    "threshold_curves": Table(("curve",)),
    "published/nets": Table(("net",), shares=dict.fromkeys(("top1", "top5"), "n_images")),
    "published/pairs": Table(_words("net other attack at"), shares=dict.fromkeys(("error", "error_other"), "n_images")),
    "provenance": Table(("dataset", "file")),
    "training": Table(("epoch",)),
    "worst_case/accuracy": Table(("net", "attack", "eps"), {"accuracy": LOW_HIGH}, {"accuracy": "n_images"}),
    "worst_case/gains": Table(("net", "baseline", "eps"), verdicts=("verdict",)),
    "order_statistics/constants": Table(("law", "rank")),
    "order_statistics/densities": Table(("law", "rank", "gap"), is_open=True),
    "order_statistics/exponents": Table(("law", "rank", "share")),
    "trials/curves": Table(
        ("net", "attack", "grid_eps"), shares=dict.fromkeys(("test_accuracy", "gross_error"), "net")
    ),
    "trials/exponents": Table(("attack", "nets", "estimate"), shares={"share": "n_nets"}),
    "trials/nets": Table(
        ("net", "attack"),
        shares=dict.fromkeys(
            ("test_accuracy", "top5_accuracy", *(f"error_at_{eps}" for eps in (1, 4, 8, 16, 32))), "n_images"
        ),
    ),
    "trials/sets": Table(("set",)),
    "trials/differences": Table(("net", "baseline", "attack", "grid_eps"), shares={"accuracy": "n_images"}),
    "trials/differences_at_eps": Table(("net", "baseline", "attack", "eps"), shares={"top1": "n_images"}),
    "trials/accuracy": Table(("net", "attack", "eps"), shares=dict.fromkeys(("top1", "top5"), "n_images")),
    "trials/leaking": Table(_words("net attack blind eps"), {"net_share": Ends("net_low", "net_high")}),
    "trials/replicates": Table(("kind", "attack", "eps")),
    "trials/transfer": Table(
        _words("source target attack eps"),
        shares={"rate": "fooled", "top5_rate": "top5_fooled", **dict.fromkeys(("error", "top5_error"), "n_images")},
    ),
    "trials/transfer_methods": Table(("attack", "other", "eps"), {"rate": Ends("rate_low", "rate_high")}),
    "search/children": Table(_words("search arm seed index cell"), is_open=True),
    "search/comparison": Table(("search", "statement", "split"), {"value": LOW_HIGH}),
    "search/correlations": Table(_words("search arm other given"), {"rho": LOW_HIGH}),
    "search/enlarged": Table(("net", "cell", "hyperparameters"), is_open=True),
    "search/regret": Table(("search", "seed", "n"), {"expected_best": LOW_HIGH}),
    "search/reliability": Table(("search", "split", "quantity"), {"reliability": LOW_HIGH}),
    "search/repeated": Table(_words("search role rank cell seed"), is_open=True),
    "search/rounds": Table(("search", "seed", "round")),
    "search/running": Table(_words("search arm other #"), {"median": LOW_HIGH}, is_open=True),
    "search/settings": Table(("search",)),
    "search/spread": Table(("search", "arm", "#"), is_open=True),
    "theory/agreement": Table(("net", "attack", "prediction", "tolerance")),
    "theory/curves": Table(("net", "attack", "grid_eps"), shares={"measured": "test"}),
    "theory/deciles": Table(("net", "attack", "prediction", "decile"), is_open=True),
    "theory/followed": Table(("net", "image", "rank", "eps"), is_open=True),
    "theory/gap_densities": Table(("net", "epoch", "rank", "gap"), shares={"test_accuracy": "test"}, is_open=True),
    "theory/gap_exponents": Table(_words("net epoch images rank share"), shares={"test_accuracy": "test"}),
    "theory/gap_laws": Table(("net", "epoch", "images", "rank"), shares={"test_accuracy": "test"}),
    "theory/histograms": Table(
        _words("net attack prediction measured_low measured_high predicted_low predicted_high"), is_open=True
    ),
    "theory/ideal": Table(("speeds", "eps"), shares={"gross_sampled": "n_images"}),
    "theory/label_blind": Table(_words("net attack speeds kind estimator"), shares={"clean_accuracy": "n_images"}),
    "theory/label_blind_curves": Table(_words("net attack speeds grid_eps"), shares={"gross_error": "test"}),
    "theory/near_ties": Table(("net", "attack")),
    "theory/predictions": Table(("net", "attack"), shares={"second_first": "n_succeeded"}),
    "theory/residuals": Table(("net", "eps"), shares={"share_not_linear": "n_images"}),
    "theory/takeovers": Table(
        ("net", "attack", "grid_eps"),
        {"second_first": LOW_HIGH},
        dict.fromkeys(("second_first", "linear_is_right"), "n_successes"),
        is_open=True,
    ),
    "theory/ties": Table(
        ("net", "attack", "#"), shares=dict.fromkeys(("p_right", "p_second"), "n_images"), is_open=True
    ),
}
ONE_PER_ENTRY = ("provenance", "training")  # folders with a file of the same columns for each entry
DERIVED = ("figures/", "laws/lines", "pictures/", "thresholds/")  # drawn, or outcomes, whose exponents are judged


def is_derived(name: str) -> bool:
    """Whether a table only repeats what others say."""
    return name.startswith(DERIVED)


def table(study: str, name: str, columns: Collection[str]) -> Table:
    """What the columns of a table are; raises ValueError for one that nobody described."""
    folder = name.partition("/")[0]
    if folder == "trials":  # of whichever set; one at a few eps may have other columns than one over a grid
        known, at_eps = (f"trials/{name.rpartition('/')[2]}{end}" for end in ("", "_at_eps"))
        found = TABLES.get(at_eps if at_eps in TABLES and "eps" in columns else known)
    else:
        found = TABLES.get(folder if folder in ONE_PER_ENTRY else name)
    if found is None:
        raise ValueError(
            f"plots/{study}/{name}.csv: unknown table; describe it in src/advlaw/comparison/tables.py, which lists: "
            f"{', '.join(TABLES)}"
        )
    return found
