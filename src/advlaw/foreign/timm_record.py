"""What timm records of its nets: what they are shown of an image, and the statistics that normalise it."""

import difflib
import math
from typing import Any

from advlaw.foreign.settings import Timm
from advlaw.models.settings import Input

INTERPOLATIONS = ("bilinear", "bicubic")


def library() -> Any:
    """The module `timm`; ValueError where it is not installed."""
    try:
        import timm
    except ImportError:
        raise ValueError(
            "arch = 'timm': timm is not installed; install advlaw's extra 'timm' (see pyproject.toml)"
        ) from None
    return timm


def filled(key: str, settings: Timm) -> Timm:
    """The entry with input, mean and std of timm's record where it leaves them out.

    Raises ValueError naming the entry `key` for a name that timm does not know, or a record that cannot be followed.
    """
    timm = library()
    if not timm.is_model(settings.name):
        near = difflib.get_close_matches(settings.name, [*timm.list_models(), *timm.list_pretrained()], 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(
            f"{key}.name = {settings.name!r}: timm {timm.__version__} has no such net; {hint}timm.list_models() lists "
            "them"
        )
    record = timm.get_pretrained_cfg(settings.name)
    shown = settings.input or _input(key, record)
    usual = {what: [255.0 * value for value in getattr(record, what)] for what in ("mean", "std")}
    statistics = {what: getattr(settings, what) or usual[what] for what in ("mean", "std")}
    return settings.model_copy(update={"input": shown, **statistics})


def _input(key: str, record: Any) -> Input:
    if record.crop_mode != "center" or record.interpolation not in INTERPOLATIONS:
        raise ValueError(
            f"{key}: timm crops its images by {record.crop_mode!r} and scales them by {record.interpolation!r}; only "
            f"center, and {' or '.join(INTERPOLATIONS)}, can be done here: give the entry an input of its own"
        )
    size = record.input_size[-1]
    return Input(size=size, resize=math.floor(size / record.crop_pct), interpolation=record.interpolation)
