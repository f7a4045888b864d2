"""A sweep in shards of some images each, done by workers and kept one by one: a killed sweep goes on with the others.

What an image is given depends on neither the shard that it is in nor who computes it.
"""

from dataclasses import dataclass
from functools import partial
from io import BytesIO

import torch

from advlaw.attacks.settings import Attack, Grid
from advlaw.core.code import code_sha256, sha256
from advlaw.core.examples import Shown, read_examples
from advlaw.core.io import Arrays, npz, read_npz
from advlaw.core.kept import kept_path
from advlaw.core.runtime import configure
from advlaw.core.workers import Pool
from advlaw.evaluation.batches import joined
from advlaw.evaluation.sweep import Randomness
from advlaw.evaluation.swept import swept
from advlaw.models.store import Stored, load_net


@dataclass(frozen=True)
class Sharded:
    """A net, the images that it is shown, and the attack: what every shard of a sweep shares."""

    net: Stored
    images: Shown
    split: str
    family: str
    attack: Attack
    grid: Grid
    randomness: Randomness
    device: str
    portable: bool


def sweep_in_shards(pool: Pool, plan: Sharded, n_images: int, size: int, name: str) -> Arrays:
    """The arrays that `swept` finds, of shards of `size` images; `name` is shown while it goes on."""
    shards = [(start, min(start + size, n_images)) for start in range(0, n_images, size)]
    common = {
        "weights": sha256(plan.net.weights),
        "data": sha256(plan.images.dataset),
        "view": repr(plan.images.view),
        "attack": plan.attack.model_dump(),
        "grid": plan.grid.model_dump(),
        "randomness": repr(plan.randomness),
        "split": plan.split,
        "spec": plan.net.spec,
        "device": plan.device,
        "portable": plan.portable,
        "code": code_sha256(__name__, f"advlaw.attacks.{plan.family}", f"advlaw.models.{plan.net.spec['arch']}"),
        "torch": torch.__version__,
    }
    paths = [kept_path("shards", {**common, "shard": shard}) for shard in shards]
    pool.fan_out(partial(sweep_shard, plan), shards, paths, name)
    found = [read_npz(path) for path in paths]
    eps = found[0]["eps"]
    for part in found:
        del part["eps"]
    return {"eps": eps, **joined(found, n_images, first=["bracket"])}


def sweep_shard(plan: Sharded, start: int, stop: int) -> bytes:
    """An npz file of what `swept` finds of the images from `start` to `stop` of the split."""
    device = configure(1, plan.device, plan.portable)
    model = load_net(plan.net.spec, plan.net.weights, device)
    examples = read_examples(plan.images.dataset, plan.split, device, view=plan.images.view)
    part = examples.part(slice(start, stop))
    randomness = Randomness(plan.randomness.seed, plan.randomness.names, start)
    content = BytesIO()
    npz(content, swept(model, part.images, part.labels, plan.family, plan.attack, plan.grid, randomness))
    return content.getvalue()
