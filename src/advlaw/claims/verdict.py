"""What a measured exponent says about the paper's."""

SLACK = 0.05
MAX_HALF_WIDTH = 0.15

# Cubuk Sec. 1-2, over all nets and data sets
TRUE_LABEL, LEAST_LIKELY = (0.9, 1.3), (1.8, 2.5)
PAPER_RANGES = {"fgsm": TRUE_LABEL, "l2": TRUE_LABEL, "pgd": TRUE_LABEL, "step_ll": LEAST_LIKELY}

# Cubuk Sec. 2, over nets sampled on MNIST (FGSM), and over nets trained on MNIST (step l.l.)
POPULATION_RANGES = {"fgsm": (0.9, 1.2), "step_ll": LEAST_LIKELY}

# Cubuk Fig. 2b and 2c, on fully connected nets: (data set, labels, attack)
PAPER_VALUES = {
    ("mnist", "original", "l2"): 1.1,
    ("mnist", "original", "fgsm"): 1.2,
    ("mnist", "original", "pgd"): 1.3,
    ("mnist", "original", "step_ll"): 2.3,
    ("mnist", "shuffled", "fgsm"): 1.2,
}


def verdict(estimate: float, low: float, high: float, paper: tuple[float, float]) -> str:
    """`holds`, `fails` or `inconclusive`.

    Holds: the estimate lies in the paper's range widened by 0.05 and the interval's half-width is at most 0.15.
    Fails: the interval and the range have no point in common.
    """
    if high < paper[0] or low > paper[1]:
        return "fails"
    is_inside = paper[0] - SLACK <= estimate <= paper[1] + SLACK
    return "holds" if is_inside and (high - low) / 2 <= MAX_HALF_WIDTH else "inconclusive"
