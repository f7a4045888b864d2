"""Every claim's check, and the rows of a study's tables of claims."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from advlaw.claims import defences, imagenet, paper_tables, power_laws, protocol, theory
from advlaw.claims.finding import VERDICTS, Finding
from advlaw.claims.paper_tables import INCEPTION, beside_tables, with_tables
from advlaw.claims.study import Check, Evidence
from advlaw.claims.wording import sentence
from advlaw.core.io import Row

CLAIM_COLUMNS = (
    "claim",
    "paper",
    "where",
    "statement",
    "numbers",
    "verdict",
    "analogue",
    "least_squares",
    "measured",
    "n_parts",
    "reason",
)
PART_COLUMNS = (
    "claim",
    "subject",
    "quantity",
    "estimate",
    "low",
    "high",
    "n",
    "allowed_low",
    "allowed_high",
    "verdict",
)
NO_SEARCH = "no architecture search in this study"


def not_run(reason: str) -> Check:
    """A claim that no study can be asked about yet."""
    return lambda study: Finding((), reason)


CHECKS: dict[str, Check] = {
    "C01": power_laws.true_label_attacks,
    "C02": power_laws.least_likely,
    "C03": power_laws.fgsm_on_imagenet,
    "C04": power_laws.least_likely_on_imagenet,
    "C05": power_laws.least_likely_on_mnist_and_cifar10,
    "C06": power_laws.imagenet_error_at_a_fifth,
    "C07": not_run("needs adversarially trained ImageNet nets"),
    "C08": not_run("needs NASNet-A and adversarially trained Inception nets on ImageNet"),
    "C09": defences.helps_at_large_eps_only,
    "C10": power_laws.sampled_architectures,
    "C11": power_laws.hundreds_of_nets,
    "C12": power_laws.resnet32_on_cifar10,
    "C13": power_laws.shuffled_labels,
    "C14": power_laws.exponents_by_attack,
    "C15": power_laws.plateau,
    "C16": theory.second_order_residual,
    "C17": theory.linear_threshold_converges,
    "C18": theory.runner_up_first,
    "C19": theory.mean_field_correlates,
    "C20": theory.curve_follows_from_gaps,
    "C21": theory.iid_density,
    "C22": theory.tails_of_gaps,
    "C23": theory.iid_tails,
    "C24": theory.form_during_training,
    "C25": defences.penalty_raises_accuracy,
    "C26": defences.cost_of_penalty,
    "C27": defences.pgd_curves,
    "C28": defences.penalty_on_wide_resnet,
    "C29": theory.penalty_widens_gaps,
    "C30": defences.no_black_box_gain,
    "C31": not_run(NO_SEARCH),
    "C32": not_run(NO_SEARCH),
    "C33": not_run(NO_SEARCH),
    "C34": not_run(NO_SEARCH),
    "C35": not_run(NO_SEARCH),
    "C36": not_run(NO_SEARCH),
    "C37": not_run(NO_SEARCH + "; by arithmetic the paper's accuracies, 93.2 and 87.3 %, differ by 5.9 points"),
    "C38": not_run(NO_SEARCH),
    "C39": not_run(NO_SEARCH),
    "C40": not_run(NO_SEARCH),
    "C41": not_run(NO_SEARCH),
    "C42": protocol.pgd_training,
    "K01": imagenet.fgsm_error,
    "K02": imagenet.iterative_least_likely_error,
    "K03": protocol.number_of_iterations,
    "K04": protocol.weight_of_adversarial_images,
    "K05": not_run("needs nets trained at one fixed eps each beside one trained at random eps"),
    "K06": protocol.law_of_eps,
    "K07": not_run(f"a record of how one net was trained; {INCEPTION}"),
    "K08": not_run("needs adversarially trained nets with and without label smoothing, dropout and weight decay"),
    "K09": not_run("needs nets whose adversarial training starts after several delays"),
    "K10": beside_tables(defences.adversarial_training_costs_little, paper_tables.CLEAN_COST),
    "K11": with_tables(paper_tables.STEP_LL_TRAINING, INCEPTION),
    "K12": with_tables(paper_tables.GAINS_BY_METHOD, "needs nets trained on each of the one-step methods"),
    "K13": beside_tables(defences.none_against_iterative, paper_tables.ITERATIVE),
    "K14": defences.none_from_iterative_training,
    "K15": with_tables(paper_tables.LEAKING, "needs a net trained on FGSM examples"),
    "K16": not_run("needs a maxout net trained on MNIST with FGSM examples"),
    "K17": not_run("needs nets of several widths, each with and without adversarial training"),
    "K18": with_tables(paper_tables.DEPTH, f"{INCEPTION}, and a deeper one"),
    "K19": with_tables(
        paper_tables.transfer_rates, "no transfer rates of iterative attacks between nets in this study"
    ),
    "K20": not_run(f"a record of how accurate one net is; {INCEPTION}"),
    "K21": not_run("needs all one-step methods on an adversarially trained ImageNet net"),
    "K22": with_tables(paper_tables.ACTIVATION, "needs adversarially trained nets of several activations"),
    "K23": with_tables(paper_tables.REPLACED, "needs nets trained with several shares of adversarial images"),
    "K24": with_tables(paper_tables.INTERVAL, "a statement of method: nothing in it could fail"),
}


def judge(study: Evidence, claims: list[Row]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of claims.csv and of claim_parts.csv, in the order of `claims`.

    Raises ValueError for a claim that has no check.
    """
    rows, parts = [], []
    for claim in claims:
        if claim["id"] not in CHECKS:
            raise ValueError(f"claims/claims.csv: {claim['id']}: no check in advlaw.claims.registry; add one to CHECKS")
        finding = CHECKS[claim["id"]](study)
        rows.append(_claim_row(claim, finding))
        parts += _part_rows(claim["id"], finding)
    return rows, parts


def _claim_row(claim: Row, finding: Finding) -> dict[str, Any]:
    judged = sum(bool(part.verdict) for part in finding.parts)
    return {
        "claim": claim["id"],
        **{column: claim[column] for column in ("paper", "where", "statement", "numbers")},
        "verdict": finding.verdict,
        "analogue": finding.analogue,
        "least_squares": finding.least_squares,
        "measured": sentence(finding.parts),
        "n_parts": judged,
        "reason": finding.reason,
    }


def _part_rows(claim: str, finding: Finding) -> list[dict[str, Any]]:
    return [
        {
            "claim": claim,
            "subject": part.subject,
            "quantity": part.quantity,
            "estimate": part.estimate.value,
            "low": part.estimate.low,
            "high": part.estimate.high,
            "n": part.estimate.n,
            "allowed_low": part.allowed[0] if part.allowed[0] > float("-inf") else None,
            "allowed_high": part.allowed[1] if part.allowed[1] < float("inf") else None,
            "verdict": part.verdict,
        }
        for part in finding.parts
    ]


def counts(rows: list[dict[str, Any]]) -> dict[str, int]:
    """How many claims have each of the six verdicts."""
    return {found: sum(row["verdict"] == found for row in rows) for found in VERDICTS}


def summary(study: Evidence, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What goes into metrics/<study>/summary.json: test accuracies, headline exponents, counts of verdicts."""
    exponents = {row["curve"]: row for row in study.rows("exponents", is_reported="true")}
    return {
        "test_accuracy": {row["model"]: _rounded(row["test_accuracy"], 6) for row in study.rows("models")},
        "exponent": {curve: _headline(exponents[curve]) for curve in study.headline if curve in exponents},
        "claims": counts(rows),
    }


def _headline(row: Row) -> dict[str, float | None]:
    """A curve's judged exponent with the ends of its interval; null where there is none."""
    columns = (("B", "exponent"), ("low", "exponent_low"), ("high", "exponent_high"))
    return {name: _rounded(row[column], 4) for name, column in columns}


def _rounded(cell: str, digits: int) -> float | None:
    """A cell's number, rounded half up: tables are rounded themselves, to 7 digits, and 0.9685185 stands for more."""
    return float(Decimal(cell).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)) if cell else None
