"""A skipped test fails where CI=true, and nowhere else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# the text of a test file, run to see how skips are answered; nothing of this project is skipped here
SKIPPING = """
import pytest

@pytest.mark.skip(reason="marked")
def test_marked(): ...

def test_inside():
    pytest.skip("no browser")

@pytest.mark.xfail(strict=True)
def test_known_to_fail():
    assert False

def test_fine(): ...
"""


@pytest.mark.parametrize(("ci", "counts"), [("true", "1 failed, 1 passed, 1 xfailed, 2 errors"), ("", "1 xfailed")])
def test_what_is_skipped_fails_where_ci_is_true(tmp_path, ci, counts):
    (tmp_path / "test_skipping.py").write_text(SKIPPING, encoding="utf-8")
    (tmp_path / "test_whole.py").write_text(
        "import pytest\npytest.importorskip('nothing_of_this_name')\n", encoding="utf-8"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "skips",
        "-p",
        "no:cacheprovider",
        "--continue-on-collection-errors",
    ]
    found = {"CI": ci, "PYTHONPATH": str(Path(__file__).parent), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment = {**os.environ, **found}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert counts in done.stdout
    assert (done.returncode != 0) == (ci == "true")
    assert ("no browser: where CI=true, no test may be skipped" in done.stdout) == (ci == "true")
    assert ("nothing_of_this_name" in done.stdout) == (ci == "true")
