"""What the two papers call their attacks, by the names that they have here."""

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
