"""What a measured exponent says about the paper's."""

SLACK = 0.05
MAX_HALF_WIDTH = 0.15

# Cubuk Sec. 1-2, over all nets and data sets: FGSM, L2 and PGD (climb the loss of the true label); step l.l.
PAPER_RANGES = {"true_label": (0.9, 1.3), "least_likely": (1.8, 2.5)}


def verdict(estimate: float, low: float, high: float, paper: tuple[float, float]) -> str:
    """`holds`, `fails` or `inconclusive`.

    Holds: the estimate lies in the paper's range widened by 0.05 and the interval's half-width is at most 0.15.
    Fails: the interval and the range have no point in common.
    """
    if high < paper[0] or low > paper[1]:
        return "fails"
    is_inside = paper[0] - SLACK <= estimate <= paper[1] + SLACK
    return "holds" if is_inside and (high - low) / 2 <= MAX_HALF_WIDTH else "inconclusive"
