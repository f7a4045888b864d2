"""Every table of the modules in report/tables, as `advlaw.report.table.table` marks them."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

from advlaw.papers.chapters import CHAPTERS
from advlaw.report import tables
from advlaw.report.table import Table


def _defined() -> Iterator[Table]:
    for name in sorted(module.name for module in iter_modules(tables.__path__)):
        found = vars(import_module(f"{tables.__name__}.{name}")).values()
        yield from (value for value in found if isinstance(value, Table))


# by chapter, then by module, then as they stand in it
TABLES = tuple(sorted(_defined(), key=lambda table: list(CHAPTERS).index(table.chapter)))
