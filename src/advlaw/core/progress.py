"""Progress of long work: a bar on a terminal, a plain line now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from tqdm import tqdm

T = TypeVar("T")
SECONDS_BETWEEN_LINES = 10.0


def progress(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Yield `items`, showing how many of `total` are done (on standard error)."""
    total = len(items) if total is None and isinstance(items, Sized) else total
    if sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(items, desc=description, total=total, leave=False)
        return
    last = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        if time.monotonic() - last > SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            print(f"{description}: {done} of {total or '?'}", file=sys.stderr, flush=True)


def download_progress() -> Callable[[int, int | None, str], None]:
    """A callback (bytes done, total or None, file name) that shows a transfer in the same way."""
    shown: dict[str, float] = {}
    bars: dict[str, tqdm] = {}

    def report(done: int, total: int | None, name: str) -> None:
        if sys.stderr.isatty():
            from tqdm import tqdm

            if name not in bars:
                bars[name] = tqdm(total=total, desc=name, unit="B", unit_scale=True)
            bar = bars[name]
            bar.update(done - bar.n)
        elif time.monotonic() - shown.setdefault(name, 0.0) > SECONDS_BETWEEN_LINES or done == total:
            shown[name] = time.monotonic()
            print(f"{name}: {done} of {total or '?'} bytes", file=sys.stderr, flush=True)

    return report
