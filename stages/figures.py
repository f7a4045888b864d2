"""Draw the study's figures from its tables: Cubuk Fig. 2a, 2b and 2c, and what explains them.

    python stages/figures.py --params params.yaml
reads   plots/<study>/error_curves.csv  ·  plots/<study>/exponents.csv  ·  plots/<study>/logit_gap_distribution.csv
writes  plots/<study>/figures/figure_2{a,b,c}, clipping: .svg  ·  .png  ·  .csv (the plotted numbers)
        ·  figure_2b_gaps, one_step_methods: .svg  ·  .png
"""

from pathlib import Path

from advlaw.config.section import read_section
from advlaw.core.command import run, stage_arguments
from advlaw.core.io import read_csv
from advlaw.figures.error_curves import draw_figures
from advlaw.figures.gaps import draw_gaps
from advlaw.figures.methods import draw_methods


def main() -> None:
    folder = Path("plots") / read_section(stage_arguments(__doc__).params, "study", str)
    target = folder / "figures"
    target.mkdir(parents=True, exist_ok=True)
    points = read_csv(folder / "error_curves.csv")
    drawn = draw_figures(points, read_csv(folder / "exponents.csv"), target)
    drawn += draw_gaps(read_csv(folder / "logit_gap_distribution.csv"), target)
    drawn += draw_methods(points, target)
    print(f"{target}: {', '.join(drawn) or 'no curves to draw'}")


if __name__ == "__main__":
    run(main)
