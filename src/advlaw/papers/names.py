"""What the two papers call their attacks, by the names that they have here; and the classes of CIFAR-10."""

ATTACK_NAMES = {
    "fgsm": "FGSM",
    "l2": "L2",
    "fast_linf": "fast grad. L∞",
    "fgsm_predicted": "FGSM-pred",
    "fast_entropy": "fast entropy",
    "step_ll": "step l.l.",
    "step_rnd": "step rnd.",
    "random_sign": "sign of random noise",
    "truncated_normal": "truncated normal noise",
    "iter_basic": "iter. basic",
    "iter_ll": "iter. l.l.",
    "pgd": "PGD",
}

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def class_name(dataset: str, number: int) -> str:
    """A class by its name where the data set has names for them (`cifar10`, `cifar10_16`), else by its number."""
    return CIFAR10_CLASSES[number] if dataset.partition("_")[0] == "cifar10" else f"{number}"
