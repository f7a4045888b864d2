"""How long a part of an audit takes, from what the net takes for an image and how many passes there are."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from advlaw.audit.stages import DONE, PACKAGE, Host

SECONDS = Path(DONE) / "seconds"
PROBE = PACKAGE / "audit" / "probe.py"
REFINED = 10  # forward passes for an image's exact threshold, about
BELOW = 30  # points of the residuals' grid below that of rays
BEGIN, TABLES, THEORY = 8.0, 12.0, 10.0  # seconds that workers, fits with figures, and the theory's tables take


def told(seconds: float) -> str:
    """In words: `40 seconds`, `3 minutes`."""
    return f"{math.ceil(seconds / 10) * 10} seconds" if seconds < 90 else f"{seconds / 60:.0f} minutes"


def measured(host: Host, name: str, part: str) -> dict[str, float]:
    """What the probe finds: seconds by what is computed, and `workers`."""
    host.call(PROBE, [name, part, "--params", "params.yaml"], "probe")
    found: dict[str, float] = json.loads((host.folder / SECONDS).read_text(encoding="utf-8"))
    return found


def of_sweeps(one: Mapping[str, float], params: Mapping[str, Any], sweeps: Sequence[str], n_images: int) -> float:
    """Seconds of these sweeps, and of the fits and the report."""
    points = params["attack"]["count"]
    passes = 0.0
    for sweep in sweeps:
        if steps := params["attacks"]["iterative"].get(sweep, {}).get("steps"):
            passes += points * (steps * one["gradient"] + one["forward"])
        else:
            passes += one["gradient"] + (1 + points + REFINED) * one["forward"]
    return BEGIN * bool(sweeps) + n_images * passes / one["workers"] + TABLES


def of_theory(one: Mapping[str, float], params: Mapping[str, Any], n_images: int) -> float:
    """Seconds of the response, of what is told from it, and of the new report."""
    rays, (net,) = params["response"]["rays"], params["response"]["nets"].values()
    n_followed = min(n_images, net.get("images", n_images))
    attack = 2 * one["gradient"] + one["response"] + (1 + rays["count"] + REFINED) * one["forward"]
    exact = one["exact_response"] + (rays["count"] + BELOW) * one["exact_forward"]
    passes = n_images * one["forward"] + (1 + len(net["attacks"])) * n_followed * attack + rays["residual"] * exact
    return passes + THEORY + TABLES
