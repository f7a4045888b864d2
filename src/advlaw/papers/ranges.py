"""Exponents that Cubuk et al. print: ranges over all nets and data, and values of single nets."""

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
