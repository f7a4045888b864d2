"""Gaps between sorted i.i.d. logits: what they would be if logits knew nothing of each other (Cubuk App. 6.2.2).

    python stages/order_statistics.py --params params.yaml
writes  plots/<study>/order_statistics/:  densities.csv  ·  exponents.csv  ·  constants.csv, each sampled and exact
"""

from pathlib import Path

from advlaw.core.command import run, stage_arguments
from advlaw.core.runtime import configure
from advlaw.core.section import read_section, read_sections
from advlaw.core.tables import write_table
from advlaw.theory.iid import order_statistics
from advlaw.theory.settings import OrderStatistics


def main() -> None:
    params = stage_arguments(__doc__).params
    settings = read_section(params, "order_statistics", OrderStatistics)
    study, seed, threads, device_name, portable = read_sections(
        params, study=str, seed=int, threads=int, device=str, portable=bool
    )
    device = configure(threads, device_name, portable)
    tables: tuple[list, list, list] = ([], [], [])
    for law in settings.laws:
        for table, rows in zip(tables, order_statistics(law, settings, seed, device), strict=True):
            table += rows
    folder = Path("plots") / study / "order_statistics"
    for name, rows in zip(("densities", "exponents", "constants"), tables, strict=True):
        write_table(folder / f"{name}.csv", rows)
    print(f"{folder}: {settings.samples} images of {settings.classes} i.i.d. logits, {', '.join(settings.laws)}")


if __name__ == "__main__":
    run(main)
