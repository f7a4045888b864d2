"""`advlaw audit`: one model and one set of images through the pipeline's own stages.

The audit is a study in a folder of its own, from which the stages run: params.yaml, data/, models/ and plots/ lie
there, and nothing of the repository is touched. A stage that has finished with the same settings, images and code is
not run again.
"""

import hashlib
import io
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from advlaw.attacks.settings import Grid
from advlaw.audit.folder import HEADER, check_folder, net_name
from advlaw.audit.images import Source, read_images
from advlaw.audit.model import model_entry
from advlaw.audit.params import DATASET, audit_params
from advlaw.audit.stages import PACKAGE, alone, is_done, pipeline, remember, run_stage, take_back
from advlaw.audit.summary import NEEDED, check_accuracy, check_number, counted, print_summary, right
from advlaw.config.study import Study
from advlaw.core.code import sha256
from advlaw.core.dataset import Dataset, write_dataset
from advlaw.core.io import write_json, write_text
from advlaw.core.section import validate
from advlaw.core.tables import write_table
from advlaw.data.class_folders import printable
from advlaw.foreign.settings import Normalised

IMAGENET = ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])
START = 6.0  # seconds that a stage takes to begin
REFINED = 12  # forward passes for the exact thresholds, about


@dataclass(frozen=True)
class Audit(Source):
    """The arguments of the command, those of its images among them; see its --help."""

    model: str
    arguments: dict[str, Any]
    weights: Path | None
    mean: list[float] | None
    std: list[float] | None
    count: int
    eps_min: float
    eps_max: float
    steps: int
    out: Path | None
    threads: int
    portable: bool
    device: str

    @property
    def name(self) -> str:
        """The net's name in tables and figures."""
        return net_name(self.model, self.arguments)


def audit(settings: Audit) -> None:
    """Run all of it, and print a summary. Raises ValueError for what cannot be used, before any work if it can be."""
    _check(settings)
    model = model_entry(settings.model, settings.arguments, settings.weights)
    folder = settings.out or Path("audit") / settings.name
    check_folder(folder, model, settings.out is not None)
    dataset, n_classes = read_images(settings)
    n_images, n_channels = dataset.images.shape[:2]
    is_chosen = n_images == settings.images
    check_number(n_images, f"--images {n_images}" if is_chosen else f"--data {settings.data}: {n_images} images")
    mean, std = _statistics(settings, n_channels)
    params = audit_params(
        settings.name,
        {**model, "classes": n_classes, "mean": mean, "std": std},
        {"eps_min": settings.eps_min, "eps_max": settings.eps_max, "count": settings.count},
        settings.steps,
        n_images,
        {"seed": settings.seed, "threads": settings.threads, "device": settings.device, "portable": settings.portable},
    )
    validate(params, Study, folder / "params.yaml")
    print(f"{folder}: {n_images} images {dataset.images.shape[1:]}, {n_classes} classes; (pixels - {mean}) / {std}")
    text = _yaml(params)
    state = _sha256(
        text.encode(),
        *(part for array in (dataset.images[:], dataset.labels) for part in (str(array.shape).encode(), array.data)),
        sha256(*sorted([*PACKAGE.rglob("*.py"), *(pipeline() / "stages").glob("*.py")])).encode(),
    )
    with alone(folder):
        if outdated := take_back(folder, state):
            files = counted(outdated, "file")
            print(f"{folder}: settings, images or code have changed; removed {files} of the earlier audit")
        write_text(folder / "params.yaml", text)
        remember(folder, "prepared", state, _write_placeholders(folder, settings.name, n_images))
        _write_images(folder, printable(settings.data.resolve().name), dataset)
        _run_stages(settings, folder, state, n_images, n_classes)
        print_summary(settings.name, folder, n_classes)


def _check(settings: Audit) -> None:
    grid = {"eps_min": settings.eps_min, "eps_max": settings.eps_max, "count": settings.count}
    validate(grid, Grid, Path("--eps-min, --eps-max, --count"))
    if settings.steps < 0:
        raise ValueError(f"--steps {settings.steps}: must be at least 0")
    _check_statistics(settings)
    _check_device(settings.device)
    if settings.resize is not None and settings.resize < settings.size:
        raise ValueError(f"--resize {settings.resize}: must be at least --size {settings.size}, which is cut from it")


def _check_device(device: str) -> None:
    if device != "cuda":
        return
    import torch  # here, since it takes seconds

    if not torch.cuda.is_available():
        raise ValueError("--device cuda: torch finds no CUDA GPU here; give --device cpu, or leave --device out")


def _check_statistics(settings: Audit) -> None:
    """Those that are given, whatever images they will be used on."""
    given = settings.mean or settings.std
    if given is None:
        return
    usual = IMAGENET if len(given) == len(IMAGENET[0]) else ([0.0] * len(given), [255.0] * len(given))
    entry = {"dataset": DATASET, "mean": settings.mean or usual[0], "std": settings.std or usual[1]}
    validate(entry, Normalised, Path("--mean, --std"))


def _statistics(settings: Audit, n_channels: int) -> tuple[list[float], list[float]]:
    usual = IMAGENET if n_channels == len(IMAGENET[0]) else ([0.0] * n_channels, [255.0] * n_channels)
    found = (settings.mean or usual[0], settings.std or usual[1])
    for option, values in zip(("--mean", "--std"), found, strict=True):
        if len(values) != n_channels:
            raise ValueError(
                f"{option}: {len(values)} values, but the images have {n_channels} channels; give one per channel"
            )
    return found


def _yaml(params: dict[str, Any]) -> str:
    text = io.StringIO()
    YAML().dump(params, text)
    return HEADER + text.getvalue()


def _write_placeholders(folder: Path, name: str, n_images: int) -> list[Path]:
    """What the report reads and an audit does not make: judged claims, benchmarks; and what the images are.

    Returns those that bear the net's name.
    """
    entry = {"source": "own", "train": 0, "validation": 0, "test": n_images}
    write_text(folder / "datasets/params.yaml", _yaml({"seed": 0, "datasets": {DATASET: entry}}))
    write_text(folder / "requirements.txt", (pipeline() / "requirements.txt").read_text(encoding="utf-8"))
    write_json(folder / "benchmarks/results.json", {})
    write_table(folder / "claims/claims.csv", [], ["id"])
    files = [folder / "plots" / name / f"{table}.csv" for table in ("claims", "claim_parts")]
    for file in files:
        write_table(file, [], ["claim", "verdict"])
    return files


def _write_images(folder: Path, source: str, dataset: Dataset) -> None:
    """The images as a data set of the audit's own, with their provenance."""
    path = folder / "data/datasets" / f"{DATASET}.npz"
    write_dataset(path, dataset)
    files = {path.name: {"sha256": sha256(path), "official": None}}
    write_json(path.with_suffix(".json"), {"source": f"taken from {source}", "files": files})


def _sha256(*contents: bytes | memoryview) -> str:
    total = hashlib.sha256()
    for content in contents:
        size = content.nbytes if isinstance(content, memoryview) else len(content)
        total.update(size.to_bytes(8, "little"))
        total.update(content)
    return total.hexdigest()


def _run_stages(settings: Audit, folder: Path, state: str, n_images: int, n_classes: int) -> None:
    """The stages in order. The first one looks at the model anew each time, and what it finds counts for the others."""
    name = settings.name
    run_stage(folder, name, ["pretrained", name], state)
    taken = folder / "models" / name / name
    state += _sha256(*(path.read_bytes() for path in sorted(taken.iterdir())))
    if outdated := take_back(folder, state):
        files = counted(outdated, "file")
        print(f"{folder}: the model's code or weights have changed; removed {files} of the earlier audit")
    row = json.loads((taken / "row.json").read_text(encoding="utf-8"))
    _check_accuracy(settings, row["test_accuracy"], n_images, n_classes)
    sweeps = [["sweep", attack] for attack in ("fgsm", "l2", "step_ll", *(("pgd",) if settings.steps else ()))]
    others = ("theory", "order_statistics", "fit", "laws", "figures")
    plan = [["provenance", DATASET], *sweeps, ["response", name], *([stage] for stage in (*others, "report"))]
    for stage in plan:
        if is_done(folder, stage, state):
            print(f"{' '.join(stage)}: already done", flush=True)
            continue
        seconds = run_stage(folder, name, stage, state)
        if stage == ["sweep", "fgsm"]:
            _print_estimate(settings, seconds - START)


def _check_accuracy(settings: Audit, accuracy: float, n_images: int, n_classes: int) -> None:
    """Stops where too few images can be made wrong; warns where the accuracy is about chance, or they may be too few.

    Too few, that is, for a line through points.
    """
    warning = check_accuracy(accuracy, n_images, n_classes, _doubtful(settings))
    n_right = round(accuracy * n_images)
    if warning:
        print(f"warning: {warning}", flush=True)
    elif n_right < NEEDED:
        print(f"{right(n_right, n_images)}; an exponent needs {NEEDED} of them", flush=True)


def _doubtful(settings: Audit) -> str:
    """The arguments that may not be those of the model."""
    weights = ["--weights (none given)"] if ":" in settings.model and not settings.weights else []
    if settings.data.is_file():
        return ", ".join([*weights, "the labels, --mean and --std"])
    return ", ".join([*weights, "--classes (the order of classes)", "--mean, --std, --size and --resize"])


def _print_estimate(settings: Audit, seconds: float) -> None:
    """How long the rest may take, told from the first attack."""
    one = max(seconds, 1.0) / (settings.count + REFINED)  # a forward pass over all images
    rest = one * (2 * (settings.count + REFINED) + 4 * settings.count * settings.steps + 4 * (20 + REFINED))
    print(f"the rest takes up to {counted(math.ceil(rest / 60), 'minute')}", flush=True)
