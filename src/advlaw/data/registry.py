"""From a data set's params to the data set and its provenance."""

from dataclasses import replace

import numpy as np

from advlaw.core.dataset import Dataset
from advlaw.data.cifar10 import cifar10_dataset
from advlaw.data.clusters import clusters
from advlaw.data.digits import digits
from advlaw.data.download import DownloadPlace
from advlaw.data.folder import folder_dataset
from advlaw.data.idx import idx_dataset
from advlaw.data.pool import pooled
from advlaw.data.random_images import random_images
from advlaw.data.settings import Clusters, Folder, RandomImages, Splits


def make_dataset(
    section: Splits | Clusters | RandomImages | Folder, seed: int, place: DownloadPlace
) -> tuple[Dataset, dict[str, object]]:
    """The data set of one entry of datasets/params.yaml, and where it came from."""
    if isinstance(section, Folder):
        return folder_dataset(section, seed)
    if isinstance(section, Splits) and section.pool > 1:
        whole, provenance = make_dataset(section.model_copy(update={"pool": 1}), seed, place)
        assert isinstance(whole.images, np.ndarray)
        return replace(whole, images=pooled(whole.images, section.pool)), {**provenance, "pool": section.pool}
    counts = {"train": section.train, "validation": section.validation, "test": section.test}
    if isinstance(section, Clusters):
        dataset = clusters(counts, section.classes, section.side, section.noise, section.bayes_error, seed)
        return dataset, {"source": "synthetic", "bayes_error": section.bayes_error}
    if isinstance(section, RandomImages):
        return random_images(counts, section.classes, section.channels, section.side, seed), {"source": "synthetic"}
    if section.source == "digits":
        return digits(counts, seed), {"source": "bundled with scikit-learn"}
    if section.source == "cifar10":
        dataset, files = cifar10_dataset(counts, seed, place)
    else:
        dataset, files = idx_dataset(section.source, counts, seed, place)
    unofficial = sorted(name for name, file in files.items() if not file["official"])
    if unofficial:
        print(f"warning: not the official contents, by the mirror's own SHA256SUMS: {', '.join(unofficial)}")
    return dataset, {"source": "downloaded", "files": files}
