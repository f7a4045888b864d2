"""K24: which methods of Kurakin's Table 5 are tied, by the intervals that its caption speaks of."""

from advlaw.claims.finding import Estimate, Finding, Part, difference, proportion
from advlaw.claims.registry import claim
from advlaw.claims.study import Evidence
from advlaw.papers.kurakin import COLUMNS, printed

N_IMAGES = 50_000  # that the table's errors are of


@claim("K24")
def tied_methods(study: Evidence) -> Finding:
    """The best methods are tied at every eps, once FGSM, which leaks labels, is left out; FGSM is apart from them.

    Judged on the paper's own numbers, with Wilson's intervals for 50,000 images taken as independent.
    """
    parts = []
    for column in COLUMNS[1:]:
        rnd, least, fgsm = (_cell(row, column) for row in ("steprnd", "stepll", "fgsm"))
        tied, apart = difference(rnd, least), difference(fgsm, rnd)
        place = f"Table 5, eps = {column[1:]}"
        is_tied = tied.low <= 0.0 <= tied.high
        parts += [
            Part(place, "step rnd. less step l.l.: tied", tied, verdict="holds" if is_tied else "fails", unit="points"),
            Part(
                place,
                "FGSM less step rnd.: apart",
                apart,
                (0.0, float("inf")),
                "holds" if apart.low > 0 else "fails",
                "points",
            ),
        ]
    return Finding(tuple(parts), "the paper's own numbers")


def _cell(row: str, column: str) -> Estimate:
    return proportion(printed()[f"K-T5-{row}-{column}"], N_IMAGES)
