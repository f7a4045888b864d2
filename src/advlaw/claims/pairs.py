"""Which nets are compared: those whose baseline the params declare, by the defence that is between the two."""

from advlaw.claims.study import Evidence
from advlaw.core.io import Row


def penalised(study: Evidence, nets: set[str]) -> list[tuple[str, str]]:
    """Nets with the entropy penalty among `nets`, each with its baseline, which has none and is trained alike else."""
    return [
        (row["model"], baseline["model"])
        for row, baseline in _declared(study)
        if {row["model"], baseline["model"]} <= nets
        and weight(row) > 0
        and weight(baseline) == 0
        and row["adversarial_images"] == baseline["adversarial_images"]
    ]


def one_step_trained(study: Evidence) -> list[tuple[str, str]]:
    """Nets trained on one-step examples and not otherwise defended, each with its undefended baseline."""
    trained = {name for name, net in study.robust_models.items() if net.adversarial.family == "one_step"}
    return [
        (row["model"], baseline["model"])
        for row, baseline in _declared(study)
        if row["model"] in trained and weight(row) == 0 and not baseline["defence"]
    ]


def weight(row: Row) -> float:
    """The weight of the entropy penalty; published nets have an empty cell."""
    return float(row["entropy_weight"] or 0)


def _declared(study: Evidence) -> list[tuple[Row, Row]]:
    """The rows of models.csv of every net that has a baseline, and of that."""
    pairs = [(row, study.model(study.baselines.get(row["model"], ""))) for row in study.rows("models")]
    return [(row, baseline) for row, baseline in pairs if baseline]
