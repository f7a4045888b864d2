"""Reports of committed tables and of claims that are made up, and what an HTML parser finds in them."""

import runpy
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from advlaw.claims.finding import QUESTIONS, VERDICTS, column
from advlaw.core.section import read_yaml
from advlaw.core.tables import write_table

ROOT = Path(__file__).parents[1]
STUDIES = ("digits", "mnist", "cifar10", "cifar10_search")
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Elements of a page, their attributes and what encloses them; an end tag that closes nothing is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None], tuple[str, ...]]] = []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        assert len({name for name, _ in attrs}) == len(attrs), f"<{tag}> has an attribute twice"
        self.found.append((tag, dict(attrs), tuple(self.open)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs), tuple(self.open)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes, _ in self.found if name == tag]


def sample_claims() -> dict[str, list[dict]]:
    """Two claims of every verdict, one of each paper; those that were run have two parts, one of them not judged."""
    claims, parts, papers = [], [], []
    for paper, letter in (("cubuk2017", "C"), ("kurakin2016", "K")):
        for number, verdict in enumerate(VERDICTS, start=1):
            name, is_run = f"{letter}{number:02}", verdict != "not run"
            printed = {"id": name, "paper": paper, "statement": "error < A·ε^B & <b>so on</b>", "where": "Fig. 1"}
            papers.append({**printed, "numbers": "B in [0.9, 1.3]", "best_on": "mnist"})
            row = {"claim": name, "verdict": verdict, "analogue": "holds" if verdict == "scaled" else ""}
            answers = {"as_a_law": verdict, "as_printed": "inconclusive", "straight": ""} if verdict == "fails" else {}
            row |= {column(question): "" for question in QUESTIONS} | answers | {"n_parts": 1 if is_run else 0}
            claims.append({**row, "reason": "" if is_run else "no ImageNet nets in this study"})
            part = {"claim": name, "subject": "fc/fgsm", "allowed_low": 0.9, "unit": "", "p_value": None}
            judged = {"question": "as a law", "quantity": "exponent", "value": 1.52, "low": 1.4, "high": 1.64}
            judged |= {"n": 10000, "n_together": 10, "n_settles": 36665, "remark": "fewer than 200 errors"}
            shown = {"question": "as printed", "quantity": "by least squares", "value": 1.24, "low": None, "high": None}
            shown |= {"n": None, "n_together": 1, "n_settles": None, "remark": ""}
            if is_run:
                parts.append({**part, **judged, "allowed_high": 1.3, "verdict": "fails"})
                parts.append({**part, **shown, "allowed_high": None, "verdict": ""})
    return {"claims": claims, "claim_parts": parts, "papers": papers}


def checkout(committed: Path, folder: Path) -> Path:
    """A checkout in a folder with the studies' committed tables and figures, and claims that are made up."""
    for name in ("datasets", "benchmarks", "studies", "params.yaml", "requirements.txt"):
        (folder / name).symlink_to(committed / name)
    sample = sample_claims()
    write_table(folder / "claims/claims.csv", sample["papers"])
    shutil.copy(committed / "claims/kurakin_tables.csv", folder / "claims")
    for study in STUDIES:
        plots = folder / "plots" / study
        shutil.copytree(committed / "plots" / study, plots, ignore=shutil.ignore_patterns("*.png", "*.html"))
        for name in ("claims", "claim_parts"):
            write_table(plots / f"{name}.csv", sample[name])
    files = [
        {"file": "a.bin", "sha256": "0a1b", "official": "true"},
        {"file": "b.bin", "sha256": "2c3d", "official": "false"},
    ]
    made_from = [{"dataset": "cifar10", "source": "downloaded", **file} for file in files]
    write_table(folder / "plots/cifar10/provenance/cifar10.csv", made_from)
    across = [
        {**row, "study": "" if row["verdict"] == "not run" else "mnist", "others": "digits: fails"}
        for row in sample["claims"]
    ]
    write_table(folder / "plots/summary/claims.csv", across)
    return folder


def make(root: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Path:
    """Run the report stage in a checkout; the page it wrote."""
    monkeypatch.chdir(root)
    monkeypatch.setattr("sys.argv", ["report.py", *arguments])
    runpy.run_path(str(ROOT / "stages/report.py"), run_name="__main__")
    if arguments == ("--summary",):
        return root / "plots/summary/report.html"
    return root / "plots" / read_yaml(root / arguments[1])["study"] / "report.html"


PAGES = {
    "digits": ("--params", "params.yaml"),
    "mnist": ("--params", "studies/mnist/params.yaml"),
    "cifar10": ("--params", "studies/cifar10/params.yaml"),
    "summary": ("--summary",),
}
