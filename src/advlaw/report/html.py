"""The reports as HTML: one file that opens without a network, the same bytes for the same tables and figures."""

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from advlaw.core.io import Row, Tables
from advlaw.report.benchmarks import benchmarks_table
from advlaw.report.html_sections import chapters
from advlaw.report.html_table import html_table

VERDICTS = {  # verdict -> its symbol and what it means
    "holds": ("✓", "the measured value agrees with the paper"),
    "fails": ("✗", "the interval excludes what the paper says"),
    "inconclusive": ("?", "the interval is too wide or the value near the edge"),
    "masked": ("◐", "a weak attack agrees with the paper, the strong ones do not"),
    "scaled": ("≈", "checked on a smaller analogue, whose verdict is given"),
    "not run": ("–", "nothing here tests it"),
}
PAPERS = {"cubuk2017": "Cubuk et al. 2017", "kurakin2016": "Kurakin et al. 2016"}
STAMP = "<!-- stamp -->"  # where a copy of a page says when and from what commit it was made
SOURCES = {  # of a data set in datasets/params.yaml: what it is
    "digits": "8x8 scans of handwritten digits",
    "clusters": "synthetic 8x8 images of overlapping Gaussian classes with a known Bayes error",
    "mnist": "MNIST, handwritten digits of 28x28 pixels",
    "fashion_mnist": "Fashion-MNIST, clothes of 28x28 pixels",
    "cifar10": "CIFAR-10, colour photographs of 32x32 pixels",
    "random": "uniform pixels and labels",
    "own": "a person's own images",
}


@dataclass(frozen=True)
class StudyPage:
    """What a report is made of, all of it committed: `tables` by their path below plots/<study>, `figures` as SVG."""

    name: str
    params: dict[str, Any]
    params_text: str
    tables: Tables
    figures: dict[str, str]


@dataclass(frozen=True)
class Setting:
    """What all studies share: datasets/params.yaml, the pinned versions, and benchmarks/results.json."""

    datasets: dict[str, Any]
    versions: dict[str, str]
    benchmarks: dict[str, Any]


def study_report(study: StudyPage, setting: Setting) -> str:
    """The page of one study; raises ValueError where its claims have a verdict or a column that is not known."""
    page = {
        "title": f"advlaw: {study.name}",
        "claims": _claims(study.tables["claims"], study.tables["claim_parts"]),
        "studies": [{"name": study.name, "chapters": chapters(study.name, study.tables, study.figures)}],
        "is_summary": False,
    }
    return _page(page, [study], setting)


def summary_report(claims: list[Row], studies: list[StudyPage], setting: Setting) -> str:
    """The page about all studies: claims across studies, then each study's main figures and tables."""
    sections = [
        {"name": study.name, "chapters": chapters(study.name, study.tables, study.figures, only_main=True)}
        for study in studies
    ]
    page = {"title": "advlaw: all studies", "claims": _claims(claims, []), "studies": sections, "is_summary": True}
    return _page(page, studies, setting)


def stamped(page: str, text: str) -> str:
    """A copy of a page with `text` in the place for it; raises ValueError where the page has no such place."""
    if page.count(STAMP) != 1:
        raise ValueError(f"the report needs one {STAMP}; make it again with the report stage")
    return page.replace(STAMP, str(escape(text)))


def _page(page: dict[str, Any], studies: list[StudyPage], setting: Setting) -> str:
    counts = Counter(claim["verdict"] for claim in page["claims"])
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(
        **page,
        counts={name: counts[name] for name in VERDICTS},
        verdicts=VERDICTS,
        papers=PAPERS,
        stamp=Markup(STAMP),
        setups=[_setup(study) for study in studies],
        datasets=_datasets(studies, setting.datasets),
        dataset_seed=setting.datasets["seed"],
        versions=setting.versions,
        benchmarks=_benchmarks(setting.benchmarks),
    )


def _claims(claims: list[Row], parts: list[Row]) -> list[dict[str, Any]]:
    """The rows of claims.csv, each with its parts and whatever of `study` and `others` it has."""
    for row in claims:
        if row["verdict"] not in VERDICTS:
            allowed = ", ".join(VERDICTS)
            raise ValueError(f"claims.csv: {row['claim']}: verdict = {row['verdict']!r}: must be one of {allowed}")
    own: dict[str, list[Row]] = {}
    for part in parts:
        own.setdefault(part["claim"], []).append({**part, **_shown(part)})
    return [{"study": "", "others": "", **row, "parts": own.get(row["claim"], [])} for row in claims]


def _shown(part: Row) -> dict[str, str]:
    """A part's estimate with its interval, what the paper allows, and how many it was measured on, as text."""

    estimate, low, high, smallest, largest = (
        float(part[name] or "nan") for name in ("estimate", "low", "high", "allowed_low", "allowed_high")
    )
    measured = "–" if math.isnan(estimate) else f"{estimate:.3g}"
    if not math.isnan(low) and not math.isnan(high):
        measured += f" [{low:.3g}, {high:.3g}]"
    number = f"{int(float(part['n'])):,}" if part["n"] else "–"
    return {"shown": measured, "allowed": _allowed(smallest, largest), "n_shown": number}


def _allowed(low: float, high: float) -> str:
    """A range in words, where an end may be open: infinite or not a number."""
    if math.isfinite(low) and math.isfinite(high):
        return f"{low:.3g} to {high:.3g}" if low < high else f"{low:.3g}"
    if math.isfinite(low):
        return f"≥ {low:.3g}"
    return f"≤ {high:.3g}" if math.isfinite(high) else "–"


def _setup(study: StudyPage) -> dict[str, Any]:
    """What a reader needs to repeat a study: its settings as lines, and its whole params file."""
    params, grid = study.params, study.params["attack"]
    lines = {
        "seed": params["seed"],
        "threads": params["threads"],
        "device asked for": params["device"],
        "ε": f"{grid['count']} values from {grid['eps_min']:g} to {grid['eps_max']:g}, log-spaced",
        "nets": ", ".join(row["model"] for row in study.tables["models"]),
        "trained on": ", ".join(
            dict.fromkeys(row["device"] for row in study.tables["models"] if row["epochs"] and row["device"])
        ),
    }
    nets = params["pretrained_models"].items()
    weights = {name: net["weights"] for name, net in nets if isinstance(net.get("weights"), dict)}  # published ones
    return {"name": study.name, "lines": lines, "weights": weights, "text": study.params_text}


def _datasets(studies: list[StudyPage], known: dict[str, Any]) -> list[dict[str, Any]]:
    """A line for every data set of these studies, with the files it was made from."""
    made_from = {name: study.tables[f"provenance/{name}"] for study in studies for name in study.params["datasets"]}
    rows = []
    for name, files in made_from.items():
        entry = known["datasets"].get(name, {})
        sizes = {split: entry.get(split) for split in ("train", "validation", "test")}
        what = SOURCES.get(entry.get("source", ""), "–")
        rows.append({"name": name, "what": what, **sizes, "contents": _contents(files), "files": files})
    return rows


def _contents(files: list[Row]) -> str:
    """Whether a data set is the one that its makers published, as far as checksums can tell."""
    unofficial = sum(row["official"] == "false" for row in files)
    if unofficial:
        return f"{unofficial} of {len(files)} files are not the official ones: a mirror's, by its own checksums"
    if any(row["official"] == "true" for row in files):
        return f"the official contents of {len(files)} files"
    return files[0]["source"]


def _benchmarks(results: dict[str, Any]) -> dict[str, Any]:
    """Where our code was measured, and the table; nothing in an audit, whose folder has no results."""
    if not results:
        return {}
    markdown = benchmarks_table(results)
    where = markdown.partition("\n")[0]
    return {"where": where, "table": html_table(markdown, "Time of advlaw and of other libraries for the same work")}
