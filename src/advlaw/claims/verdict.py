"""What a measured exponent says about the paper's."""

SLACK = 0.05
MAX_HALF_WIDTH = 0.15


def verdict(estimate: float, low: float, high: float, paper: tuple[float, float]) -> str:
    """`holds`, `fails` or `inconclusive`.

    Holds: the estimate lies in the paper's range widened by 0.05 and the interval's half-width is at most 0.15.
    Fails: the interval and the range have no point in common.
    """
    if high < paper[0] or low > paper[1]:
        return "fails"
    is_inside = paper[0] - SLACK <= estimate <= paper[1] + SLACK
    return "holds" if is_inside and (high - low) / 2 <= MAX_HALF_WIDTH else "inconclusive"
