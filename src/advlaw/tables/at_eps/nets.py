"""nets.csv of a set at a few eps: what every net is, how it was trained, how accurate it is when clean."""

from collections.abc import Iterable, Mapping

import numpy as np
from scipy.stats import binomtest

from advlaw.core.io import Cells
from advlaw.tables.at_eps.ranks import Ranks
from advlaw.tables.trials import describe

ADVERSARIAL, PLAIN = "adversarial", "plain"  # kinds of nets: trained on adversarial images, or on clean ones alone
NO_BETTER = 0.001  # p value above which a net is no better than one that always gives one class
SETTINGS = (
    "optimizer",
    "learning_rate",
    "schedule",
    "batch_size",
    "minibatches",
    "weight_decay",
    "label_smoothing",
    "attack",
    "n_replaced",
    "weight",
    "eps_law",
    "fixed_eps",
    "delay",
)
OF_ARCHITECTURE = ("depth", "width", "activation", "dropout")
OF_TRAINING = (
    "epochs",
    "train_loss",
    "train_accuracy",
    "validation_accuracy",
    "best_validation_accuracy",
    "overfitted_at",
)
COLUMNS = (
    "net",
    "differs",
    "seed",
    "baseline",
    "arch",
    "layers",
    "sizes",
    *OF_ARCHITECTURE,
    "n_parameters",
    "flops",
    "defence",
    "diverged",
    "collapsed",
    "n_images",
    "test_accuracy",
    "top5_accuracy",
    *OF_TRAINING,
    *SETTINGS,
)


def net_rows(nets: Iterable[Cells], ranks: Mapping[str, Ranks]) -> list[Cells]:
    """A row for every net, as nets.json lists them; one whose training diverged has no accuracies."""
    return [_row(net, ranks.get(net["net"])) for net in nets]


def _row(net: Cells, ranks: Ranks | None) -> Cells:
    row = {**dict.fromkeys(COLUMNS), **{name: cell for name, cell in describe(net).items() if name in COLUMNS}}
    row |= {name: net.get(name) for name in (*OF_ARCHITECTURE, *OF_TRAINING, *SETTINGS)}
    row["collapsed"] = ranks is not None and is_collapsed(ranks)
    if ranks is not None:
        clean = ranks.clean
        row |= {"n_images": clean.n_images, "test_accuracy": clean.accuracy(), "top5_accuracy": clean.accuracy(5)}
    return row


def is_collapsed(ranks: Ranks) -> bool:
    """Whether a net is no more accurate when clean than one that gives the most frequent class to every image.

    By a binomial test, p > 0.001; where there is no image to judge it is.
    """
    clean = ranks.clean
    if not clean.n_images:
        return True
    most = int(np.unique(ranks.label[clean.judged], return_counts=True)[1].max())
    test = binomtest(clean.n_right(), clean.n_images, most / clean.n_images, alternative="greater")
    return bool(test.pvalue > NO_BETTER)


def kind_of(net: Cells) -> str:
    """Of a row of nets.json."""
    return ADVERSARIAL if net["attack"] else PLAIN
