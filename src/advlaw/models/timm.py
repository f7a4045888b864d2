"""A net of the library timm."""

from collections.abc import Sequence
from typing import Any

from advlaw.models.classifier import Classifier
from advlaw.models.wrapped import classifier, said


def build(
    image_shape: tuple[int, ...],
    n_classes: int,
    name: str,
    arguments: dict[str, Any],
    version: str,
    float64: bool = True,
    channels_last: bool = True,
    folded: Sequence[Sequence[str]] = (),
) -> Classifier:
    """timm.create_model(name, **arguments) with random weights; `version` is timm's when the net was taken.

    Raises ValueError where timm is another version now, or cannot make the net.
    """
    import timm

    if timm.__version__ != version:
        raise ValueError(
            f"{name}: was taken with timm {version}, and timm {timm.__version__} is installed; install that one, or "
            "run the pretrained stage again, with `dvc repro -f -s pretrained@MODEL`"
        )
    try:
        net = timm.create_model(name, pretrained=False, **arguments)
    except Exception as error:  # whatever timm raises of arguments that it does not know
        raise ValueError(f"{name}: timm.create_model failed: {said(error)}; see `arguments`") from error
    return classifier(net, image_shape[0], float64, channels_last, folded)
