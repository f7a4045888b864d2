"""The controller of an architecture search: an LSTM that draws architectures and learns from their rewards by PPO.

Zoph, Vasudevan, Shlens and Le 2017 (Sec. 3, App. A.2, A.3), whom Cubuk Sec. 4 follows. It computes on the CPU, in
float32 and on one thread, which is also the fastest, so that rounds are the same bytes whatever the children run on.
There is no checkpoint: from the same numbers and the rewards of the rounds so far it becomes what it was, in about a
tenth of a second a round.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.optim.adam import adam  # torch.optim.Adam itself imports torch._dynamo

from advlaw.core.rng import Numbers
from advlaw.search.settings import ControllerSettings

KINDS = 5  # of decisions, in turn: input, input, operation, operation, combination of each block
START = 0.1  # weights start uniform in [-START, START] (Zoph 2017 App. A.2)
Choose = Callable[[int, Tensor], Tensor]  # position, log-probabilities (n, K) -> choices (n,)


@dataclass(frozen=True, eq=False)
class Sampled:
    """A round of n children of D decisions each.

    `decisions` (n, D) int64, `log_probabilities` (n, D) float32 of each decision given those before it, and `entropy`:
    in nats, summed over the decisions of a child, the mean over children.
    """

    decisions: NDArray[np.int64]
    log_probabilities: NDArray[np.float32]
    entropy: float


@dataclass(frozen=True)
class Update:
    """What a round was to the controller.

    `baseline`: as subtracted from the rewards; `reward`: their mean; `entropy`: of the policy that drew the round;
    `clipped`: share of ratios outside 1 +- clip, over decisions, children and passes; `loss`: of the last pass.
    """

    baseline: float
    reward: float
    entropy: float
    clipped: float
    loss: float


class Policy(nn.Module):
    """A one-layer LSTM that takes one decision a step and is given, embedded, the choice it made at the last one.

    "Every prediction is carried out by a softmax classifier and then fed into the next time step as input" (Zoph and Le
    2016, arXiv 1611.01578, Sec. 3.1). Whether classifiers share weights they do not tell: here every decision has a
    layer of its own, as numbers of choices differ, and all decisions of a kind have one embedding, as an operation or
    an input means the same in every block. The first step is given a vector that is learnt.
    """

    def __init__(self, sizes: Sequence[int], units: int) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.empty(1, units))
        self.embeddings = nn.ModuleList(
            nn.Embedding(max(sizes[kind::KINDS]), units) for kind in range(len(sizes[:KINDS]))
        )
        self.cell = nn.LSTMCell(units, units)
        self.layers = nn.ModuleList(nn.Linear(units, size) for size in sizes)

    def forward(self, count: int, choose: Choose) -> tuple[Tensor, Tensor, Tensor]:
        """Decisions, their log-probabilities and the entropies of what they were drawn from, all (count, D)."""
        given, state, steps = self.start.expand(count, -1), None, []
        for position, layer in enumerate(self.layers):
            state = self.cell(given, state)
            log_p = layer(state[0]).log_softmax(1)
            choice = choose(position, log_p.detach())
            steps.append((choice, log_p.gather(1, choice[:, None])[:, 0], -(log_p.exp() * log_p).sum(1)))
            given = self.embeddings[position % KINDS](choice)
        decisions, taken, entropies = (torch.stack(column, 1) for column in zip(*steps, strict=True))
        return decisions, taken, entropies


class Controller:
    """A policy over `sizes[d]` choices at each decision d, whose random numbers are `numbers`' own.

    Raises ValueError where `sizes` is empty or a decision is without choices.
    """

    def __init__(self, sizes: Sequence[int], settings: ControllerSettings, numbers: Numbers) -> None:
        self.sizes, self.settings, self.numbers = tuple(sizes), settings, numbers
        if min(self.sizes, default=0) < 1:
            raise ValueError(f"sizes = {list(sizes)}: must be one number of choices a decision, each at least 1")
        with torch.random.fork_rng(devices=[]):  # layers draw weights when they are made, which are overwritten
            self.policy = Policy(self.sizes, settings.units)
        self.parameters: list[Tensor] = list(self.policy.parameters())
        drawn = torch.Generator().manual_seed(numbers.seed_of("weights"))
        for parameter in self.parameters:
            nn.init.uniform_(parameter, -START, START, generator=drawn)
        self.first, self.second = ([torch.zeros_like(p) for p in self.parameters] for _ in range(2))
        self.steps = [torch.zeros(()) for _ in self.parameters]
        self.baseline: float | None = None

    @torch.no_grad()
    def sample(self, round: int, count: int) -> Sampled:
        """`count` children; their random numbers depend on (numbers, round) alone.

        Raises ValueError where `count` is below 1.
        """
        if count < 1:
            raise ValueError(f"count = {count}: must be at least 1")
        uniform = torch.from_numpy(self.numbers.generator("choices", round).random((count, len(self.sizes))))

        def draw(position: int, log_p: Tensor) -> Tensor:
            below = log_p.double().exp().cumsum(1)
            return (below / below[:, -1:] <= uniform[:, position, None]).sum(1)

        with _one_thread():
            decisions, log_p, entropies = self.policy(count, draw)
            return Sampled(decisions.numpy(), log_p.numpy(), float(entropies.sum(1).mean()))

    def update(self, sampled: Sampled, rewards: ArrayLike) -> Update:
        """Learn the rewards (n,) of a round, by `passes` steps of Adam on PPO's loss; a child that diverged has 0.

        The advantage of a child is its reward less the baseline, a moving average of rounds' mean rewards that starts
        as the first one's, and moves after it was subtracted. With `scale_advantage` it is divided by the rewards'
        standard deviation, and 0 where they are all equal. Without advantages Adam still moves the policy, by its
        momentum and by the entropy: far from uniform at nearly the full rate, however small the entropy's weight.
        Raises ValueError where `rewards` are not one finite number a child.
        """
        values = self._checked(sampled, rewards)
        reward = float(values[0] + (values - values[0]).mean())  # of equal rewards exactly their value
        baseline = reward if self.baseline is None else self.baseline
        advantages = torch.from_numpy(self._advantages(values, baseline))
        before, decisions = torch.from_numpy(sampled.log_probabilities), torch.from_numpy(sampled.decisions)
        clipped, loss = 0.0, torch.zeros(())
        with _one_thread():
            for _ in range(self.settings.passes):
                _, log_p, entropies = self.policy(len(values), lambda position, _: decisions[:, position])
                ratios = (log_p - before).exp()
                loss = ppo_loss(ratios, advantages, self.settings.clip)
                loss = loss - self.settings.entropy_weight * entropies.sum(1).mean()
                self._step(torch.autograd.grad(loss, self.parameters, materialize_grads=True))
                clipped += float(((ratios - 1).abs() > self.settings.clip).double().mean())
        self.baseline = baseline + (1 - self.settings.baseline_decay) * (reward - baseline)
        return Update(baseline, reward, sampled.entropy, clipped / self.settings.passes, float(loss.detach()))

    def _checked(self, sampled: Sampled, rewards: ArrayLike) -> NDArray[np.float64]:
        values, shape = np.asarray(rewards, dtype=np.float64), sampled.decisions.shape
        if shape[1:] != (len(self.sizes),) or values.shape != shape[:1] or not values.size:
            wanted = f"decisions (n, {len(self.sizes)}) and rewards (n,)"
            raise ValueError(f"decisions {shape} and rewards {values.shape}: must be {wanted}, n >= 1")
        for child in np.flatnonzero(~np.isfinite(values)):
            raise ValueError(f"rewards[{child}] = {values[child]}: must be finite; a child that diverged has reward 0")
        return values

    def _advantages(self, values: NDArray[np.float64], baseline: float) -> NDArray[np.float32]:
        """(n, 1), one for all decisions of a child."""
        advantages = values - baseline
        if self.settings.scale_advantage:  # std() of equal rewards may be rounding instead of 0
            advantages = advantages / values.std() if np.ptp(values) > 0 else np.zeros_like(values)
        return advantages[:, None].astype(np.float32)

    @torch.no_grad()
    def _step(self, gradients: Sequence[Tensor]) -> None:
        adam(
            self.parameters, list(gradients), self.first, self.second, [], self.steps,
            fused=True, amsgrad=False, beta1=0.9, beta2=0.999, lr=self.settings.learning_rate,
            weight_decay=0.0, eps=1e-8, maximize=False,
        )  # fmt: skip


def ppo_loss(ratios: Tensor, advantages: Tensor, clip: float) -> Tensor:
    """-mean over children of sum over decisions of min(r A, clip(r, 1 - c, 1 + c) A) (arXiv 1707.06347 Eq. 7).

    Of `ratios` r (n, D) of new and old probabilities and `advantages` A (n, 1); where r = 1 its gradient is that of
    REINFORCE.
    """
    gains = torch.minimum(ratios * advantages, ratios.clamp(1 - clip, 1 + clip) * advantages)
    return -gains.sum(1).mean()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums in one order, whatever number of threads the process has."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
