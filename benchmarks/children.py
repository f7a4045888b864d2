"""Children of a search: nets of random cells, half of each minibatch adversarial, against the loop people write.

The cells and the entry are those of studies/cifar10_search; both take the same images in the same order from the same
weights, to the same loss.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch
from nets import N_CLASSES
from rounds import Line, Setting, compare
from torch import Tensor, nn

from advlaw.attacks.settings import OneStepAttack
from advlaw.core.images import Examples, Images
from advlaw.core.rng import Numbers, generator
from advlaw.core.section import read_section
from advlaw.data.clusters import clusters
from advlaw.models.store import build, in_fast_layout
from advlaw.search.settings import Searches
from advlaw.search.space import cell_of, uniform
from advlaw.training.loop import train
from advlaw.training.schedule import learning_rate
from advlaw.training.settings import Net
from advlaw.trials.defence import adversarial_defence

PARAMS = Path("studies/cifar10_search/params.yaml")
SEARCH = "step_ll"
N_CHILDREN, N_IMAGES, SIDE = {"cpu": 3, "cuda": 12}, {"cpu": 640, "cuda": 1280}, 16
STEP_LL = OneStepAttack(direction="sign", target="least_likely", clip=True)
NUMBERS = Numbers(0, ("benchmark",))


def entries(count: int) -> list[Net]:
    """The first so many random cells of the search, to be trained for one epoch."""
    settings = read_section(PARAMS, "search", Searches)
    assert settings.space is not None
    decisions = uniform(settings.space, count, generator(0, "random", SEARCH))
    cells = [cell_of(settings.space, drawn) for drawn in decisions]
    found = [settings.child_of(settings.searches[SEARCH], cell) for cell in cells]
    once = {"epochs": 1, "watched": 0}
    return [net.model_copy(update={"training": net.training.model_copy(update=once)}) for net in found]


def untrained(net: Net, examples: Examples) -> nn.Module:
    torch.manual_seed(0)
    model = build(net.architecture.spec([1, SIDE, SIDE], N_CLASSES))
    model.head.set_statistics(examples.images)
    return model.to(examples.labels.device)


def ours(nets: list[Net], examples: Examples) -> list[float]:
    found = []
    for net in nets:
        assert net.adversarial is not None
        model, one = in_fast_layout(untrained(net, examples)), examples.first(1)
        defence = adversarial_defence(net.adversarial, STEP_LL, net.training.batch_size, one)
        history = train("benchmark", model, examples, one, net.training, NUMBERS, None, defence)
        found.append(float(history.rows[-1]["train_loss"] or 0.0))
    return found


def plain(nets: list[Net], examples: Examples) -> list[float]:
    """Tensors in memory, torch.optim, loss.backward(), the attack written out."""
    return [plain_loop(net, untrained(net, examples), examples.images[:], examples.labels) for net in nets]


def plain_loop(net: Net, model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The mean loss of an epoch."""
    settings, adversarial = net.training, net.adversarial
    assert adversarial is not None
    eps, size = adversarial.eps.fixed, settings.batch_size  # type: ignore[union-attr]
    order = torch.from_numpy(NUMBERS.generator("order", 1).permutation(len(labels))).to(labels.device)
    optimizer = torch.optim.Adam(model.parameters(), weight_decay=settings.weight_decay)
    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    batches = order.split(size)
    total = 0.0
    for step, batch in enumerate(batches):
        optimizer.param_groups[0]["lr"] = learning_rate(settings, step / len(batches))
        some, wanted = images[batch], labels[batch]
        k = adversarial.images * len(batch) // size
        for norm in norms:
            norm.track_running_stats = False
        attacked = some[:k].clone().requires_grad_(True)
        logits = model(attacked)
        nn.functional.cross_entropy(logits, logits.argmin(dim=1)).backward()
        for norm in norms:
            norm.track_running_stats = True
        moved = (attacked.detach() - eps * attacked.grad.sign()).clamp(0, 255)  # type: ignore[union-attr]
        optimizer.zero_grad()
        losses = nn.functional.cross_entropy(model(torch.cat([moved, some[k:]])), wanted, reduction="none")
        loss = losses.mean()  # the search's lambda is 1
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch)
    return total / len(labels)


def lines(setting: Setting) -> Iterator[Line]:
    kind = setting.device.type
    data = clusters({"train": N_IMAGES[kind]}, N_CLASSES, SIDE, 40.0, 0.02, seed=0)
    labels = torch.from_numpy(data.labels).to(setting.device)
    examples, nets = Examples(Images(data.images, setting.device), labels), entries(N_CHILDREN[kind])
    own, peer = partial(ours, nets, examples), partial(plain, nets, examples)
    torch.testing.assert_close(torch.tensor(peer()), torch.tensor(own()), rtol=0.05, atol=0)
    work = f"{len(nets)} nets, {N_IMAGES[kind]:,} images"
    peers = {"a plain loop, images in memory": peer}
    yield from compare(
        "training children, half adversarial, 1 thread", "random cells, 8 filters", work, own, peers, setting
    )
