"""Estimate the exponent of every curve as eps -> 0, and that of nets together: from committed tables, without a net.

    python stages/laws.py --params params.yaml
reads   plots/<study>/:  curves.csv  ·  error_curves.csv  ·  threshold_curves.csv and thresholds/, where they are
        ·  trials/<set>/{nets,curves}.csv
writes  plots/<study>/laws/:  exponents.csv  ·  ranges.csv (in every range)  ·  lines.csv (to draw)  ·  pooled.csv
"""

from pathlib import Path

from advlaw.core.command import run, stage_arguments
from advlaw.core.io import Cells
from advlaw.core.progress import progress
from advlaw.core.section import read_section
from advlaw.core.tables import read_tables, records, write_table
from advlaw.tables import laws


def main() -> None:
    params = stage_arguments(__doc__).params
    plots = Path("plots") / read_section(params, "study", str)
    confidence = read_section(params, "fit.confidence", float)
    tables = read_tables(plots, "error_curves", "trials/")
    exponents, ranges, lines, pooled = list[Cells](), list[Cells](), list[Cells](), list[Cells]()
    for about, changes in progress(list(laws.changes_of_study(plots, tables)), "laws"):
        curve = {"curve": about["curve"]}
        row, found = laws.exponent_row(changes, about["target"] != "true_label", confidence)
        exponents.append(row | curve)
        ranges += [{**curve, "kind": row["kind"], "p_fit": one.law.p_fit, **one.numbers} for one in found]
        if best := laws.chosen(found):
            drawn = laws.line_rows(best, changes.n_images, about["eps_scale"])
            lines += [curve | point for point in drawn]
    for name in [row["set"] for row in records(tables.rows("trials/sets"))]:
        nets, curves = (tables.rows(f"trials/{name}/{table}") for table in ("nets", "curves"))
        if not curves.empty:  # a set that is measured at a few eps has none
            pooled += laws.pooled_rows(name, nets, curves, confidence)
    for name, columns, rows in (
        ("exponents", laws.EXPONENT_COLUMNS, exponents),
        ("ranges", laws.RANGE_COLUMNS, ranges),
        ("lines", laws.LINE_COLUMNS, lines),
        ("pooled", laws.POOLED_COLUMNS, pooled),
    ):
        write_table(plots / "laws" / f"{name}.csv", rows, columns)
    print(f"{plots}/laws: {len(exponents)} curves, {len(pooled)} pooled")


if __name__ == "__main__":
    run(main)
