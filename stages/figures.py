"""Draw the study's figures from its tables: Cubuk Fig. 2 to 6 and 10 to 13, and what explains them.

    python stages/figures.py --params params.yaml
reads   plots/<study>/:  error_curves.csv  ·  exponents.csv  ·  logit_gap_distribution.csv
        ·  theory/*.csv  ·  order_statistics/densities.csv  ·  trials/<set>/*.csv  ·  models.csv
        ·  worst_case/accuracy.csv
writes  plots/<study>/figures/:
        figure_2{a,b,c}, figure_11, defended, own, clipping: .svg  ·  .png  ·  .csv (the plotted numbers)
        figure_2b_gaps, figure_3_<net>, figure_4, figure_5, figure_6, figure_10, figure_12, figure_13, one_step_methods,
        error_predictions, residuals, takeovers, gaps_in_training, label_blind_<net>, population_exponents,
        population_scatter: .svg  ·  .png
"""

from pathlib import Path

from advlaw.core.command import run, stage_arguments
from advlaw.core.io import read_csv, read_tables
from advlaw.core.section import read_section
from advlaw.figures.defences import draw_defences
from advlaw.figures.error_curves import draw_figures
from advlaw.figures.gap_densities import draw_gap_densities
from advlaw.figures.gaps import draw_gaps
from advlaw.figures.label_blind import draw_label_blind
from advlaw.figures.methods import draw_methods
from advlaw.figures.population import draw_population
from advlaw.figures.theory import draw_theory


def main() -> None:
    params = stage_arguments(__doc__).params
    folder = Path("plots") / read_section(params, "study", str)
    compared = read_section(params, "theory.compared", list[str])
    target = folder / "figures"
    target.mkdir(parents=True, exist_ok=True)
    points = read_csv(folder / "error_curves.csv")
    drawn = draw_figures(points, read_csv(folder / "exponents.csv"), target)
    drawn += draw_gaps(read_csv(folder / "logit_gap_distribution.csv"), target)
    drawn += draw_methods(points, target)
    theory = {path.stem: read_csv(path) for path in (folder / "theory").glob("*.csv")}
    if "predictions" in theory:  # some net's response was measured
        drawn += draw_theory(theory, target)
        densities = read_csv(folder / "order_statistics" / "densities.csv")
        drawn += draw_gap_densities(theory["gap_densities"], densities, compared, target)
        drawn += draw_label_blind(theory.get("ties", []), theory.get("label_blind_curves", []), target)
    controls = read_csv(folder / "worst_case" / "accuracy.csv")
    drawn += draw_defences(points, controls, read_csv(folder / "models.csv"), target)
    sets = read_tables(folder, "trials")
    for name in (row["set"] for row in sets.get("trials/sets", []) if row["kind"] == "drawn"):
        nets, curves, exponents = (sets[f"trials/{name}/{table}"] for table in ("nets", "curves", "exponents"))
        drawn += draw_population(nets, curves, exponents, target, f"_{name}" if "figure_10" in drawn else "")
    print(f"{target}: {', '.join(drawn) or 'no curves to draw'}")


if __name__ == "__main__":
    run(main)
