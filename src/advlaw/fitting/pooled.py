"""One exponent for several nets: their errors' sizes, each over its own range, are one sample.

B is common to the nets; that their smooth factors differ does no harm, for a mixture of such densities is one of them.
Averages of the nets' own estimates do not do: the prior pulls each by as much, which no number of nets averages out.
See docs/findings/exponent.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from advlaw.fitting.sizes import joined
from advlaw.fitting.small_eps import Law, fit


@dataclass(frozen=True)
class Pooled:
    """The law of all errors together, and whether the nets differ.

    p_equal: of one B for all nets, by Cochran's Q of ln B; too large on average, since the prior takes from each
    estimate's spread more than from its standard error. tau: the spread of B that is not chance, by DerSimonian and
    Laird's moments: 0 where the nets differ by no more than their errors.
    """

    law: Law
    n_nets: int
    p_equal: float
    tau: float


def pool(laws: Sequence[Law], confidence: float = 0.95) -> Pooled | None:
    """The common exponent of nets, from the sizes that their own laws were fitted to; None of fewer than two."""
    if len(laws) < 2:
        return None
    law = fit(joined([one.sizes for one in laws]), confidence, laws[0].prior)
    assert law is not None  # one net alone has enough errors
    logs = np.log([one.b for one in laws])
    weight = np.array([(one.b / one.standard_error) ** 2 for one in laws])
    mean = (weight * logs).sum() / weight.sum()
    q = (weight * (logs - mean) ** 2).sum()
    scale = weight.sum() - (weight**2).sum() / weight.sum()
    tau = math.exp(mean) * math.sqrt(max(0.0, (q - (len(laws) - 1)) / scale))
    return Pooled(law, len(laws), float(chi2.sf(q, len(laws) - 1)), tau)
