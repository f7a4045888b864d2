"""Independent work items on several processes or machines, each result kept in a file of its own once it is there.

A killed run goes on with what it lacks; a run of 200 items after one of 100 does the other 100. All workers must reach
the kept files (`advlaw.core.kept`) at the same path.
"""

import os
import shutil
import socket
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext, redirect_stderr
from functools import cached_property, partial
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from advlaw.core.io import replacing
from advlaw.core.progress import progress
from advlaw.core.section import Section

if TYPE_CHECKING:
    from joblib import Parallel

Work = Callable[..., bytes]


class Workers(Section):
    """What works on nets of a set, children of a search and shards of a sweep: `processes` of one thread each.

    They change no result.
    loky: on this machine. ray: on the cluster of RAY_ADDRESS, dask: on that of DASK_SCHEDULER_ADDRESS; without those, a
    local one is started.
    """

    backend: Literal["loky", "ray", "dask"]
    processes: Annotated[int, Field(ge=1)]

    def on(self, device: str) -> "Workers":
        """These, or this process alone, which has the GPU."""
        return self if device == "cpu" else Workers(backend="loky", processes=1)


class Pool:
    """The workers that the params name, started when there is work, ready over several rounds until the block ends."""

    def __init__(self, workers: Workers) -> None:
        self.workers = workers
        self.contexts = ExitStack()

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *raised: Any) -> None:
        self.contexts.__exit__(*raised)

    def fan_out(self, work: Work, items: Sequence[tuple], paths: Sequence[Path], description: str) -> None:
        """Have `work(*item)` written to the item's path, for all items whose path does not exist.

        `work` and items are pickled. Larger items should come first, so that none is left over when the others are
        done. Raises ValueError where the backend's library is missing.
        """
        wanted = {path.absolute(): item for item, path in zip(items, paths, strict=True)}  # equal ones are done once
        missing = [(item, path) for path, item in wanted.items() if not path.exists()]
        if len(missing) < len(wanted):
            print(f"{description}: {len(wanted) - len(missing)} of {len(wanted)} are there already", flush=True)
        for _ in progress(self._done(partial(_work_and_keep, work), missing), description, total=len(missing)):
            pass

    def _done(self, work: Callable[..., None], calls: Sequence[tuple]) -> Iterator[None]:
        """Yield whenever a call is done."""
        if not calls:
            return
        from joblib import delayed

        is_ray = self.workers.backend == "ray"  # whose backend gives nothing back before all is done
        size = 2 * self.workers.processes if is_ray else len(calls)
        for start in range(0, len(calls), size):
            yield from self._parallel(delayed(work)(*call) for call in calls[start : start + size])

    @cached_property
    def _parallel(self) -> "Parallel":
        from joblib import Parallel, parallel_config

        warnings.filterwarnings("ignore", "A worker stopped")  # loky renews a process whose memory has grown
        how = "list" if self.workers.backend == "ray" else "generator_unordered"
        self.contexts.enter_context(_cluster(self.workers))
        self.contexts.enter_context(parallel_config(self.workers.backend, n_jobs=self.workers.processes))
        return self.contexts.enter_context(Parallel(batch_size=1, return_as=how))


def collect(paths: Mapping[Path, Path]) -> None:
    """Copy kept results to where a stage's outputs lie: target -> source."""
    for target, source in paths.items():
        with replacing(target) as temporary:
            shutil.copyfile(source, temporary)


def _work_and_keep(work: Work, item: tuple, path: Path) -> None:
    """One item, its result written by the worker itself; the progress shown is that of all items."""
    with redirect_stderr(StringIO()):
        result = work(*item)
    path.parent.mkdir(parents=True, exist_ok=True)
    own = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}")  # another run may keep the same result
    own.write_bytes(result)
    own.replace(path)


def _cluster(workers: Workers) -> AbstractContextManager[Any]:
    """The cluster of a backend, a local one where the environment names none."""
    try:
        return CLUSTERS[workers.backend](workers.processes)
    except ImportError as error:
        raise ValueError(
            f"workers.backend = {workers.backend!r}: {error.name} is not installed; install advlaw's extra "
            f"{workers.backend!r} (see pyproject.toml), or set it to loky"
        ) from None


def _ray(processes: int) -> AbstractContextManager[Any]:
    import ray
    from ray.util.joblib import register_ray

    register_ray()
    if "RAY_ADDRESS" in os.environ:
        return ray.init(log_to_driver=False)
    return ray.init(num_cpus=processes, include_dashboard=False, log_to_driver=False)


def _dask(processes: int) -> AbstractContextManager[Any]:
    from distributed import Client

    address = os.environ.get("DASK_SCHEDULER_ADDRESS")
    if address:
        client = Client(address)
        if any(worker["nthreads"] > 1 for worker in client.scheduler_info(n_workers=-1)["workers"].values()):
            client.close()
            raise ValueError(
                f"DASK_SCHEDULER_ADDRESS = {address}: a worker has several threads, which would share one state of "
                "torch's random numbers; start workers with `--nthreads 1`, several for a machine (`--nworkers`)"
            )
        return client
    return Client(n_workers=processes, threads_per_worker=1, dashboard_address=":0")


CLUSTERS: dict[str, Callable[[int], AbstractContextManager[Any]]] = {"loky": nullcontext, "ray": _ray, "dask": _dask}
