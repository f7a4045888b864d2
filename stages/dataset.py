"""Make one data set and its splits: from a package, from a formula, or from verified downloads.

    python stages/dataset.py NAME                # a key of `datasets` in datasets/params.yaml
reads   datasets/params.yaml  ·  $ADVLAW_MIRROR or the official places, for downloaded sets  ·  $ADVLAW_<PLACE>, for
        folders of images
writes  data/datasets/NAME.npz:  images (N, C, H, W) uint8, not compressed  ·  labels (N,)
        ·  train, validation, test (n,) indices; in the place of images, for a folder, paths and sha256 (N, 32)
        data/datasets/NAME.json: where it came from and what it holds
"""

import os
from pathlib import Path

from advlaw.core.command import run, stage_arguments
from advlaw.core.dataset import write_dataset
from advlaw.core.io import write_json
from advlaw.core.progress import download_progress
from advlaw.core.section import read_section
from advlaw.data.download import DownloadError, DownloadPlace, forget_downloads
from advlaw.data.registry import make_dataset
from advlaw.data.settings import Dataset


def main() -> None:
    arguments = stage_arguments(__doc__, "name", params="datasets/params.yaml")
    section = read_section(arguments.params, f"datasets.{arguments.name}", Dataset)
    seed = read_section(arguments.params, "seed", int)
    place = DownloadPlace(os.environ.get("ADVLAW_MIRROR"), Path("data/downloads") / arguments.name, download_progress())
    try:
        dataset, provenance = make_dataset(section, seed, place)
    except DownloadError:
        raise  # what was verified stays in data/downloads for the next try
    except ValueError:
        forget_downloads(place)  # verified, but not what it should be: to be fetched anew
        raise
    path = Path("data/datasets") / f"{arguments.name}.npz"
    write_dataset(path, dataset)
    sizes = {name: len(index) for name, index in dataset.splits.items()}
    write_json(path.with_suffix(".json"), {**provenance, "splits": sizes, "image_shape": dataset.image_shape or None})
    forget_downloads(place)
    print(f"{path}: {sizes}, {dataset.n_classes} classes ({provenance['source']})")


if __name__ == "__main__":
    run(main)
