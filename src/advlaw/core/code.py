"""Which of the project's files something imports, and one hash of them."""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]


def imported(file: Path) -> Iterator[str]:
    """The modules that a file imports, wherever in it, and every name that may be one."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def closure(*files: Path) -> frozenset[Path]:
    """The project's files that these import, directly or not; without the files themselves."""
    found: set[Path] = set()
    waiting = list(files)
    while waiting:
        for module in imported(waiting.pop()):
            file = module_file(module)
            if module.startswith("advlaw.") and file.exists() and file not in found:
                found.add(file)
                waiting.append(file)
    return frozenset(found)


def module_file(module: str) -> Path:
    return SOURCE.joinpath(*module.split(".")).with_suffix(".py")


def code_sha256(*modules: str) -> str:
    """The hash of these modules, as `advlaw.trials.train`, and of all of the project that they import."""
    files = [module_file(module) for module in modules]
    return sha256(*sorted({*files, *closure(*files)}))


def sha256(*files: Path) -> str:
    """The hash of the files' bytes, one after another."""
    total = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while part := file.read(2**20):
                total.update(part)
    return total.hexdigest()
