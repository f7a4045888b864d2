"""The Python examples of docs/python.md and README.md run as they stand, in the repository and outside of it."""

import os
import re
import subprocess
import sys

import pytest
from repository import ROOT

PAGES = ("docs/python.md", "README.md")
BLOCK = re.compile(r"^```(python|text)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def example(page: str) -> tuple[str, str]:
    """The Python of a page, one block after another, and what it says that they print."""
    blocks = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    code, shown = ("".join(text for kind, text in blocks if kind == wanted) for wanted in ("python", "text"))
    return code, shown


def without_numbers(text: str) -> str:
    """Words alone: numbers differ from one kind of CPU to another, and so may whether a line fits."""
    return re.sub(r"it bends|a straight line fits", "LINE", re.sub(r"\d[\d.,e-]*", "#", text))


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if example(page)[0]])
def test_a_page_s_example_prints_what_the_page_says(page, tmp_path, installed):
    code, shown = example(page)
    where = [installed] if page == "docs/python.md" else [ROOT / "src"]
    for source in where:
        environment = {**os.environ, "PYTHONPATH": str(source), "OMP_WAIT_POLICY": "PASSIVE", "MPLBACKEND": "agg"}
        done = subprocess.run(
            [sys.executable, "-c", f"{code}\nassert advlaw.__file__.startswith({str(source)!r})"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert without_numbers(done.stdout) == without_numbers(shown)
        assert len(list(tmp_path.glob("*.png"))) == len(re.findall("savefig", code))
