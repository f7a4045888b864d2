"""A net of the library timm."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from advlaw.models.classifier import Classifier
from advlaw.models.wrapped import classifier, said


def build(
    image_shape: tuple[int, ...],
    n_classes: int,
    name: str,
    arguments: dict[str, Any],
    version: str,
    added_blocks: int = 0,
    float64: bool = True,
    channels_last: bool = True,
    folded: Sequence[Sequence[str]] = (),
) -> Classifier:
    """timm.create_model(name, **arguments) with random weights; `version` is timm's when the net was made first.

    `added_blocks` make a deeper Inception v3 (Kurakin Sec. 4.1): so many more of the last block of 17 x 17 positions,
    behind it. Raises ValueError where timm is another version now, or cannot make the net.
    """
    import timm

    if timm.__version__ != version:
        raise ValueError(
            f"{name}: was taken with timm {version}, and timm {timm.__version__} is installed; install that one, or "
            "make the net anew, with `dvc repro -f -s pretrained@MODEL`, or `train@MODEL` where it was trained here"
        )
    try:
        net, *others = (timm.create_model(name, pretrained=False, **arguments) for _ in range(1 + added_blocks))
    except Exception as error:  # whatever timm raises of arguments that it does not know
        raise ValueError(f"{name}: timm.create_model failed: {said(error)}; see `arguments`") from error
    if others:
        blocks = [each.get_submodule("Mixed_6e") for each in (net, *others)]  # each with weights as timm draws them
        net.set_submodule("Mixed_6e", nn.Sequential(*blocks))
    return classifier(net, image_shape[0], float64, channels_last, folded)
