"""`search`: how architectures are drawn, judged and enlarged (Cubuk Sec. 4)."""

from typing import Annotated

from pydantic import Field

from advlaw.core.section import Section

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class ControllerSettings(Section):
    """The recurrent net that draws architectures, and how it learns from their rewards: `advlaw.search.controller`.

    Cubuk Sec. 4 follows Zoph, Vasudevan, Shlens and Le 2017 (App. A.2, A.3), whose values are given where they tell
    one; theirs are for about 20,000 children, and a study of a hundred has to learn faster.

    `units`: of the LSTM; Zoph: 100. Its weights start uniform in [-0.1, 0.1].
    `learning_rate`: of Adam, which Zoph and Le 2016 take; Zoph: 0.00035.
    `entropy_weight`: of the policy's entropy in nats, summed over the decisions of a child; Zoph: 0.00001.
    `baseline_decay`: share of the baseline that stays when the mean reward of a round joins it; Zoph: 0.95.
    `clip`: a decision's ratio of probabilities counts up to 1 +- `clip` in PPO (arXiv 1707.06347, which takes 0.2).
    Neither Zoph nor Cubuk tells it, nor whether ratios are taken a decision or a child: a decision is our choice.
    `passes`: gradient steps on each round, all of its children in each. Told by neither; with 1 nothing is clipped.
    `batch`: children of a round; Zoph: 20.
    `scale_advantage`: divide advantages by the standard deviation of the round's rewards. Ours; Zoph tells of none.
    """

    units: Count
    learning_rate: Positive
    entropy_weight: Annotated[float, Field(ge=0)]
    baseline_decay: Annotated[float, Field(ge=0, lt=1)]
    clip: Positive
    passes: Count
    batch: Count
    scale_advantage: bool
