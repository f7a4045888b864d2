"""How a stage is called, and how its mistakes are answered: one clear line and exit code 1, no traceback."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path


def stage_arguments(description: str | None, *keys: str, params: str = "params.yaml") -> argparse.Namespace:
    """The arguments of a stage: the keys it is run for, and --params."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for key in keys:
        parser.add_argument(key)
    parser.add_argument("--params", type=Path, default=Path(params), help=f"params file (default {params})")
    return parser.parse_args()


def run(main: Callable[[], None]) -> None:
    """Run a stage; a mistake or a missing file is shown as its message alone, an interruption as a word."""
    try:
        main()
    except FileNotFoundError as error:
        sys.exit(f"error: {error.filename}: no such file; run this stage through `dvc repro`, which makes it first")
    except ValueError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; run the same command again to go on")
