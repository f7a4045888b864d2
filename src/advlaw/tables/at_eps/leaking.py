"""leaking.csv of a set at a few eps: labels that one-step attacks leak to a net (Kurakin Sec. 4.2)."""

from collections.abc import Iterator, Mapping

from advlaw.attacks.settings import Attack, OneStepAttack
from advlaw.core.io import Cells
from advlaw.fitting.proportions import paired_difference
from advlaw.tables.at_eps.ranks import ENDS, Point, Ranks, interval, judged_in_all, name_of, right_on

BLIND = ("predicted_label", "least_likely")  # targets that are chosen without the label
COLUMNS = (
    "net",
    "attack",
    "blind",
    "eps",
    "n_images",
    "leaked",
    "reversed",
    "net_share",
    "net_low",
    "net_high",
    "among_clean_wrong",
    *(f"over_clean{end}" for end in ENDS),
)


def pairs(attacks: Mapping[str, Attack]) -> Iterator[tuple[str, str]]:
    """The names of every one-step attack that uses the true label, each with those that do not and else are the same.

    The same are the direction and whether images are clipped.
    """
    one_step = {name_of(key): attack for key, attack in attacks.items() if isinstance(attack, OneStepAttack)}
    for name, attack in one_step.items():
        for other, blind in one_step.items():
            is_alike = (attack.direction, attack.clip) == (blind.direction, blind.clip)
            if attack.target == "true_label" and blind.target in BLIND and is_alike:
                yield name, other


def leaking_rows(net: str, ranks: Ranks, attacks: Mapping[str, Attack], confidence: float) -> list[Cells]:
    """A row for every such pair of attacks and every eps."""
    rows = []
    for name, blind in pairs(attacks):
        for (attack, eps), point in ranks.points.items():
            if attack == name:
                found = _row(point, ranks.points[blind, eps], ranks.clean, confidence)
                rows.append({"net": net, "attack": name, "blind": blind, "eps": eps, **found})
    return rows


def _row(point: Point, blind: Point, clean: Point, confidence: float) -> Cells:
    """Leaked: right under the attack that uses the label, wrong under the blind one. Reversed: the other way round.

    `net_share` is their difference as a share of the images, `over_clean` the accuracy under the attack minus the
    clean one, both paired; `among_clean_wrong` counts the leaked ones that are wrong when clean.
    """
    judged = judged_in_all(point, blind, clean)
    row: Cells = {**dict.fromkeys(COLUMNS[4:]), "n_images": int(judged.sum())}
    if judged.any():
        with_label, without, when_clean = right_on(judged, point, blind, clean)
        leaked = with_label & ~without
        row |= {"leaked": int(leaked.sum()), "reversed": int((without & ~with_label).sum())}
        row["among_clean_wrong"] = int((leaked & ~when_clean).sum())
        row["net_share"], row["net_low"], row["net_high"] = paired_difference(with_label, without, confidence)
        row |= interval("over_clean", paired_difference(with_label, when_clean, confidence))
    return row
