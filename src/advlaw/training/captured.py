"""Steps of training as CUDA graphs: small nets wait for their launches, and a graph is launched at once."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from advlaw.core.images import Images
from advlaw.training.minibatches import Minibatch
from advlaw.training.objective import has_penalty
from advlaw.training.schedule import learning_rate
from advlaw.training.step import EagerStep

EAGER = 3  # steps of each kind that go before its capture: kernels are chosen and memory is taken in them
Kind = tuple[int, int, bool]  # images, images that are replaced, whether the entropy penalty counts
Work = Callable[..., Tensor]
Capture = Callable[[Callable[[], Tensor]], tuple[Callable[[], None], Tensor]]
"""Operations without arguments -> what does them again, and where their result (always the same tensor) lies"""


class Graph:
    """`work(*given)`, captured; a call copies what it is given to where the graph reads, and plays it."""

    def __init__(self, work: Work, given: Sequence[Tensor | None], capture: Capture) -> None:
        self.given = [None if tensor is None else tensor.clone() for tensor in given]
        self.play, self.result = capture(lambda: work(*self.given))

    def __call__(self, given: Sequence[Tensor | None]) -> Tensor:
        for own, new in zip(self.given, given, strict=True):
            if own is not None and new is not None:
                own.copy_(new)
        self.play()
        return self.result


def on_gpu() -> Capture:
    """Captures CUDA graphs that share their memory: only one is played at a time."""
    pool, stream = torch.cuda.graph_pool_handle(), torch.cuda.Stream()

    def capture(work: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        graph = torch.cuda.CUDAGraph()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            graph.capture_begin(pool, capture_error_mode="thread_local")
            try:
                result = work()
            finally:
                graph.capture_end()
        torch.cuda.current_stream().wait_stream(stream)
        return graph.replay, result

    return capture


def can_be_captured(step: EagerStep) -> bool:
    """Whether all of a step is done on a GPU, by one process, minibatch by minibatch."""
    images = step.images
    is_there = images.is_on_gpu if isinstance(images, Images) else images.is_cuda
    return is_there and step.settings.minibatches == 1 and step.optimizer.is_fused


@dataclass
class CapturedStep:
    """The steps of `eager`, those of each kind captured after its first few.

    The whole of a step is, with the gathering of its images and its attack, unless the attack draws numbers on the
    host: then what is learnt of the images is. Where something cannot be captured, steps go on one operation after
    another, and it is said.
    """

    eager: EagerStep
    capture: Capture
    seen: Counter[Kind] = field(default_factory=Counter)
    graphs: dict[Kind, Graph] = field(default_factory=dict)
    is_captured: bool = True

    def __call__(self, minibatches: Sequence[Minibatch], made: float) -> Tensor:
        (minibatch,) = minibatches
        kind = self._kind(minibatch, made)
        self.seen[kind] += 1
        if not self.is_captured or self.seen[kind] <= EAGER:
            return self.eager(minibatches, made)
        work, given = self._whole(minibatch, made) if self._is_whole(minibatch) else self._learning(minibatch, made)
        if kind not in self.graphs:
            try:
                self.graphs[kind] = Graph(work, given, self.capture)
            except RuntimeError as error:
                reason = str(error).strip().partition("\n")[0]
                print(f"a step of training cannot be captured as a CUDA graph and takes longer: {reason}", flush=True)
                self.is_captured = False
                return self.eager(minibatches, made)
        return self.graphs[kind](given) * len(minibatch.index)

    def _kind(self, minibatch: Minibatch, made: float) -> Kind:
        n_images = len(minibatch.index)
        k = minibatch.replace.replaced(n_images, made) if minibatch.replace else 0
        return n_images, k, has_penalty(self.eager.settings, made)

    def _is_whole(self, minibatch: Minibatch) -> bool:
        return minibatch.replace is None or minibatch.replace.is_fixed

    def _rate(self, made: float, device: torch.device) -> Tensor:
        return torch.tensor(learning_rate(self.eager.settings, made), device=device)

    def _whole(self, minibatch: Minibatch, made: float) -> tuple[Work, list[Tensor | None]]:
        """A step from the places of its images on, and what it is given."""
        eager, replace, items = self.eager, minibatch.replace, minibatch.items
        k = replace.replaced(len(minibatch.index), made) if replace else 0
        eps = replace.eps[minibatch.index[:k]] if replace else None

        def work(index: Tensor, labels: Tensor, crops: Tensor | None, eps: Tensor | None, rate: Tensor) -> Tensor:
            images, weights = eager.taken(index, crops), None
            if replace is not None and eps is not None and k:
                images, weights = replace.replace(eager.model, images, labels, eps, items)
            return eager.learn(images, labels, weights, made, rate)

        if minibatch.dropout_seed is not None:
            torch.manual_seed(minibatch.dropout_seed)
        rate = self._rate(made, minibatch.index.device)
        return work, [minibatch.index, minibatch.labels, minibatch.crops, eps, rate]

    def _learning(self, minibatch: Minibatch, made: float) -> tuple[Work, list[Tensor | None]]:
        """A step from the images that are learnt on, and what it is given."""
        given = self.eager.given(minibatch, made)

        def work(images: Tensor, labels: Tensor, weights: Tensor | None, rate: Tensor) -> Tensor:
            return self.eager.learn(images, labels, weights, made, rate)

        return work, [*given, self._rate(made, given[0].device)]
