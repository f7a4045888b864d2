"""The table of benchmarks/results.json."""

from typing import Any

from advlaw.report.cells import table


def benchmarks_table(results: dict[str, Any]) -> str:
    """Where it was measured, and a line for every peer: seconds of both, and the ratio with its extremes."""
    versions = ", ".join(f"{name} {number}" for name, number in results["versions"].items())
    where = (
        f"Measured on {results['date']}: {results['processor']}, {results['threads']} thread, "
        f"{results['matmul_gflops']:g} GFLOP/s in matrix products; Python {results['python']}, torch "
        f"{results['torch']}, {versions}."
    )
    columns = ["what", "net", "work", "advlaw:", "peer", "its time:", "peer / advlaw", "advlaw's share of matmul:"]
    return f"{where}\n\n{table(columns, (_line(line) for line in results['lines']))}"


def _line(line: dict[str, Any]) -> list[str]:
    ratio, share = "–", "–"
    if line["ratio"] is not None:
        ratio = f"**{line['ratio']:.2f}** [{line['ratio_low']:.2f}, {line['ratio_high']:.2f}]"
    if line["matmul_share"] is not None:
        share = f"{100 * line['matmul_share']:.0f} %"
    theirs = "–" if line["peer_seconds"] is None else _seconds(line["peer_seconds"])
    return [line["what"], line["net"], line["work"], _seconds(line["our_seconds"]), line["peer"], theirs, ratio, share]


def _seconds(value: float) -> str:
    return f"{value:.3g} s"
