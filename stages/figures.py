"""Draw Cubuk Fig. 2a, 2b and 2c from the study's tables.

    python stages/figures.py --params params.yaml
reads   plots/<study>/error_curves.csv  ·  plots/<study>/exponents.csv
writes  plots/<study>/figures/figure_2{a,b,c}.svg  ·  .png  ·  .csv (the plotted numbers)
"""

from pathlib import Path

from advlaw.config.section import read_section
from advlaw.core.command import run, stage_arguments
from advlaw.core.io import read_csv
from advlaw.figures.error_curves import draw_figures


def main() -> None:
    folder = Path("plots") / read_section(stage_arguments(__doc__).params, "study", str)
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    drawn = draw_figures(read_csv(folder / "error_curves.csv"), read_csv(folder / "exponents.csv"), folder / "figures")
    print(f"{folder}/figures: {', '.join(drawn) or 'no curves to draw'}")


if __name__ == "__main__":
    run(main)
