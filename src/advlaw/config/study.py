"""A whole params file: its sections one by one."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from advlaw.attacks.settings import Attacks, Grid
from advlaw.config.known import AnyNet
from advlaw.config.mistakes import mistakes
from advlaw.core.section import Name, ParamsError, Section, read_yaml, validate
from advlaw.core.workers import Workers
from advlaw.data.settings import Datasets
from advlaw.evaluation.settings import Sweep, WorstCase
from advlaw.fitting.settings import Fit
from advlaw.foreign.settings import PretrainedModel
from advlaw.search.settings import Searches
from advlaw.theory.settings import OrderStatistics, Response, Theory
from advlaw.training.settings import Net, RobustNet
from advlaw.trials.settings import TrialSet


class Study(Section):
    """params.yaml of one study."""

    study: Name
    root: str
    params: str
    seed: Annotated[int, Field(ge=0)]
    threads: Annotated[int, Field(ge=1, le=1024)]
    device: Literal["auto", "cpu", "cuda"]
    portable: bool
    datasets: Annotated[list[Name], Field(min_length=1)]
    attack: Grid
    models: dict[Name, Net]
    robust_models: dict[Name, RobustNet]
    pretrained_models: dict[Name, PretrainedModel]
    baselines: dict[Name, Name]
    attacks: Attacks
    sweeps: dict[Name, Sweep]
    fit: Fit
    response: Response
    theory: Theory
    order_statistics: OrderStatistics
    workers: Workers
    trials: dict[Name, TrialSet]
    search: Searches
    worst_case: WorstCase

    def nets(self) -> dict[str, AnyNet]:
        """Every net by its name, which all sections of nets share."""
        enlarged = self.search.enlarged
        larger = {name: enlarged.net for name in enlarged.nets if enlarged.net is not None}
        return {**self.models, **self.robust_models, **self.pretrained_models, **larger}


def load_study(path: Path, datasets_path: Path) -> Study:
    """The validated study; raises ParamsError with a line for every mistake found.

    `path` and `datasets_path` are relative to the repository's root, from which every stage runs.
    """
    study: Study = validate(read_yaml(path), Study, path)
    datasets: Datasets = validate(read_yaml(datasets_path), Datasets, datasets_path)
    found = [f"{path}: {mistake}" for mistake in mistakes(study, path, datasets)]
    if found:
        raise ParamsError("\n".join(found))
    return study
