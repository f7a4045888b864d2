"""How a stage is called, and how its mistakes are answered: one clear line and exit code 1, no traceback."""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn


def stage_arguments(description: str | None, *keys: str, params: str = "params.yaml") -> argparse.Namespace:
    """The arguments of a stage: the keys it is run for, and --params."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for key in keys:
        parser.add_argument(key)
    parser.add_argument("--params", type=Path, default=Path(params), help=f"params file (default {params})")
    return parser.parse_args()


class Ended(BaseException):
    """A signal asked to end; a command that runs others ends them before it goes."""


ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


def heed_signals() -> None:
    """Turn SIGTERM, and SIGHUP of a terminal that closes, into `Ended`, but for those that nohup lets pass."""
    for number in ENDING:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    for each in ENDING:  # once is enough
        signal.signal(each, signal.SIG_IGN)
    raise Ended(number)


def said(error: OSError) -> str:
    """What an error of the system says, with the file's name if it has one."""
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename is not None else reason


def run(main: Callable[[], None]) -> None:
    """Run a stage; a mistake or a missing file is shown as its message alone, an interruption as a word."""
    try:
        main()
    except FileNotFoundError as error:
        what = f"{error.filename}: no such file" if error.filename is not None else str(error)
        sys.exit(f"error: {what}; run this stage through `dvc repro`, which makes it first")
    except BrokenPipeError:  # whoever read what is printed has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        sys.exit(f"error: {said(error)}")
    except ValueError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; run the same command again to go on")
    except Ended as ended:
        number = ended.args[0]
        with suppress(OSError):  # of a terminal that is gone
            print(f"ended by {signal.Signals(number).name}; run the same command again to go on", file=sys.stderr)
        sys.exit(128 + number)
