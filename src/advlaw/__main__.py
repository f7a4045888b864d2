"""`advlaw`, or `python -m advlaw`: commands outside the pipeline."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, NoReturn

from advlaw.audit.command import Audit, audit
from advlaw.audit.params import COUNT, EPS_MAX, EPS_MIN, STEPS
from advlaw.core.command import heed_signals, run, said

AUDIT = """\
Attack your own model on your own images and report how its adversarial error grows: FGSM, its L2 form, step l.l. and
PGD over a grid of eps, a threshold for each image and exponents with intervals; then what theory predicts. --model is
imported or opened, which runs its code. After an interruption, give the same command again to continue.

  advlaw audit --timm mobilenetv2_100.ra_in1k --weights model.safetensors --data photographs
  advlaw audit --model torchvision.models:squeezenet1_0 --weights squeezenet.safetensors --data photographs
  advlaw audit --model mynets:lenet --data digits.npz --mean 33.3 --std 78.6
"""


def parser() -> argparse.ArgumentParser:
    called = "python -m advlaw" if Path(sys.argv[0]).name == "__main__.py" else "advlaw"
    commands = argparse.ArgumentParser(prog=called, description=__doc__)
    own = commands.add_subparsers(metavar="COMMAND").add_parser(
        "audit",
        help="attack your own model and report its exponents",
        description=AUDIT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    own.set_defaults(audited=True)
    model = own.add_argument_group("the model: normalised pixels (B, C, H, W) to logits (B, K)")
    either = model.add_mutually_exclusive_group(required=True)
    either.add_argument(
        "--model", help="package.module:factory, or a file saved by torch.jit.save or torch.export.save"
    )
    either.add_argument(
        "--timm", metavar="NAME", help="a net of the library timm, shown images as timm records; needs --weights"
    )
    model.add_argument(
        "--arguments",
        type=_mapping,
        default={},
        metavar="JSON",
        help="keyword arguments for the factory, or for timm.create_model",
    )
    model.add_argument(
        "--weights", type=Path, metavar="FILE", help="its state dict, saved by safetensors or torch.save"
    )
    for name, default in (
        ("mean", "timm's; ImageNet's for 3 channels, else 0"),
        ("std", "timm's; ImageNet's for 3 channels, else 255"),
    ):
        text = f"{name} per channel, in pixel units [0, 255]: the model takes (pixels - mean) / std (default {default})"
        model.add_argument(f"--{name}", type=float, nargs="+", metavar="VALUE", help=text)
    data = own.add_argument_group("the images")
    data.add_argument(
        "--data",
        type=Path,
        required=True,
        help="a folder with one subfolder of images per class, or an npz file with uint8 images (N, C, H, W) or "
        "(N, H, W, C) and labels (N,)",
    )
    data.add_argument(
        "--classes",
        metavar="FILE or NUMBER",
        help="for a folder, a file with one class's name per line, in the order of the model's classes (default: the "
        "subfolders, sorted; with --timm ImageNet's, if the subfolders bear their names); for an npz file, how many "
        "classes the model has (default: as many as the labels need)",
    )
    data.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        help="for a folder without subfolders: a file with an image's path and class on each line, or classes alone",
    )
    data.add_argument(
        "--images", type=_positive, metavar="N", help="attack only N images, drawn at random (default: all)"
    )
    data.add_argument(
        "--size",
        type=_positive,
        help="side of the square cut from each image of a folder (default: timm's, or 224)",
    )
    data.add_argument(
        "--resize",
        type=_positive,
        help="shorter side of each image before the cut (default: timm's, or --size / 0.875)",
    )
    data.add_argument(
        "--interpolation", choices=("bilinear", "bicubic"), help="how it is scaled (default: timm's, or bilinear)"
    )
    data.add_argument(
        "--channels", type=int, choices=(1, 3), default=3, help="read a folder's images as grey (1) or RGB (3, default)"
    )
    attack = own.add_argument_group("the attacks")
    attack.add_argument(
        "--count", type=_positive, default=COUNT, metavar="N", help="points in the grid of eps (default %(default)s)"
    )
    for end, which, eps in (("min", "smallest", EPS_MIN), ("max", "largest", EPS_MAX)):
        text = f"{which} eps, in pixel units (default {eps:g})"
        attack.add_argument(f"--eps-{end}", type=float, default=eps, metavar="EPS", help=text)
    attack.add_argument(
        "--steps",
        type=int,
        default=STEPS,
        metavar="N",
        help="PGD steps; 0 omits PGD, which takes most of the time (default %(default)s)",
    )
    how = own.add_argument_group("how it is run")
    how.add_argument("--no-theory", dest="theory", action="store_false", help="end with the first report")
    how.add_argument("--out", type=Path, metavar="FOLDER", help="where results go (default: audit/ and the net's name)")
    how.add_argument("--seed", type=int, default=0, help="for all random numbers (default 0)")
    how.add_argument(
        "--threads",
        type=_positive,
        default=2,
        help="CPU threads (default 2), and processes that attack; the theory's results depend slightly on their number",
    )
    how.add_argument(
        "--portable", action="store_true", help="give the same bytes on every x86-64 CPU; matrix products are slower"
    )
    how.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto (default): a GPU if there is one"
    )
    return commands


def _mapping(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text, parse_constant=_no_number)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: not JSON: {error}") from None
    if not isinstance(values, dict):
        raise argparse.ArgumentTypeError(f'{text!r}: must be a JSON object, such as {{"width": 3}}')
    return values


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"JSON has no {text}")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: must be a whole number, at least 1")
    return int(text)


def main() -> None:
    commands = parser()
    values = vars(commands.parse_args())
    if not values.pop("audited", False):
        commands.print_help()
        return
    heed_signals()
    try:
        audit(Audit(**values))
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ValueError(f"{said(error)}; give another path or repair this one") from error


def console() -> None:
    """The command `advlaw` of an installed package."""
    run(main)


if __name__ == "__main__":
    console()
