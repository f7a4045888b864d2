"""The tables between the markers of README.md and docs/."""

from collections.abc import Mapping
from pathlib import Path

from advlaw.core.tables import Tables
from advlaw.report.registry import TABLES
from advlaw.report.render import Cell, Grid, Marked, Right, markdown


def studies_grid(studies: Mapping[str, tuple[str, Tables | None]]) -> Grid:
    """A line per study: name -> the command that runs it and its tables; one for all without, which were not run here.

    A file studies/<name>/DUE says why the committed results lag behind the code.
    """
    rows: list[list[Cell]] = []
    for name, (command, tables) in studies.items():
        if tables is None:
            continue
        curves, sets = tables.rows("curves"), tables.rows("trials/sets").reindex(columns=["dataset", "n_nets"])
        folder, due = f"plots/{name}", f"studies/{name}/DUE"
        lags = (", ", Marked("rerun due", "link", due)) if Path(due).is_file() else ()
        in_sets = f" and {sets['n_nets'].sum():g} in sets" if len(sets) else ""
        data = dict.fromkeys((*curves["dataset"], *sets["dataset"]))
        cells: list[Cell] = [", ".join(data), f"{curves['model'].nunique()}{in_sets}", str(len(curves))]
        cells.append((Marked(folder, "link", folder), *lags))
        rows.append([name, Marked(command, "code"), *cells])
    if missing := [name for name, (_, tables) in studies.items() if tables is None]:
        rows.append([", ".join(missing), "as the others", "–", "–", "–", "not run here"])
    return Grid(["study", "run it", "data", Right("nets attacked"), Right("curves"), "results"], rows)


def filled(text: str, studies: Mapping[str, Tables], shared: Mapping[str, str]) -> str:
    """A page made anew: `shared` by the names of its markers, and `<!-- NAME STUDY -->` by that table of that study."""
    for name, content in shared.items():
        if f"<!-- {name} -->" in text:
            text = replace_block(text, name, content)
    for study, tables in studies.items():
        for table in TABLES:
            if f"<!-- {table.name} {study} -->" in text:
                text = replace_block(text, f"{table.name} {study}", markdown(table.make(tables)))
    return text


def replace_block(text: str, name: str, content: str) -> str:
    """`text` with the lines between `<!-- name -->` and `<!-- /name -->` replaced; raises ValueError without them."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(f"{begin} and {end}: the page must contain each once; add or remove the marker")
    before, rest = text.split(begin)
    return f"{before}{begin}\n{content}\n{end}{rest.split(end)[1]}"
