"""What is recorded of a data set's contents."""

import json
import runpy
from pathlib import Path

import pytest

STAGE = Path(__file__).parents[1] / "stages" / "provenance.py"
FILES = {
    "a.gz": {"official": True, "sha256": "0a", "source": "mirror"},
    "b.gz": {"official": False, "sha256": "1b", "source": "mirror"},
}


@pytest.mark.parametrize(
    ("found", "rows"),
    [
        ({"source": "downloaded", "files": FILES}, "x,downloaded,a.gz,0a,true\nx,downloaded,b.gz,1b,false\n"),
        ({"source": "bundled with scikit-learn"}, "x,bundled with scikit-learn,,,\n"),
        (
            {"source": "taken from x", "files": {"x.npz": {"sha256": "2c", "official": None}}},
            "x,taken from x,x.npz,2c,\n",
        ),
    ],
)
def test_files_and_whether_they_are_official_but_not_where_they_lay(tmp_path, monkeypatch, found, rows):
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("study: small\n", encoding="utf-8")
    Path("data/datasets").mkdir(parents=True)
    Path("data/datasets/x.json").write_text(json.dumps({**found, "splits": {"test": 3}}), encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["provenance.py", "x"])
    runpy.run_path(str(STAGE), run_name="__main__")
    assert Path("plots/small/provenance/x.csv").read_text("utf-8") == "dataset,source,file,sha256,official\n" + rows


def test_a_data_set_that_was_not_made_is_answered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("study: small\n", encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["provenance.py", "x"])
    with pytest.raises(SystemExit, match=r"error: data/datasets/x\.json: no such file; run this stage through"):
        runpy.run_path(str(STAGE), run_name="__main__")
