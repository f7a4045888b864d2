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
    """Run a stage; a ValueError is a person's mistake and is shown as its message alone."""
    try:
        main()
    except ValueError as error:
        sys.exit(f"error: {error}")
