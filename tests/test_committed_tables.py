"""What is told of every study follows from what is committed: no net is trained again, and only rounding differs.

Another CPU's logarithm may differ in its last bit, and a coordinate in its sixth decimal: 275.761177 or 275.761178.
"""

import io
import json
import re
import runpy
import subprocess
from pathlib import Path
from urllib.parse import unquote

import matplotlib.image
import numpy as np
import pytest
from repository import ROOT, clone_committed, committed_files, environment, ran

TOLD = ("claims", "figures", "report")
STUDIES = [lock.removesuffix("/dvc.lock") for lock in committed_files("studies/*/dvc.lock")]
NUMBER = re.compile(r"(?<![\w.])(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)(?!\w)")
OF_CONTENTS = [  # names made of the contents' hash: of what is drawn, of a file in a dvc.lock
    (re.compile(r"\b([a-z]|C\w+_)[0-9a-f]{10}\b"), r"\1"),
    (re.compile(r"^ +(?:md5: [0-9a-f]+(?:\.dir)?|size: \d+)$", re.MULTILINE), ""),
]


def same_but_for_rounding(before: bytes, after: bytes) -> bool:
    """Whether two texts, or two PNG files, differ in no more than the seventh digit of a number, or a shade."""
    if before.startswith(b"\x89PNG"):
        one, other = (matplotlib.image.imread(io.BytesIO(content)) for content in (before, after))
        return one.shape == other.shape and bool(np.abs(one - other).max() < 2.5 / 255)
    texts = [unquote(content.decode("utf-8")) for content in (before, after)]  # figures in a page are addresses
    for pattern, kept in OF_CONTENTS:
        texts = [pattern.sub(kept, text) for text in texts]
    one, other = (NUMBER.split(text) for text in texts)  # every second is a number
    if one[::2] != other[::2]:
        return False
    return np.allclose(np.array(one[1::2], float), np.array(other[1::2], float), rtol=1e-6, atol=2e-6)


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ('<path id="m0123456789" d="L 275.761177 15"/>', '<path id="mabcdef0123" d="L 275.761178 15"/>', True),
        ('<path d="L 275.76 15"/>', '<path d="L 275.77 15"/>', False),
        ("fgsm,1.234567,0.5", "fgsm,1.234568,0.5", True),
        ("fgsm,1.234567,0.5", "fgsm,1.234567,", False),
        ("fgsm,1.234567,0.5", "step_ll,1.234567,0.5", False),
        ("<td>0.9321</td>", "<td>0.9322</td>", False),
        ("fc:\n  md5: 0a\n  size: 12\n", "fc:\n  md5: 0b\n  size: 13\n", True),
        ("fc:\n  md5: 0a\n  size: 12\n", "cnn:\n  md5: 0a\n  size: 12\n", False),
    ],
)
def test_rounding_is_told_from_other_contents(before, after, same):
    assert same_but_for_rounding(before.encode(), after.encode()) == same


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A fresh clone, whose cache is empty."""
    return clone_committed(tmp_path_factory.mktemp("clone") / "advlaw")


def git(folder: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=True).stdout


def assert_as_committed(clone: Path) -> None:
    assert git(clone, "ls-files", "--others", "--deleted", "--exclude-standard") == b""
    for name in git(clone, "diff", "--name-only", "HEAD").decode().splitlines():
        assert same_but_for_rounding(git(clone, "show", f"HEAD:{name}"), (clone / name).read_bytes()), name


@pytest.mark.slow
@pytest.mark.parametrize("pipeline", [".", "summary"])
def test_a_fresh_clone_writes_claims_figures_and_report_from_committed_tables(clone, pipeline):
    stages = [f"{pipeline}/dvc.yaml:{stage}" for stage in TOLD if (pipeline, stage) != ("summary", "figures")]
    done = subprocess.run(
        ["dvc", "repro", "--force", "--single-item", *stages],
        cwd=clone,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {stage.rpartition(":")[2] for stage in ran(done.stdout)} == {stage.rpartition(":")[2] for stage in stages}
    assert_as_committed(clone)


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES)
def test_claims_figures_and_report_of_every_other_study_follow_from_its_committed_tables(clone, study, monkeypatch):
    """As the default study's do through DVC, whose pipeline is theirs."""
    monkeypatch.chdir(clone)
    for stage in TOLD:
        monkeypatch.setattr("sys.argv", [f"{stage}.py", "--params", f"{study}/params.yaml"])
        runpy.run_path(str(ROOT / "stages" / f"{stage}.py"), run_name="__main__")
    assert_as_committed(clone)


@pytest.mark.slow
@pytest.mark.parametrize("study", [study for study in [".", *STUDIES] if not (ROOT / study / "DUE").exists()])
def test_the_lock_of_a_study_names_the_code_and_params_that_are_committed(clone, study):
    """Where it does not, studies/<name>/DUE says why; nets and images are in no clone, and so are not compared."""
    done = subprocess.run(
        ["dvc", "status", "--json", f"{study}/dvc.yaml"],
        cwd=clone,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    changed = {
        (stage, path): what
        for stage, found in json.loads(done.stdout).items()
        for entry in found
        if isinstance(entry, dict)
        for path, what in entry.get("changed deps", {}).items()
        if path.startswith(("src/", "stages/", "datasets/params", "params", "studies/")) and what != "deleted"
    }
    assert changed == {}
