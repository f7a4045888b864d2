"""Draw the study's figures from its tables: Cubuk Fig. 2 to 15, and others that explain them.

    python stages/figures.py --params params.yaml
reads   plots/<study>/:  {error_curves,curves,exponents,logit_gap_distribution,logit_gaps,models}.csv
        ·  {laws,theory,order_statistics,pictures,published,search,trials,worst_case}/*.csv
writes  plots/<study>/figures/NAME.svg  ·  .png  ·  .csv (the plotted numbers), for each figure of src/advlaw/figures
        that the tables have rows for
"""

from pathlib import Path

from advlaw.core.command import run, stage_arguments
from advlaw.core.section import read_section, read_sections
from advlaw.core.tables import read_tables
from advlaw.figures.registry import draw_all

TABLES = ("error_curves", "exponents", "logit_gap_distribution", "models")
FOLDERS = ("laws/", "theory/", "order_statistics/", "pictures/", "published/", "search/", "trials/", "worst_case/")


def main() -> None:
    params = stage_arguments(__doc__).params
    study, threads = read_sections(params, study=str, threads=int)
    folder = Path("plots") / study
    compared = read_section(params, "theory.compared", list[str])
    drawn = draw_all(read_tables(folder, *TABLES, *FOLDERS), compared, folder / "figures", threads)
    print(f"{folder / 'figures'}: {', '.join(drawn) or 'no curves to draw'}")


if __name__ == "__main__":
    run(main)
