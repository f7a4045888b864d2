"""`python -m advlaw audit`: one model and one set of images through the pipeline's own stages.

The audit is a study in a folder of its own, from which the stages run: params.yaml, data/, models/ and plots/ lie
there, and nothing of the repository is touched. A stage that has finished with the same settings, images and code is
not run again.
"""

import hashlib
import io
import json
import math
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from advlaw.config.attack import Grid
from advlaw.config.section import validate
from advlaw.config.study import Study
from advlaw.core.io import read_csv, write_json, write_text
from advlaw.data.dataset import Dataset, write_dataset
from advlaw.experiments.audit_data import Source, read_images
from advlaw.experiments.audit_params import DATASET, audit_params

ROOT = Path(__file__).resolve().parents[3]
IMAGENET = ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])
DONE = Path(".done")
HEADER = "# Written by `python -m advlaw audit`; the keys are explained in docs/params.md.\n"
FEWEST_IMAGES, FEWEST_RIGHT = 20, 10
START = 6.0  # seconds that a stage takes to begin
REFINED = 12  # forward passes for the exact thresholds, about


@dataclass(frozen=True)
class Audit:
    """The arguments of the command; see its --help."""

    model: str
    arguments: dict[str, Any]
    weights: Path | None
    mean: list[float] | None
    std: list[float] | None
    data: Path
    classes: str | None
    images: int | None
    size: int
    resize: int | None
    channels: int
    count: int
    eps_min: float
    eps_max: float
    steps: int
    out: Path | None
    seed: int
    threads: int
    device: str

    @property
    def name(self) -> str:
        """The net's name in tables and figures: of its factory or file."""
        last = self.model.rpartition(":")[2] if ":" in self.model else Path(self.model).stem
        return re.sub(r"[^A-Za-z0-9_-]", "_", last).lstrip("-_") or "model"


def audit(settings: Audit) -> None:
    """Run all of it, and print a summary. Raises ValueError for what cannot be used, before any work if it can be."""
    _check(settings)
    model = _model_entry(settings)
    folder = settings.out or Path("audit") / settings.name
    _check_folder(folder, model)
    source = Source(
        settings.data,
        settings.classes,
        settings.images,
        settings.size,
        settings.resize,
        settings.channels,
        settings.seed,
    )
    dataset, n_classes = read_images(source)
    n_images, n_channels = dataset.images.shape[:2]
    if n_images < FEWEST_IMAGES:
        raise ValueError(f"--data {settings.data}: {n_images} images; an exponent needs {FEWEST_IMAGES}, better 1,000")
    mean, std = _statistics(settings, n_channels)
    params = audit_params(
        settings.name,
        {**model, "classes": n_classes, "mean": mean, "std": std},
        {"eps_min": settings.eps_min, "eps_max": settings.eps_max, "count": settings.count},
        settings.steps,
        n_images,
        {"seed": settings.seed, "threads": settings.threads, "device": settings.device, "portable": False},
    )
    validate(params, Study, folder / "params.yaml")
    print(f"{folder}: {n_images} images {dataset.images.shape[1:]}, {n_classes} classes; (pixels - {mean}) / {std}")
    write_text(folder / "params.yaml", _yaml(params))
    _write_placeholders(folder, settings.name, n_images)
    state = _sha256(
        (folder / "params.yaml").read_bytes(),
        _write_images(folder, settings.data.name, dataset).encode(),
        *(path.read_bytes() for path in sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "stages").glob("*.py")])),
    )
    _run_stages(settings, folder, state, n_images)
    _print_summary(settings.name, folder)


def _check(settings: Audit) -> None:
    grid = {"eps_min": settings.eps_min, "eps_max": settings.eps_max, "count": settings.count}
    validate(grid, Grid, Path("--eps-min, --eps-max, --count"))
    if settings.steps < 0:
        raise ValueError(f"--steps {settings.steps}: must be at least 0")
    if settings.resize is not None and settings.resize < settings.size:
        raise ValueError(f"--resize {settings.resize}: must be at least --size {settings.size}, which is cut from it")


def _check_folder(folder: Path, model: dict[str, Any]) -> None:
    """It must be new, empty, or of an earlier audit of this model: nothing of a person's own is written over."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    params = folder / "params.yaml"
    text = params.read_text(encoding="utf-8") if params.is_file() else ""
    if not text.startswith(HEADER):
        raise ValueError(f"--out {folder}: exists and holds no audit; give a new or an empty folder")
    (earlier,) = YAML(typ="safe", pure=True).load(text)["pretrained_models"].values()
    for key in ("module", "file"):
        if earlier.get(key) != model.get(key):
            found = earlier.get("module") or earlier.get("file")
            raise ValueError(f"--out {folder}: holds an audit of {found}; give another folder, or remove this one")


def _model_entry(settings: Audit) -> dict[str, Any]:
    """What the entry of `pretrained_models` says of the model itself."""
    weights = settings.weights
    if weights is not None and not weights.is_file():
        raise ValueError(f"--weights {weights}: no such file; give the model's state dict, safetensors or torch.save's")
    if Path(settings.model).is_file():
        if weights is not None or settings.arguments:
            raise ValueError(
                f"--model {settings.model}: is a program with its weights; leave out --weights and --arguments"
            )
        return {"arch": "own_file", "file": str(Path(settings.model).resolve())}
    if ":" not in settings.model:
        raise ValueError(
            f"--model {settings.model}: no such file, and no package.module:factory; give one of them, "
            "as torchvision.models:squeezenet1_0 is"
        )
    file = str(weights.resolve()) if weights is not None else None
    return {"arch": "own_module", "module": settings.model, "arguments": settings.arguments, "weights": file}


def _statistics(settings: Audit, n_channels: int) -> tuple[list[float], list[float]]:
    usual = IMAGENET if n_channels == len(IMAGENET[0]) else ([0.0] * n_channels, [255.0] * n_channels)
    found = (settings.mean or usual[0], settings.std or usual[1])
    for option, values in zip(("--mean", "--std"), found, strict=True):
        if len(values) != n_channels:
            raise ValueError(
                f"{option}: {len(values)} values; the images have {n_channels} channels; give one for each"
            )
    return found


def _yaml(params: dict[str, Any]) -> str:
    text = io.StringIO()
    YAML().dump(params, text)
    return HEADER + text.getvalue()


def _write_placeholders(folder: Path, name: str, n_images: int) -> None:
    """What the report reads and an audit does not make: judged claims, benchmarks; and what the images are."""
    entry = {"source": "own", "train": 0, "validation": 0, "test": n_images}
    write_text(folder / "datasets/params.yaml", _yaml({"seed": 0, "datasets": {DATASET: entry}}))
    write_text(folder / "requirements.txt", (ROOT / "requirements.txt").read_text(encoding="utf-8"))
    write_json(folder / "benchmarks/results.json", {})
    plots = folder / "plots" / name
    columns = "claim,paper,where,statement,numbers,verdict,analogue,least_squares,measured,n_parts,reason\n"
    write_text(plots / "claims.csv", columns)
    columns = "claim,subject,quantity,estimate,low,high,n,allowed_low,allowed_high,verdict\n"
    write_text(plots / "claim_parts.csv", columns)


def _write_images(folder: Path, source: str, dataset: Dataset) -> str:
    """The images as a data set of the audit's own, with their provenance; the SHA-256 of the file."""
    path = folder / "data/datasets" / f"{DATASET}.npz"
    write_dataset(path, dataset)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    files = {path.name: {"sha256": digest, "official": None}}
    write_json(path.with_suffix(".json"), {"source": f"taken from {source}", "files": files})
    return digest


def _sha256(*contents: bytes) -> str:
    total = hashlib.sha256()
    for content in contents:
        total.update(len(content).to_bytes(8, "little") + content)
    return total.hexdigest()


def _run_stages(settings: Audit, folder: Path, state: str, n_images: int) -> None:
    """The stages in order. The first one looks at the model anew each time, and what it finds counts for the others."""
    name = settings.name
    _run(folder, ["pretrained", name])
    taken = folder / "models" / name / name
    _check_accuracy(settings, json.loads((taken / "row.json").read_text(encoding="utf-8"))["test_accuracy"], n_images)
    state = _sha256(state.encode(), *(path.read_bytes() for path in sorted(taken.iterdir())))
    sweeps = [["sweep", attack] for attack in ("fgsm", "l2", "step_ll", *(("pgd",) if settings.steps else ()))]
    others = ("theory", "order_statistics", "population_train", "population_sweep", "robustness", "fit", "figures")
    plan = [["provenance", DATASET], *sweeps, ["response", name], *([stage] for stage in (*others, "report"))]
    for stage in plan:
        marker = folder / DONE / f"{'_'.join(stage)}.json"
        if _is_done(folder, marker, state):
            print(f"{' '.join(stage)}: done before", flush=True)
            continue
        start = time.time()
        _run(folder, stage)
        write_json(marker, {"state": state, "files": _written(folder, start)})
        if stage == ["sweep", "fgsm"]:
            _print_estimate(settings, time.time() - start - START)


def _is_done(folder: Path, marker: Path, state: str) -> bool:
    """Whether a stage has finished in this state, and what it wrote is still there."""
    try:
        found = json.loads(marker.read_text(encoding="utf-8"))
        return found["state"] == state and all((folder / file).exists() for file in found["files"])
    except (FileNotFoundError, ValueError, KeyError):
        return False


def _written(folder: Path, start: float) -> list[str]:
    """The files of data/ and plots/ that were written since, a second of the clock's coarseness allowed for."""
    files = [path for part in ("data", "plots") for path in sorted((folder / part).rglob("*")) if path.is_file()]
    return [path.relative_to(folder).as_posix() for path in files if path.stat().st_mtime >= start - 1.0]


def _check_accuracy(settings: Audit, accuracy: float, n_images: int) -> None:
    n_right = round(accuracy * n_images)
    if n_right < FEWEST_RIGHT:
        forgotten = "" if settings.weights else "--weights (none were given), "
        raise ValueError(
            f"{n_right} of {n_images} images are classified as labelled, and only they can be made wrong; compare "
            f"{forgotten}--classes (the order of classes), --mean, --std, --size and --resize with how the model was "
            "trained"
        )


def _run(folder: Path, stage: list[str]) -> None:
    """One stage with the audit's folder as its root; ends the audit where it fails, with its own message."""
    given = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    path = [str(ROOT / "src"), *(str(Path(part).resolve()) for part in given), str(Path.cwd())]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path), "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, str(ROOT / "stages" / f"{stage[0]}.py"), *stage[1:], "--params", "params.yaml"]
    running = subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True)
    try:
        code = running.wait()
    except KeyboardInterrupt:  # the stage, in a session of its own, has not seen it
        running.terminate()
        running.wait()
        raise
    if code:
        sys.exit(code)


def _print_estimate(settings: Audit, seconds: float) -> None:
    """How long the rest may take, told from the first attack."""
    one = max(seconds, 1.0) / (settings.count + REFINED)  # a forward pass over all images
    rest = one * (2 * (settings.count + REFINED) + 4 * settings.count * settings.steps + 4 * (20 + REFINED))
    print(f"the rest takes up to about {math.ceil(rest / 60)} minutes", flush=True)


def _print_summary(name: str, folder: Path) -> None:
    plots = folder / "plots" / name
    (model,) = read_csv(plots / "models.csv")
    print(f"\n{name}: clean accuracy {float(model['test_accuracy']):.4f}")
    for row in read_csv(plots / "exponents.csv"):
        if row["is_reported"] == "true":
            exponent = "too few errors in range for an exponent; give more images"
            if row["exponent"]:
                exponent = f"B = {float(row['exponent']):.2f}"
                if row["exponent_low"]:  # there is none where most bootstrap samples have no range to fit
                    exponent += f" [{float(row['exponent_low']):.2f}, {float(row['exponent_high']):.2f}]"
            print(f"  {row['attack']:8} ({row['kind']} error)  {exponent}")
    print(f"tables and figures: {plots}; report: {plots / 'report.html'}")
