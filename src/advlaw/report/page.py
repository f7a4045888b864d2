"""The reports as HTML: one file that opens without a network, the same bytes for the same tables and figures."""

from collections import Counter
from collections.abc import Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from advlaw.claims.wording import VERDICTS
from advlaw.core.io import Cells
from advlaw.core.tables import Tables, records
from advlaw.report.benchmarks import measured_on, times
from advlaw.report.intervals import line
from advlaw.report.render import html
from advlaw.report.sections import Section, sections

PAPERS = {"cubuk2017": "Cubuk et al. 2017", "kurakin2016": "Kurakin et al. 2016"}
BENCHMARKS = "Time that advlaw and other libraries take for the same work"
STAMP = "<!-- stamp -->"  # where a copy of a page says when and from what commit it was made
SOURCES = {  # of a data set in datasets/params.yaml: what it is
    "digits": "8x8 scans of handwritten digits",
    "clusters": "synthetic 8x8 images of overlapping Gaussian classes with a known Bayes error",
    "mnist": "MNIST, handwritten digits of 28x28 pixels",
    "fashion_mnist": "Fashion-MNIST, clothes of 28x28 pixels",
    "cifar10": "CIFAR-10, colour photographs of 32x32 pixels",
    "random": "uniform pixels and labels",
    "folder": "a folder of photographs",
    "own": "your own images",
}


@dataclass(frozen=True)
class StudyPage:
    """What a report is made of, all of it committed: tables, and `figures` as SVG by name."""

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


def report(claims: list[Cells], studies: list[StudyPage], setting: Setting, is_summary: bool) -> str:
    """The page of one study, or with `is_summary` that about all: an overview, claims, then the other chapters.

    `claims` as `advlaw.claims.wording.displayed` has them.
    """
    results = setting.benchmarks  # none in an audit
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    chapters = {study.name: sections(study.name, study.tables, study.figures, is_summary) for study in studies}
    return environment.get_template("report.html").render(
        title="advlaw: all studies" if is_summary else f"advlaw: {studies[0].name}",
        is_summary=is_summary,
        claims={verdict: [{**one, **line(one)} for one in claims if one["verdict"] == verdict] for verdict in VERDICTS},
        n_claims=len(claims),
        verdicts=VERDICTS,
        papers=PAPERS,
        overview=_overview(chapters, claims, is_summary),
        studies=chapters,
        attacked=_attacked(studies),
        stamp=Markup(STAMP),
        setups=[_setup(study) for study in studies],
        datasets=_datasets(studies, setting.datasets),
        dataset_seed=setting.datasets["seed"],
        versions=setting.versions,
        measured_on=measured_on(results) if results else "",
        benchmarks=html(times(results), BENCHMARKS) if results else "",
    )


def stamped(page: str, text: str) -> str:
    """A copy of a page with `text` in the place for it; raises ValueError where the page has no such place."""
    if page.count(STAMP) != 1:
        raise ValueError(f"the report must contain {STAMP} once; run the report stage again")
    return page.replace(STAMP, str(escape(text)))


def _overview(chapters: dict[str, list[Section]], claims: list[Cells], is_summary: bool) -> Section | None:
    """The first section: the overview of the study that judges the most claims, taken out of its chapters."""
    judged = Counter(claim["study"] for claim in claims)
    best = max(chapters, key=lambda name: judged[name])
    found = next((section for section in chapters[best] if section.is_overview), None)
    if found is None:
        return None
    chapters[best].remove(found)
    return found._replace(title=f"{found.title}: {best}") if is_summary else found


def _attacked(studies: list[StudyPage]) -> str:
    """`12 nets under 17 attacks (37 curves) and 100 more in sets`, of all studies together."""
    curves = [row for study in studies for row in records(study.tables.rows("laws/exponents"))]
    nets = {(row["dataset"], row["model"]) for row in curves}
    in_sets = sum(row["n_nets"] for study in studies for row in records(study.tables.rows("trials/sets")))
    if not curves:
        return f"{in_sets:g} in sets"
    sets = f" and {in_sets:g} more in sets" if in_sets else ""
    attacks = {row["attack"] for row in curves}
    return f"{_counted(nets, 'net')} under {_counted(attacks, 'attack')} ({_counted(curves, 'curve')}){sets}"


def _counted(things: Sized, what: str) -> str:
    return f"{len(things)} {what}{'s' * (len(things) != 1)}"


def _setup(study: StudyPage) -> dict[str, Any]:
    """What a reader needs to repeat a study: its settings as lines, and its whole params file."""
    params, grid, models = study.params, study.params["attack"], study.tables.rows("models")
    lines = {
        "seed": params["seed"],
        "threads": params["threads"],
        "requested device": params["device"],
        "ε": f"{grid['count']} values from {grid['eps_min']:g} to {grid['eps_max']:g}, log-spaced",
        "nets": ", ".join(models["model"]),
        "trained on": ", ".join(dict.fromkeys(filter(None, models["device"][models["epochs"].notna()]))),
    }
    nets = params["pretrained_models"].items()
    weights = {name: net["weights"] for name, net in nets if isinstance(net.get("weights"), dict)}  # published ones
    return {"name": study.name, "lines": lines, "weights": weights, "text": study.params_text}


def _datasets(studies: list[StudyPage], known: dict[str, Any]) -> list[dict[str, Any]]:
    """A line for every data set of these studies, with the files it was made from."""
    made_from = {
        name: records(study.tables.rows(f"provenance/{name}")) for study in studies for name in study.params["datasets"]
    }
    rows = []
    for name, files in made_from.items():
        entry = known["datasets"].get(name, {})
        sizes = {split: entry.get(split) for split in ("train", "validation", "test")}
        what = ", ".join(filter(None, (SOURCES.get(entry.get("source", ""), "–"), _pooled(entry), entry.get("holds"))))
        rows.append({"name": name, "what": what, **sizes, "contents": _contents(files), "files": files})
    return rows


def _pooled(entry: dict[str, Any]) -> str | None:
    return f"averaged over {entry['pool']}x{entry['pool']} pixels" if entry.get("pool", 1) > 1 else None


def _contents(files: list[Cells]) -> str:
    """Whether a data set is the one that its makers published, as far as checksums can tell."""
    unofficial = sum(row["official"] == "false" for row in files)
    if unofficial:
        return f"{unofficial} of {len(files)} files differ from the official ones; they match their mirror's checksums"
    if any(row["official"] == "true" for row in files):
        return f"the official contents of {len(files)} files"
    return str(files[0]["source"])
