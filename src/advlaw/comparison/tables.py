"""What every column of every committed table is, so that two versions of a table can be compared row by row.

A table is named by its file under plots/<study>/ without its ending; `training/fc` and the like by their folder. The
parts of metrics/<study>/summary.json are `summary/claims`, `summary/exponent` and `summary/test_accuracy`.
"""

from dataclasses import dataclass, field
from typing import NamedTuple


class Ends(NamedTuple):
    """The columns of an interval's ends."""

    low: str
    high: str


@dataclass(frozen=True)
class Table:
    """Each column of a table once.

    key: the columns that say which row it is; `#` stands for the row's place among those with the same other keys.
    judged: numbers with the columns of their interval's ends.
    shares: shares of images, and of how many: a column, a split of the row's data set (`split`: the one the row names),
    or `net` (as many as that net of a set was attacked with). Their interval is Wilson's where `judged`
    names none.
    verdicts: words that must be equal. shown: numbers without an interval. told: text and settings.
    is_open: which rows there are depends on the outcomes (bins that hold something), not on the params alone.
    """

    key: tuple[str, ...]
    judged: dict[str, Ends] = field(default_factory=dict)
    shares: dict[str, str] = field(default_factory=dict)
    verdicts: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    is_open: bool = False

    def columns(self) -> list[str]:
        ends = [end for pair in self.judged.values() for end in pair]
        shares = [column for column in self.shares if column not in self.judged]
        keys = [column for column in self.key if column != "#"]
        return [*keys, *self.judged, *ends, *shares, *self.verdicts, *self.shown, *self.told]


def _ends(*columns: str) -> dict[str, Ends]:
    """Numbers whose ends are called `<number>_low` and `<number>_high`."""
    return {column: Ends(f"{column}_low", f"{column}_high") for column in columns}


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


LOW_HIGH = Ends("low", "high")
NET = _words("model dataset split arch defence labels snapshot")
CURVE = (*_words("sweep attack net"), *NET, *_words("norm direction target clip"))
STATE = _words("epoch train_accuracy")  # of the net, repeated in every row
FIT = _words("eps_first eps_last n_points n_nonpositive n_errors n_images r_squared chi2_p_value bootstrap_without_fit")
CLAIM = _words("paper where statement numbers measured reason")
CLAIM_VERDICTS = _words("verdict analogue least_squares")
ERRORS = {"gross_error": Ends("gross_low", "gross_high"), "net_error": Ends("net_low", "net_high")}
CURVE_POINTS = Table(
    ("curve", "grid_eps"),
    ERRORS,
    dict.fromkeys(("accuracy", "top5_accuracy", "gross_error", "net_error"), "split"),
    shown=(*STATE, "eps_scale", "eps"),
    told=CURVE,
)

TABLES = {
    "claims": Table(("claim",), verdicts=CLAIM_VERDICTS, shown=("n_parts",), told=(*CLAIM, "study", "others")),
    "claim_parts": Table(
        ("claim", "subject", "quantity"),
        {"estimate": LOW_HIGH},
        verdicts=("verdict",),
        shown=("n", "allowed_low", "allowed_high"),
    ),
    "summary/claims": Table(("verdict",), shown=("claims",)),
    "summary/exponent": Table(("curve",), {"B": LOW_HIGH}),
    "summary/test_accuracy": Table(("model",), shares={"test_accuracy": "test"}, told=("dataset",)),
    "exponents": Table(
        ("curve", "kind", "estimator"),
        _ends("exponent", "amplitude"),
        {"clean_accuracy": "n_images"},
        shown=(*STATE, *FIT, "eps_scale", "n_zero_gradient", "n_not_finite"),
        told=(*CURVE, "is_reported"),
    ),
    "models": Table(
        ("model",),
        shares={f"{split}_accuracy": split for split in ("train", "validation", "test")},
        shown=_words("learning_rate n_pixels n_parameters epochs entropy_weight adversarial_images overfitted_at"),
        told=_words("dataset arch labels optimizer schedule defence device"),
    ),
    "error_curves": CURVE_POINTS,
    "local_slopes": Table(
        ("curve", "grid_eps"),
        {"slope": LOW_HIGH},
        shown=(*STATE, "eps_scale", "eps"),
        told=CURVE,
        is_open=True,
    ),
    "logit_gaps": Table(
        ("net", "dataset", "split"),
        _ends("gap_exponent_0.01", "gap_exponent_0.1"),
        shown=(*STATE, "n_right", "gap_median", "gap_density"),
        told=tuple(column for column in NET if column not in ("dataset", "split")),
    ),
    "logit_gap_distribution": Table(
        ("net", "dataset", "split", "#"),
        shown=(*STATE, "share", "gap"),
        told=tuple(column for column in NET if column not in ("dataset", "split")),
        is_open=True,
    ),
    "threshold_curves": Table(
        ("curve",),
        shown=_words("n_images n_right n_becoming_wrong n_becoming_right eps_last"),
        told=("is_on_grid",),
    ),
    "provenance": Table(("dataset", "file"), told=("source", "sha256", "official")),
    "training": Table(
        ("epoch",),
        shown=_words("train_loss train_accuracy validation_accuracy attacked_accuracy pgd_accuracy"),
    ),
    "worst_case/accuracy": Table(
        ("net", "attack", "eps"),
        {"accuracy": LOW_HIGH},
        {"accuracy": "n_images"},
        shown=("n_images", "n_not_finite"),
        told=("role",),
    ),
    "worst_case/gains": Table(
        ("net", "baseline", "eps"),
        _ends("weak_gain", "worst_gain"),
        verdicts=("verdict",),
        shown=("n_images", "n_not_finite"),
    ),
    "order_statistics/constants": Table(("law", "rank"), shown=_words("constant n_bins chi2 chi2_p_value")),
    "order_statistics/densities": Table(
        ("law", "rank", "gap"), shown=_words("density count exact_density expected_count"), is_open=True
    ),
    "order_statistics/exponents": Table(("law", "rank", "share"), _ends("exponent"), shown=("n_gaps", "largest_gap")),
    "trials/curves": Table(
        ("net", "attack", "grid_eps"),
        shares=dict.fromkeys(("test_accuracy", "gross_error"), "net"),
        shown=("net_error",),
        told=("arch",),
    ),
    "trials/exponents": Table(
        ("attack", "nets", "estimate"),
        _ends("share"),
        {"share": "n_nets"},
        shown=(
            *_words("n_nets n_without_fit band_low band_high n_in_band share_touching median_half_width"),
            *(f"quantile_{share:g}" for share in (0.05, 0.25, 0.5, 0.75, 0.95)),
        ),
    ),
    "trials/nets": Table(
        ("net", "attack"),
        _ends(*(f"{kind}_{number}" for kind in ("gross", "net", "net_ls") for number in ("exponent", "amplitude"))),
        {"test_accuracy": "n_images", **{f"error_at_{eps}": "n_images" for eps in (1, 4, 8, 16, 32)}},
        shown=_words(
            "layers dense_units dropout n_parameters flops train_loss validation_accuracy eps_scale gap_0.01 gap_0.1 "
            "gap_0.5 gap_0.9 gradient_l1 gradient_l2 eps_first eps_last n_points n_errors n_images n_zero_gradient "
            "n_not_finite"
        ),
        told=_words("arch sizes kernel_sizes diverged norm target differs seed baseline defence overfitted_at"),
    ),
    "trials/sets": Table(("set",), shown=("nets",), told=("kind", "dataset")),
    "trials/differences": Table(
        ("net", "baseline", "attack", "grid_eps"),
        _ends("difference"),
        {"accuracy": "n_images"},
        shown=("n_images",),
    ),
    "theory/agreement": Table(
        ("net", "attack", "prediction", "tolerance"),
        shown=_words("n_points grid_eps_first error_first grid_eps_last error_last"),
        told=("dataset",),
    ),
    "theory/curves": Table(
        ("net", "attack", "grid_eps"),
        _ends("measured"),
        {"measured": "test"},
        shown=_words("eps linear mean_field mean_field_literal"),
        told=("dataset",),
    ),
    "theory/deciles": Table(
        ("net", "attack", "prediction", "decile"),
        shown=_words("n_images grid_eps_first grid_eps_last median_error error_90"),
        told=("dataset",),
        is_open=True,
    ),
    "theory/followed": Table(
        ("net", "image", "rank", "eps"), shown=("logit", "linear"), told=("dataset",), is_open=True
    ),
    "theory/gap_densities": Table(
        ("net", "epoch", "rank", "gap"),
        shares={"test_accuracy": "test"},
        shown=("density", "count"),
        told=("dataset",),
        is_open=True,
    ),
    "theory/gap_exponents": Table(
        ("net", "epoch", "images", "rank", "share"),
        _ends("exponent"),
        {"test_accuracy": "test"},
        shown=("n_gaps", "largest_gap"),
        told=("dataset",),
    ),
    "theory/histograms": Table(
        _words("net attack prediction measured_low measured_high predicted_low predicted_high"),
        shown=("count",),
        told=("dataset",),
        is_open=True,
    ),
    "theory/ideal": Table(
        ("speeds", "eps"),
        shares={"gross_sampled": "n_images"},
        shown=_words("n_images gross_exact net_sampled net_exact"),
    ),
    "theory/label_blind": Table(
        _words("net attack speeds kind estimator"),
        _ends("exponent", "amplitude"),
        {"clean_accuracy": "n_images"},
        shown=FIT,
        told=("dataset",),
    ),
    "theory/label_blind_curves": Table(
        _words("net attack speeds grid_eps"),
        shares={"gross_error": "test"},
        shown=("net_error",),
        told=("dataset",),
    ),
    "theory/near_ties": Table(
        ("net", "attack"), shown=_words("n_images slope intercept floor pole"), told=("dataset",)
    ),
    "theory/predictions": Table(
        ("net", "attack"),
        _ends("second_first", "spearman_linear", "spearman_mean_field"),
        {"second_first": "n_succeeded"},
        shown=_words("n_images n_right n_succeeded gamma_1 gamma_2 closing_speed n_below_50 n_not_finite"),
        told=("dataset",),
    ),
    "theory/residuals": Table(
        ("net", "eps"),
        shares={"share_not_linear": "n_images"},
        shown=("n_images", "slope", "residual"),
        told=("dataset",),
    ),
    "theory/takeovers": Table(
        ("net", "attack", "grid_eps"),
        {"second_first": LOW_HIGH},
        dict.fromkeys(("second_first", "linear_is_right"), "n_successes"),
        shown=("n_successes",),
        told=("dataset",),
        is_open=True,
    ),
    "theory/ties": Table(
        ("net", "attack", "#"),
        _ends("p_right", "p_second"),
        dict.fromkeys(("p_right", "p_second"), "n_images"),
        shown=_words("gap n_images speed speed_error spread closing"),
        told=("dataset",),
        is_open=True,
    ),
}
ONE_PER_ENTRY = ("provenance", "training")  # folders with a file of the same columns for each entry
DERIVED = ("figures/", "error_curves_positive", "thresholds/")  # drawn, picked, or outcomes, whose exponents are judged


def is_derived(name: str) -> bool:
    """Whether a table only repeats what others say."""
    return name.startswith(DERIVED)


def table(study: str, name: str) -> Table:
    """What the columns of a table are; raises ValueError for one that nobody described."""
    folder = name.partition("/")[0]
    if folder == "trials":  # of whichever set
        found = TABLES.get(f"trials/{name.rpartition('/')[2]}")
    else:
        found = TABLES.get(folder if folder in ONE_PER_ENTRY else name)
    if found is None:
        raise ValueError(
            f"plots/{study}/{name}.csv: an unknown table; describe its columns in src/advlaw/comparison/tables.py, "
            f"which knows: {', '.join(TABLES)}"
        )
    return found
