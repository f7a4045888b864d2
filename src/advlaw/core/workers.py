"""Independent work items on several processes or machines, each result kept in a file of its own once it is there.

A killed run goes on with what it lacks; a run of 200 items after one of 100 does the other 100. So does a run one of
whose workers is killed, in itself. All workers must reach the kept files (`advlaw.core.kept`) at the same path.
"""

import os
import shutil
import socket
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, redirect_stderr
from functools import cached_property, partial
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from advlaw.core.io import replacing
from advlaw.core.progress import progress
from advlaw.core.section import Section

Work = Callable[..., bytes]
Call = tuple[Work, tuple, Path]  # the result of work(*item) is to be written to the path
Run = Callable[[Sequence[Call]], Iterator[None]]  # yields whenever a call is done
LOST = {  # what loky, Ray and Dask raise where a worker was killed, Ray and Dask after a few tries of their own
    "concurrent.futures.process.BrokenProcessPool",
    "ray.exceptions.WorkerCrashedError",
    "ray.exceptions.OutOfMemoryError",
    "ray.exceptions.NodeDiedError",
    "distributed.scheduler.KilledWorker",
}


class Workers(Section):
    """What works on nets of a set, children of a search and shards of a sweep: `processes` of one thread each.

    They change no result.
    loky: on this machine. ray: on the cluster of RAY_ADDRESS, dask: on that of DASK_SCHEDULER_ADDRESS; without those, a
    local one is started.
    """

    backend: Literal["loky", "ray", "dask"]
    processes: Annotated[int, Field(ge=1)]

    def on(self, device: str, share_a_gpu: bool = False) -> "Workers":
        """These; on a GPU, unless they are to share it, this process alone."""
        return self if device == "cpu" or share_a_gpu else Workers(backend="loky", processes=1)


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
        done. Where a worker is killed, others do what is missing. Raises ValueError where nothing gets done between one
        such loss and the next, and where the backend's library is missing.
        """
        wanted = {path.absolute(): item for item, path in zip(items, paths, strict=True)}  # equal ones are done once
        missing = [(work, item, path) for path, item in wanted.items() if not path.exists()]
        if len(missing) < len(wanted):
            print(f"{description}: {len(wanted) - len(missing)} of {len(wanted)} are there already", flush=True)
        in_vain = 0
        while missing:
            try:
                for _ in progress(self._run(missing), description, total=len(missing)):
                    pass
                return
            except Exception as error:
                if not _is_loss(error):
                    raise
            self._end()
            left = [call for call in missing if not call[2].exists()]
            in_vain = in_vain + 1 if len(left) == len(missing) else 0
            if in_vain == 2:
                raise ValueError(self._hopeless(len(left)))
            missing = left
            if left:
                others = f"others go on with the {len(left)} that are missing"
                print(f"{description}: a worker was killed; {others}", flush=True)

    @cached_property
    def _run(self) -> Run:
        """The workers, started."""
        try:
            return BACKENDS[self.workers.backend](self.workers.processes, self.contexts)
        except ImportError as error:
            raise ValueError(
                f"workers.backend = {self.workers.backend!r}: {error.name} is not installed; install advlaw's extra "
                f"{self.workers.backend!r} (see pyproject.toml), or set it to loky"
            ) from None

    def _end(self) -> None:
        """End the workers; others are started where there is more to do."""
        self.__dict__.pop("_run", None)
        self.contexts.close()

    def _hopeless(self, n_left: int) -> str:
        processes = self.workers.processes
        advice = f"set workers.processes = {processes // 2}" if processes > 1 else "take a machine with more"
        return (
            f"workers.processes = {processes}: workers are killed, and none of the last {n_left} is done; where memory "
            f"is short {advice}, and run the same command again to go on"
        )


def collect(paths: Mapping[Path, Path]) -> None:
    """Copy kept results to where a stage's outputs lie: target -> source."""
    for target, source in paths.items():
        with replacing(target) as temporary:
            shutil.copyfile(source, temporary)


def _is_loss(error: Exception) -> bool:
    """Whether a worker was killed; by name, as the libraries may be missing."""
    return any(f"{kind.__module__}.{kind.__name__}" in LOST for kind in type(error).__mro__)


def _work_and_keep(work: Work, item: tuple, path: Path) -> None:
    """One item, its result written by the worker itself; the progress shown is that of all items."""
    with redirect_stderr(StringIO()):
        result = work(*item)
    path.parent.mkdir(parents=True, exist_ok=True)
    own = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}")  # another run may keep the same result
    own.write_bytes(result)
    own.replace(path)


def _loky(processes: int, contexts: ExitStack) -> Run:
    from joblib import Parallel, delayed

    warnings.filterwarnings("ignore", "A worker stopped")  # loky renews a process whose memory has grown
    parallel = Parallel(processes, backend="loky", batch_size=1, return_as="generator_unordered")
    contexts.enter_context(parallel)
    return lambda calls: parallel(delayed(_work_and_keep)(*call) for call in calls)


def _ray(processes: int, contexts: ExitStack) -> Run:
    os.environ.setdefault("RAY_task_oom_retries", "3")  # else Ray tries for ever what finds no memory
    import ray

    local: dict[str, Any] = {"address": "local", "num_cpus": processes, "include_dashboard": False}
    contexts.enter_context(ray.init(log_to_driver=False, **({} if "RAY_ADDRESS" in os.environ else local)))

    def rest(running: list[Any]) -> list[Any]:
        done, others = ray.wait(running)
        try:
            ray.get(done)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        return others

    return _in_turn(processes, ray.remote(num_cpus=1)(_work_and_keep).remote, rest)


def _dask(processes: int, contexts: ExitStack) -> Run:
    import distributed

    address = os.environ.get("DASK_SCHEDULER_ADDRESS")
    local: dict[str, Any] = {"n_workers": processes, "threads_per_worker": 1, "dashboard_address": ":0"}
    client = contexts.enter_context(distributed.Client(address) if address else distributed.Client(**local))
    if any(worker["nthreads"] > 1 for worker in client.scheduler_info(n_workers=-1)["workers"].values()):
        raise ValueError(
            f"DASK_SCHEDULER_ADDRESS = {address}: a worker has several threads, which would share one state of torch's "
            "random numbers; start workers with `--nthreads 1`, several for a machine (`--nworkers`)"
        )

    def rest(running: list[Any]) -> list[Any]:
        done, others = distributed.wait(running, return_when="FIRST_COMPLETED")
        for future in done:
            future.result()
        return list(others)

    return _in_turn(processes, partial(client.submit, _work_and_keep, pure=False), rest)


def _in_turn(processes: int, submit: Callable[..., Any], rest: Callable[[list[Any]], list[Any]]) -> Run:
    """So many calls are submitted at a time; `rest` of those waits until one is done, and returns the others.

    `rest` raises what a call raised.
    """

    def run(calls: Sequence[Call]) -> Iterator[None]:
        waiting, running = iter(calls), list[Any]()
        while True:
            running += [submit(*call) for call in islice(waiting, processes - len(running))]
            if not running:
                return
            others = rest(running)
            yield from [None] * (len(running) - len(others))
            running = others

    return run


BACKENDS: dict[str, Callable[[int, ExitStack], Run]] = {"loky": _loky, "ray": _ray, "dask": _dask}
