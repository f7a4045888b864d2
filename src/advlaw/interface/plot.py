"""Error curves on a notebook's axes, in the style of a study's figures."""

import matplotlib
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from advlaw.core.io import Cells
from advlaw.core.tables import Tables

SIZE = (4.6, 4.2)  # inches


def draw(tables: Tables, ax: Axes | None) -> Axes:
    """The curves of a measurement with their laws."""
    backend = matplotlib.get_backend()
    from advlaw.figures.error_curves import LINES, POINTS, Curves, draw_error_curves  # takes agg, to draw into files
    from advlaw.figures.style import ATTACK_NAMES, RC

    matplotlib.use(backend)

    def label(row: Cells) -> str:
        return str(ATTACK_NAMES.get(row["attack"], row["attack"]))

    laws = Curves("attacks", lambda rows: rows, label).laws(tables)
    lines = tables.rows("laws/lines").reindex(columns=LINES)
    lines = lines[lines["curve"].isin(laws["curve"][laws["remark"] == ""])]
    rows = laws.merge(pd.concat([tables.rows("error_curves")[POINTS], lines]), on="curve")
    with plt.rc_context(RC):
        if ax is None:
            ax = plt.figure(figsize=SIZE).add_subplot()
            ax.set_ylabel("adversarial error")
        draw_error_curves(ax, rows)
    return ax
