"""Independent work items on several processes or machines, each result kept in a file of its own once it is there.

A killed run goes on with what it lacks; a run of 200 items after one of 100 does the other 100. Results lie in
.ckpt/<kind>/<key> under the repository, which all workers must reach at the same path, and stay until
`make clean-cache`. The key is the hash of everything that decides a result: neither the number of items nor the backend
does.
"""

import ast
import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, redirect_stderr
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import torch

from advlaw.core.io import replacing
from advlaw.core.progress import progress
from advlaw.trials.settings import Workers

SOURCE = Path(__file__).parents[2]


def sha256(path: Path) -> str:
    """The hash of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def code_sha256(work: Callable[..., Any], *modules: str) -> str:
    """The hash of the project's code that `work` uses, of `modules` it imports by name, and of torch's version."""
    files: set[Path] = set()
    waiting = [work.__module__, *modules]
    while waiting:
        file = SOURCE.joinpath(*waiting.pop().split(".")).with_suffix(".py")
        if file.exists() and file not in files:
            files.add(file)
            waiting += _imported(file)
    digest = hashlib.sha256(torch.__version__.encode())
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _imported(file: Path) -> Iterator[str]:
    """The project's modules that a file may take names from."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("advlaw"):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def cache_path(kind: str, settings: Mapping[str, Any]) -> Path:
    """Where the result of one item is kept: `settings` is all that decides it, as JSON can hold it."""
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:32]
    return Path(os.environ.get("DVC_ROOT", ".")) / ".ckpt" / kind / key


def fan_out(
    work: Callable[..., bytes], items: Sequence[tuple], paths: Sequence[Path], workers: Workers, description: str
) -> None:
    """Have `work(*item)` written to the item's path, for all items whose path does not exist.

    `work` and items are pickled. Larger items should come first, so that none is left over when the others are done.
    """
    missing = [(item, path.absolute()) for item, path in zip(items, paths, strict=True) if not path.exists()]
    if len(missing) < len(items):
        print(f"{description}: {len(items) - len(missing)} of {len(items)} are there already", flush=True)
    done = _in_parallel(partial(_work_and_keep, work), missing, workers) if missing else iter(())
    for _ in progress(done, description, total=len(missing)):
        pass


def collect(paths: Mapping[Path, Path]) -> None:
    """Copy kept results to where a stage's outputs lie: target -> source."""
    for target, source in paths.items():
        with replacing(target) as temporary:
            shutil.copyfile(source, temporary)


def keep(path: Path, result: bytes) -> None:
    """Write one item's result, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(result)


def _work_and_keep(work: Callable[..., bytes], item: tuple, path: Path) -> None:
    """One item, its result written by the worker itself; the progress shown is that of all items."""
    with redirect_stderr(StringIO()):
        result = work(*item)
    keep(path, result)


def _in_parallel(work: Callable[..., None], calls: Sequence[tuple], workers: Workers) -> Iterator[None]:
    """Yield whenever a call is done."""
    from joblib import Parallel, delayed, parallel_config

    warnings.filterwarnings("ignore", "A worker stopped")  # loky renews a process whose memory has grown
    with _cluster(workers), parallel_config(workers.backend, n_jobs=workers.processes):
        if workers.backend != "ray":
            yield from Parallel(return_as="generator_unordered", batch_size=1)(delayed(work)(*call) for call in calls)
            return
        with Parallel(batch_size=1) as parallel:  # Ray's backend gives nothing back before all is done
            for start in range(0, len(calls), 2 * workers.processes):
                yield from parallel(delayed(work)(*call) for call in calls[start : start + 2 * workers.processes])


def _cluster(workers: Workers) -> AbstractContextManager[Any]:
    """The cluster of a backend, a local one where the environment names none; ValueError if its library is missing."""
    try:
        return CLUSTERS[workers.backend](workers.processes)
    except ImportError as error:
        raise ValueError(
            f"population.workers.backend = {workers.backend!r}: {error.name} is not installed; install advlaw's extra "
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
