"""Catastrophic overfitting: a net that learns to resist the one attack it is trained on, and no other."""

from collections.abc import Mapping, Sequence
from typing import Any

SMALLEST_FALL = 0.1


def overfitted_at(rows: Sequence[Mapping[str, Any]]) -> int | None:
    """The first epoch of catastrophic overfitting: under PGD accuracy falls, under the attack trained on it does not.

    It falls to less than half of its best so far and by at least ten points, while under the attack that is trained on
    the net keeps more than half of its best (Wong et al. 2020 describe it). None where it never happens. Epochs whose
    accuracies were not taken are passed over.
    """
    best_pgd = best_trained = 0.0
    for row in rows:
        pgd, trained = row["pgd_accuracy"], row["attacked_accuracy"]
        if pgd is None or trained is None:
            continue
        has_fallen = pgd < 0.5 * best_pgd and best_pgd - pgd > SMALLEST_FALL
        if has_fallen and trained > 0.5 * best_trained:
            return int(row["epoch"])
        best_pgd, best_trained = max(best_pgd, pgd), max(best_trained, trained)
    return None
