"""The params that repeat a measurement as stages of a study."""

import io
from typing import Any

from ruamel.yaml import YAML

SECTIONS = ("seed", "attack", "pretrained_models", "attacks", "sweeps")
HOW = """\
# The same measurement in a study: merge these sections into its params.yaml. `dataset` names one of its data sets.
# First save the model, in evaluation mode on the CPU; `images` is a batch of its input:
#   program = torch.export.export(model, (images,), dynamic_shapes=({{0: torch.export.Dim("batch")}},))
#   torch.export.save(program, "{file}")
"""


def entry_text(params: dict[str, Any]) -> str:
    """The sections of `params` that decide what is measured, as YAML, with a comment on how to save the model."""
    (entry,) = params["pretrained_models"].values()
    attacks = {family: found for family, found in params["attacks"].items() if found}
    shown = {name: params[name] for name in SECTIONS} | {"attacks": attacks}
    text = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.dump(shown, text)
    return HOW.format(file=entry["file"]) + text.getvalue()
