"""Which nets are compared: a defended one with the net that differs from it in the defence alone."""

from advlaw.claims.study import Row, Study

SAME = ("dataset", "arch", "labels", "n_parameters", "epochs")


def penalised(study: Study, nets: set[str]) -> list[tuple[str, str]]:
    """Nets with the entropy penalty among `nets`, each with the same net without it."""
    rows = [row for row in study.rows("models") if row["model"] in nets]
    return _pairs(
        study,
        [row for row in rows if weight(row) > 0],
        [row for row in rows if weight(row) == 0],
        "adversarial_images",
    )


def one_step_trained(study: Study) -> list[tuple[str, str]]:
    """Nets trained on one-step examples and not otherwise defended, each with the undefended net like it."""
    rows = study.rows("models")
    trained = {name for name, net in study.robust_models.items() if net.adversarial.family == "one_step"}
    return _pairs(
        study,
        [row for row in rows if row["model"] in trained and weight(row) == 0],
        [row for row in rows if not row["defence"]],
    )


def weight(row: Row) -> float:
    """The weight of the entropy penalty; published nets have an empty cell."""
    return float(row["entropy_weight"] or 0)


def _pairs(study: Study, defended: list[Row], plain: list[Row], *same: str) -> list[tuple[str, str]]:
    pairs = []
    for row in defended:
        wanted = [row[column] for column in (*SAME, *same)], _activation(study, row)
        like = [
            other["model"]
            for other in plain
            if ([other[column] for column in (*SAME, *same)], _activation(study, other)) == wanted
        ]
        pairs += [(row["model"], like[0])] if like else []
    return pairs


def _activation(study: Study, row: Row) -> str:
    return str(study.sizes(row["model"]).get("activation", "relu"))
