"""`advlaw audit`: one model and one set of images through the pipeline's own stages.

The audit is a study in a folder of its own, from which the stages run: params.yaml, data/, models/ and plots/ lie
there, and nothing of the repository is touched. A stage that has finished with the same settings, images and code is
not run again, nor is what a killed sweep had done.
"""

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from advlaw.attacks.settings import Grid
from advlaw.audit import estimate
from advlaw.audit.folder import HEADER, check_folder, net_name
from advlaw.audit.images import Source, read_images
from advlaw.audit.model import Given
from advlaw.audit.params import DATASET, audit_params
from advlaw.audit.shown import Look, image_shape, shown
from advlaw.audit.stages import PACKAGE, Host, Stage, alone, is_done, pipeline, remember, run_stage, take_back
from advlaw.audit.summary import NEEDED, check_accuracy, check_number, counted, print_summary, print_theory, right
from advlaw.config.study import Study
from advlaw.core.code import sha256
from advlaw.core.dataset import Dataset, write_dataset
from advlaw.core.io import write_json, write_text
from advlaw.core.pictures import Files
from advlaw.core.section import validate
from advlaw.core.tables import write_table
from advlaw.data.class_folders import printable

SHOWN_ANEW = ["figures", "report"]


@dataclass(frozen=True)
class Audit(Source, Given, Look):
    """The arguments of the command, those of its model and its images among them; see its --help."""

    count: int
    eps_min: float
    eps_max: float
    steps: int
    theory: bool
    out: Path | None
    threads: int
    portable: bool
    device: str


def audit(settings: Audit) -> None:
    """Run all of it, and print a summary. Raises ValueError for what cannot be used, before any work if it can be."""
    _check(settings)
    model = settings.entry()
    name = net_name(model)
    folder = settings.out or Path("audit") / name
    check_folder(folder, model)
    dataset = read_images(settings, settings.timm is not None and "num_classes" not in settings.arguments)
    n_images = len(dataset.labels)
    is_chosen = n_images == settings.images
    check_number(n_images, f"--images {n_images}" if is_chosen else f"--data {settings.data}: {n_images} images")
    entry = {**model, **shown(settings, model, dataset)}
    shape = image_shape(entry, dataset)
    params = audit_params(
        name,
        entry,
        {"eps_min": settings.eps_min, "eps_max": settings.eps_max, "count": settings.count},
        settings.steps,
        (n_images, *shape),
        {"seed": settings.seed, "threads": settings.threads, "device": settings.device, "portable": settings.portable},
    )
    validate(params, Study, folder / "params.yaml")
    print(f"{folder}: {n_images} images, {dataset.n_classes} classes; {_said(entry, shape)}", flush=True)
    text = _yaml(params)
    state = _state(text, dataset)
    with alone(folder), Host(folder) as host:
        if outdated := take_back(folder, state):
            files = counted(outdated, "file")
            print(f"{folder}: settings, images or code have changed; removed {files} of the earlier audit")
        write_text(folder / "params.yaml", text)
        remember(folder, "prepared", state, _write_placeholders(folder, name, n_images))
        _write_images(folder, printable(settings.data.resolve().name), dataset)
        Run(settings, host, params, state, dataset).run()


def _check(settings: Audit) -> None:
    grid = {"eps_min": settings.eps_min, "eps_max": settings.eps_max, "count": settings.count}
    validate(grid, Grid, Path("--eps-min, --eps-max, --count"))
    if settings.steps < 0:
        raise ValueError(f"--steps {settings.steps}: must be at least 0")
    settings.check()
    _check_device(settings.device)


def _check_device(device: str) -> None:
    if device != "cuda":
        return
    import torch  # here, since it takes seconds

    if not torch.cuda.is_available():
        raise ValueError("--device cuda: torch finds no CUDA GPU here; give --device cpu, or leave --device out")


def _said(entry: dict[str, Any], shape: tuple[int, ...]) -> str:
    if entry["mean"] is None or not all(shape):
        return "shown and normalised as timm records it"
    return f"{shape}; (pixels - {entry['mean']}) / {entry['std']}"


def _yaml(params: dict[str, Any]) -> str:
    text = io.StringIO()
    YAML().dump(params, text)
    return HEADER + text.getvalue()


def _state(params: str, dataset: Dataset) -> str:
    """The hash of all that decides what stages write, but for the model's own code and weights."""
    images = dataset.images
    held = [images.sha256, images.paths] if isinstance(images, Files) else [images[:]]
    arrays = (part for array in (*held, dataset.labels) for part in (str(array.shape).encode(), array.tobytes()))
    code = sha256(*sorted([*PACKAGE.rglob("*.py"), *(pipeline() / "stages").glob("*.py")]))
    return _sha256(params.encode(), *arrays, code.encode())


def _sha256(*contents: bytes) -> str:
    total = hashlib.sha256()
    for content in contents:
        total.update(len(content).to_bytes(8, "little"))
        total.update(content)
    return total.hexdigest()


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


class Run:
    """The stages of an audit in the order in which people ask: what the model is, its laws, and then the theory."""

    def __init__(self, settings: Audit, host: Host, params: dict[str, Any], state: str, dataset: Dataset) -> None:
        self.settings, self.host, self.params, self.state = settings, host, params, state
        self.name, self.n_images, self.n_classes = params["study"], len(dataset.labels), dataset.n_classes

    def run(self) -> None:
        self._take_model()
        sweeps = [["sweep", attack] for attack in self.params["sweeps"]]
        missing = [attack for _, attack in self._missing(sweeps)]
        if missing:
            one = estimate.measured(self.host, self.name, "attacks")
            seconds = estimate.of_sweeps(one, self.params, missing, self.n_images)
            print(f"{', '.join(missing)} and the report take about {estimate.told(seconds)}", flush=True)
        self._run([["provenance", DATASET], *sweeps, ["fit"], ["laws"]])
        later = [["response", self.name], ["theory"], ["order_statistics"]]
        if not self.settings.theory or self._missing(later):  # else the report has all of it, or will have
            self._run([[stage] for stage in SHOWN_ANEW])
        print_summary(self.name, self.host.folder, self.n_classes)
        if self.settings.theory:
            self._add_theory(later)

    def _take_model(self) -> None:
        """The first stage looks at the model anew each time, and what it finds counts for the others."""
        folder = self.host.folder
        run_stage(self.host, self.name, ["pretrained", self.name], self.state)
        taken = folder / "models" / self.name / self.name
        self.state += _sha256(*(path.read_bytes() for path in sorted(taken.iterdir())))
        if outdated := take_back(folder, self.state):
            files = counted(outdated, "file")
            print(f"{folder}: the model's code or weights have changed; removed {files} of the earlier audit")
        row = json.loads((taken / "row.json").read_text(encoding="utf-8"))
        warn_of_accuracy(self.settings, row["test_accuracy"], self.n_images, self.n_classes)

    def _add_theory(self, stages: list[Stage]) -> None:
        if self._missing(stages[:1]):  # the response, which takes the time
            one = estimate.measured(self.host, self.name, "response")
            seconds = estimate.of_theory(one, self.params, self.n_images)
            print(f"\nthe theory and the report with it take about {estimate.told(seconds)}", flush=True)
        self._run(stages)
        self._run([[stage] for stage in SHOWN_ANEW], self.state + _sha256(b"theory"))
        print_theory(self.name, self.host.folder, self.n_images)

    def _missing(self, stages: Sequence[Stage]) -> list[Stage]:
        return [stage for stage in stages if not is_done(self.host.folder, stage, self.state)]

    def _run(self, stages: Sequence[Stage], state: str | None = None) -> None:
        """Those that have not finished yet."""
        for stage in stages:
            if is_done(self.host.folder, stage, state or self.state):
                print(f"{' '.join(stage)}: already done", flush=True)
            else:
                run_stage(self.host, self.name, stage, state or self.state)


def warn_of_accuracy(settings: Audit, accuracy: float, n_images: int, n_classes: int) -> None:
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
    is_unweighted = settings.model is not None and ":" in settings.model and not settings.weights
    weights = ["--weights (none given)"] if is_unweighted else []
    if settings.data.is_file():
        return ", ".join([*weights, "the labels, --mean and --std"])
    return ", ".join([*weights, "--classes (the order of classes)", "--mean, --std, --size and --resize"])
