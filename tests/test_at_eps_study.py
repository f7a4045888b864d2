"""The tables of a set that is measured at a few eps, as a stage writes them, and what reads them."""

import json
import math
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest
from at_eps import ATTACKS, FGSM, PREDICTED, STEP_LL, net
from raw_csv import read_csv
from repository import ROOT

from advlaw.comparison.cells import keyed
from advlaw.comparison.tables import table
from advlaw.core.io import read_npz, write_npz
from advlaw.core.section import validate
from advlaw.core.tables import read_tables, write_table
from advlaw.report.registry import TABLES
from advlaw.tables.at_eps.nets import net_rows
from advlaw.tables.at_eps.write import write_at_eps
from advlaw.trials.sets import about
from advlaw.trials.settings import AtEps, TrialSet

ADVERSARIAL = {"attack": STEP_LL, "images": 16, "weight": 0.3, "eps": {"sigma": 8.0, "largest": 16.0}, "probe_eps": 8.0}
BASE = {
    "arch": "fc", "widths": [100, 50], "activation": "tanh", "epochs": 3, "learning_rate": 0.01, "batch_size": 32,
    "label_smoothing": 0.1, "adversarial": ADVERSARIAL,
}  # fmt: skip
NETS = {
    "plain": {"adversarial": None},
    "step_ll": {"baseline": "plain"},
    "step_ll_b": {"seed": 1},
    "fixed": {"adversarial": {"eps": {"fixed": 12.0}, "images": 32, "delay": 0.25}, "baseline": "step_ll"},
    "lost": {"learning_rate": 1e30, "baseline": "step_ll"},
}
MEASURE = {
    "eps": [4.0, 8.0],
    "attacks": [FGSM, PREDICTED, "iterative.iter_basic"],
    "iterative_images": 100,
    "transfer": {"nets": ["plain", "step_ll"], "attacks": [FGSM], "images": 100},
}
SET = {"dataset": "clusters", "base": BASE, "nets": NETS, "measure": MEASURE}


def settings() -> TrialSet:
    return validate(SET, TrialSet, Path("params.yaml"), "trials.set")


def test_a_net_s_row_says_how_it_was_trained():
    rows = {name: net_rows([net(name, **about(settings(), name))], {})[0] for name in NETS}
    shared = {"layers": 2, "sizes": "100-50", "activation": "tanh", "batch_size": 32, "label_smoothing": 0.1}
    assert all(row.items() >= shared.items() for row in rows.values())
    law = {"attack": "step_ll", "n_replaced": 16, "weight": 0.3, "fixed_eps": None, "delay": 0.0}
    assert rows["step_ll"].items() >= {**law, "eps_law": "|N(0, 8)| up to 16", "differs": ""}.items()
    law = {"attack": "step_ll", "n_replaced": 32, "eps_law": "fixed 12", "fixed_eps": 12.0, "delay": 0.25}
    assert rows["fixed"].items() >= law.items()
    law = {"attack": None, "n_replaced": 0, "weight": None, "eps_law": None, "fixed_eps": None, "delay": None}
    assert rows["plain"].items() >= law.items()


@pytest.fixture
def measured(tmp_path) -> Path:
    """A folder with nets.json and random outcomes of the set; the last net diverged."""
    folder, rng = tmp_path / "data/small/trials/set", np.random.default_rng(0)
    draw = {"clean": (0.8,), FGSM: (0.6, 0.3), PREDICTED: (0.5, 0.3), "iterative.iter_basic": (0.3, 0.1)}

    def ranks(shares: tuple[float, ...], n: int) -> np.ndarray:
        return np.stack([np.where(rng.uniform(size=n) < share, 0, rng.integers(1, 10, n)) for share in shares])

    rows = []
    for name in NETS:
        diverged = name == "lost"
        rows.append(
            net(name, **about(settings(), name)) | {"diverged": diverged, "train_loss": None if diverged else 0.5}
        )
        if not diverged:
            arrays = {"eps": np.array([4.0, 8.0]), "label": np.arange(1000) % 10}
            for key, shares in draw.items():
                found = ranks(shares, 100 if key.startswith("iter") else 1000).astype(np.uint8)
                arrays[f"{key}/rank"] = found[0] if key == "clean" else found
                if key != "clean":
                    arrays[f"{key}/not_finite"] = np.zeros(found.shape[1], bool)
            write_npz(folder / f"outcomes/{name}.npz", arrays)
    for name in MEASURE["transfer"]["nets"]:
        arrays = {
            f"clean/{target}/rank": ranks((0.8,), 100)[0].astype(np.uint8) for target in MEASURE["transfer"]["nets"]
        }
        arrays |= {
            f"{FGSM}/{target}/rank": ranks((0.5, 0.2), 100).astype(np.uint8) for target in MEASURE["transfer"]["nets"]
        }
        write_npz(folder / f"outcomes/transfer/{name}.npz", arrays)
    (folder / "nets").mkdir()
    (folder / "nets/nets.json").write_text(json.dumps({"device": "cpu", "nets": rows}), encoding="utf-8")
    return tmp_path


def run_stage(monkeypatch, folder: Path, name: str, *arguments: str) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", [f"{name}.py", *arguments, "--params", "params.yaml"])
    runpy.run_path(str(ROOT / f"stages/{name}.py"), run_name="__main__")


@pytest.fixture
def study(measured, monkeypatch) -> Path:
    """The tables of that set, beside those of one over a grid, as the stages write them."""
    fit = {"min_errors": 5, "max_error": 0.5, "bootstrap": 100, "confidence": 0.95, "headline": []}
    params = {"study": "small", "seed": 0, "attacks": ATTACKS.model_dump(exclude_none=True), "fit": fit}
    params |= {"workers": {"backend": "loky", "processes": 1}, "trials": {"set": SET}}
    (measured / "params.yaml").write_text(json.dumps(params), encoding="utf-8")
    run_stage(monkeypatch, measured, "trials_tables", "set")
    plots = measured / "plots/small"
    write_table(plots / "trials/sets.csv", [{"set": name, "kind": "varied"} for name in ("set", "grid")])
    over_grid = {"net": "plain", "attack": "fgsm", "grid_eps": 4.0, "difference": 0.1}
    row = {**over_grid, "baseline": "x", "difference_low": 0.0, "difference_high": 0.2}
    write_table(plots / "trials/grid/differences.csv", [row])
    write_table(plots / "trials/grid/nets.csv", [], ["net", "attack", "test_accuracy", "target", "arch"])
    shutil.copytree(ROOT / "claims", measured / "claims")
    return measured


def test_a_stage_writes_all_tables_of_a_set_and_a_diverged_net_is_in_nets_alone(study):
    folder = study / "plots/small/trials/set"
    names = ("accuracy", "differences", "leaking", "nets", "replicates", "transfer", "transfer_methods")
    assert sorted(path.stem for path in folder.iterdir()) == list(names)
    found = {name: read_csv(folder / f"{name}.csv") for name in names}
    assert {name: len(rows) for name, rows in found.items()} == {
        "accuracy": 4 * 7, "differences": 2 * 7, "leaking": 4 * 2, "nets": 5, "replicates": 7, "transfer": 4 * 2,
        "transfer_methods": 2 + 1,
    }  # fmt: skip
    lost = found["nets"][-1]
    assert (lost["net"], lost["diverged"], lost["collapsed"], lost["test_accuracy"]) == ("lost", "true", "false", "")
    assert all("lost" not in row.values() for name in names if name != "nets" for row in found[name])
    assert {row["kind"] for row in found["replicates"]} == {"adversarial"}  # one plain net tells nothing
    against_plain = [row["seeds_low"] for row in found["differences"] if row["baseline"] == "plain"]
    against_step_ll = [row["seeds_low"] for row in found["differences"] if row["baseline"] == "step_ll"]
    assert set(against_plain) == {""}
    assert "" not in against_step_ll


def test_every_table_is_described_for_a_comparison_and_its_keys_name_one_row(study):
    for path in (study / "plots/small/trials/set").glob("*.csv"):
        rows = read_csv(path)
        described = table("small", f"trials/set/{path.stem}", list(rows[0]))
        named = {*described.key, *described.intervals, *(end for ends in described.intervals.values() for end in ends)}
        assert named <= rows[0].keys(), path.stem
        if path.stem != "nets":  # errors at eps are those of sets over a grid
            assert {*described.shares, *described.shares.values()} <= rows[0].keys(), path.stem
        keyed(path.stem, described, rows)
    of_grid = table("small", "trials/grid/differences", ["net", "baseline", "attack", "grid_eps"])
    assert of_grid.key[-1] == "grid_eps"


def test_what_reads_sets_copes_with_those_without_exponents(study, monkeypatch):
    plots = study / "plots/small"
    tables = read_tables(plots, "trials/")
    accuracy = tables.of_sets("accuracy")
    assert set(accuracy["set"]) == {"set"}
    assert math.isnan(accuracy["ratio"].iloc[0])
    assert set(tables.of_sets("differences", "grid_eps")["set"]) == {"grid"}
    assert set(tables.of_sets("differences", "seeds_low")["set"]) == {"set"}
    assert len(tables.of_sets("nets", "collapsed")) == 5
    shown = {one.name: one.shown(tables) for one in TABLES}
    assert [row[0] for row in shown["differences"].rows] == ["grid"]
    for name in ("curves", "error_curves"):
        write_table(plots / f"{name}.csv", [], ["curve"])
    run_stage(monkeypatch, study, "laws")
    assert read_csv(plots / "laws/pooled.csv") == []


def test_a_set_without_transfer_or_replicates_or_pairs_has_tables_all_the_same(measured):
    nets = json.loads((measured / "data/small/trials/set/nets/nets.json").read_text("utf-8"))["nets"][:2]
    how = AtEps.model_validate({"eps": [4.0, 8.0], "attacks": [FGSM]})
    write_at_eps(
        measured / "out",
        nets,
        measured / "data/small/trials/set/outcomes",
        how,
        ATTACKS,
        0.95,
        np.random.default_rng(0),
    )
    tables = read_tables(measured, "out/")
    assert set(tables.frames) == {
        f"out/{name}" for name in ("accuracy", "differences", "leaking", "nets", "replicates")
    }
    assert tables.rows("out/replicates").empty
    assert tables.rows("out/leaking").empty
    assert tables.rows("out/differences")["seeds_low"].isna().all()


def test_a_collapsed_net_is_left_out_of_the_transfer_rates_of_all_nets_together(measured):
    """Beside it but one net is left, which transfers to none."""
    nets = json.loads((measured / "data/small/trials/set/nets/nets.json").read_text("utf-8"))["nets"][:2]
    outcomes = measured / "data/small/trials/set/outcomes"
    arrays = dict(read_npz(outcomes / "plain.npz"))
    write_npz(outcomes / "plain.npz", arrays | {"clean/rank": np.full(1000, 9, np.uint8)})
    how = settings().measure
    write_at_eps(measured / "out", nets, outcomes, how, ATTACKS, 0.95, np.random.default_rng(0))
    tables = read_tables(measured, "out/")
    assert list(tables.rows("out/nets")["collapsed"]) == [True, False]
    assert len(tables.rows("out/transfer")) == 4 * 2
    assert tables.rows("out/transfer_methods").empty
