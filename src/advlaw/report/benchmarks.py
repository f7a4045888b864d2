"""The table of benchmarks/results.json, and where that was measured."""

from typing import Any

from advlaw.report.render import Cell, Grid, Marked, Right


def measured_on(results: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in results["versions"].items())
    return (
        f"Measured on {results['date']}: {results['processor']}, {results['threads']} thread, "
        f"{results['matmul_gflops']:g} GFLOP/s in matrix products; Python {results['python']}, torch "
        f"{results['torch']}, {versions}."
    )


def times(results: dict[str, Any]) -> Grid:
    """A line for every peer: seconds of both, and the ratio with its extremes."""
    heads = ["what", "net", "work", Right("advlaw"), "peer", Right("its time"), "peer / advlaw"]
    return Grid([*heads, Right("advlaw's share of the peak")], [_line(line) for line in results["lines"]])


FEW = (  # the rows that README shows: what, net, peer
    ("FGSM, 30 ε, not clipped", "FC 200-200-200", "Foolbox"),
    ("FGSM, 30 ε, not clipped", "CNN 32-64, all channels-last", "Foolbox"),
    ("thresholds to 1e-4", "CNN 32-64", "bisection, Foolbox at each step"),
    ("PGD, 20 steps, 5 ε", "FC 1000-1000", "Foolbox"),
    ("training a population, 1 thread", "as drawn", "torchvision DataLoader"),
)


def few_times(results: dict[str, Any]) -> Grid:
    """A line for each of FEW: seconds of both, and the ratio with its extremes."""
    lines = {(line["what"], line["net"], line["peer"]): _line(line) for line in results["lines"]}
    rows = [[cells[0], cells[1], *cells[3:7]] for cells in (lines[key] for key in FEW)]
    return Grid(["what", "net", Right("advlaw"), "peer", Right("its time"), "peer / advlaw"], rows)


def _line(line: dict[str, Any]) -> list[Cell]:
    ratio: Cell = "–"
    if line["ratio"] is not None:
        ratio = Marked(f"{line['ratio']:.2f}", "strong"), f" [{line['ratio_low']:.2f}, {line['ratio_high']:.2f}]"
    theirs = "–" if line["peer_seconds"] is None else _seconds(line["peer_seconds"])
    ours = _seconds(line["our_seconds"])
    return [line["what"], line["net"], line["work"], ours, line["peer"], theirs, ratio, _share(line)]


def _share(line: dict[str, Any]) -> str:
    """Of arithmetic or of memory, whichever is nearer to its limit."""
    keys = {"matmul": "matmul_share", "memory": "bandwidth_share"}
    shares = [(line[key], name) for name, key in keys.items() if line.get(key) is not None]
    return "{:.0%} of {}".format(*max(shares)).replace("%", " %") if shares else "–"


def _seconds(value: float) -> str:
    return f"{value:.3g} s"
