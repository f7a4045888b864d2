"""From a data set's params to the data set and its provenance."""

from advlaw.config.dataset import Clusters, Splits
from advlaw.data.clusters import clusters
from advlaw.data.dataset import Dataset
from advlaw.data.digits import digits
from advlaw.data.download import Place
from advlaw.data.idx import idx_dataset


def make_dataset(section: Splits | Clusters, seed: int, place: Place) -> tuple[Dataset, dict[str, object]]:
    """The data set of one entry of datasets/params.yaml, and where it came from."""
    counts = {"train": section.train, "validation": section.validation, "test": section.test}
    if isinstance(section, Clusters):
        dataset = clusters(counts, section.classes, section.side, section.noise, section.bayes_error, seed)
        return dataset, {"source": "synthetic", "bayes_error": section.bayes_error}
    if section.source == "digits":
        return digits(counts, seed), {"source": "bundled with scikit-learn"}
    dataset, files = idx_dataset(section.source, counts, seed, place)
    unofficial = sorted(name for name, file in files.items() if not file["official"])
    if unofficial:
        print(f"warning: not the official contents, by the mirror's own SHA256SUMS: {', '.join(unofficial)}")
    return dataset, {"source": "downloaded", "files": files}
