"""An audit's folder: nothing of an earlier run stays in it, nothing of a person's own goes, one model has it."""

import json
import os
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from advlaw.audit import stages as audit_stages
from advlaw.audit.folder import HEADER, check_folder, net_name
from advlaw.audit.stages import Host, Stage, is_done, outputs, remember, take_back
from advlaw.core.io import write_text

ROOT = Path(__file__).parents[1]


@pytest.fixture
def stages(tmp_path, monkeypatch):
    """Stages that write what `plans` says, as paths with their text; where that is ! they are interrupted."""
    plans: dict[str, dict[str, str]] = {}

    def run(host, stage):
        for path, text in plans[" ".join(stage)].items():
            if text == "!":
                raise KeyboardInterrupt
            write_text(host.folder / path, text)

    monkeypatch.setattr(Host, "run", run)
    return plans


def run_stage(folder: Path, stage: Stage, state: str) -> None:
    with Host(folder) as host:
        audit_stages.run_stage(host, "net", stage, state)


def files(folder: Path) -> set[str]:
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {path for path in found if not path.startswith(".done")}


def test_outputs_are_those_of_the_pipeline():
    assert outputs(["sweep", "pgd"], "net") == ["data/net/sweeps/pgd"]
    assert outputs(["provenance", "images"], "net") == ["plots/net/provenance/images.csv"]
    assert outputs(["figures"], "net") == ["plots/net/figures"]
    assert "plots/net/exponents.csv" in outputs(["fit"], "net")
    assert outputs(["report"], "net") == ["plots/net/report.html"]
    for stage in YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]:
        assert not any("$" in place for place in outputs([stage, "x"], "net")), stage


def test_what_an_outdated_stage_wrote_goes_and_all_else_stays(tmp_path, stages):
    stages["sweep pgd"] = {"data/net/sweeps/pgd/pgd.npz": "1"}
    stages["figures"] = {"plots/net/figures/one.svg": "1", "plots/net/figures/two.svg": "1"}
    write_text(tmp_path / "plots/net/figures/mine.svg", "a person's own, from before")
    os.utime(tmp_path / "plots/net/figures/mine.svg", (1, 1))
    for stage in (["sweep", "pgd"], ["figures"]):
        run_stage(tmp_path, stage, "aa11")
    write_text(tmp_path / "plots/net/notes.csv", "a person's own")
    write_text(tmp_path / "plots/net/figures/added.svg", "a person's own, of after")
    assert [is_done(tmp_path, ["figures"], state) for state in ("aa11", "aa", "aa1122")] == [True, True, False]
    assert take_back(tmp_path, "aa") == take_back(tmp_path, "aa1122") == 0
    assert take_back(tmp_path, "bb") == 3
    assert files(tmp_path) == {"plots/net/notes.csv", "plots/net/figures/mine.svg", "plots/net/figures/added.svg"}
    assert not (tmp_path / "data").exists()
    assert not is_done(tmp_path, ["figures"], "aa")
    assert not list((tmp_path / ".done").iterdir())


def test_a_stage_that_runs_anew_first_removes_what_it_wrote(tmp_path, stages):
    stages["figures"] = {"plots/net/figures/one.svg": "1", "plots/net/figures/two.svg": "1"}
    run_stage(tmp_path, ["figures"], "aa")
    stages["figures"] = {"plots/net/figures/two.svg": "2"}
    run_stage(tmp_path, ["figures"], "aa")
    assert files(tmp_path) == {"plots/net/figures/two.svg"}


def test_what_an_interrupted_stage_left_goes(tmp_path, stages):
    stages["figures"] = {"plots/net/figures/one.svg": "1", "plots/net/figures/two.svg": "!"}
    with pytest.raises(KeyboardInterrupt):
        run_stage(tmp_path, ["figures"], "aa")
    assert files(tmp_path) == {"plots/net/figures/one.svg"}
    assert not is_done(tmp_path, ["figures"], "aa")
    assert take_back(tmp_path, "aa") == 0  # of no audit that had ended
    assert files(tmp_path) == set()


def test_files_that_no_stage_writes_are_remembered_too(tmp_path):
    write_text(tmp_path / "plots/net/claims.csv", "x")
    remember(tmp_path, "prepared", "aa", [tmp_path / "plots/net/claims.csv"])
    assert take_back(tmp_path, "bb") == 1
    assert not (tmp_path / "plots").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"state": "aa"}', "null"])
def test_a_damaged_marker_counts_as_none(tmp_path, text):
    write_text(tmp_path / ".done/figures.json", text)
    write_text(tmp_path / "plots/net/figures/one.svg", "x")
    assert not is_done(tmp_path, ["figures"], "bb")
    take_back(tmp_path, "bb")
    assert files(tmp_path) == {"plots/net/figures/one.svg"}


@pytest.mark.parametrize(
    ("model", "arguments", "name"),
    [
        ({"module": "mine.nets:lenet"}, {}, "lenet"),
        ({"file": "/nets/lenet-5.pt2"}, {}, "lenet-5"),
        ({"name": "mobilenetv2_100"}, {}, "mobilenetv2_100"),
        ({"name": "inception_v3.tf_in1k"}, {}, "inception_v3_tf_in1k"),
        ({"module": "timm:create_model"}, {"model_name": "resnet18"}, "create_model_resnet18"),
        ({"module": "mine:summary"}, {}, "summary_net"),  # whose folder would be that of all studies
        ({"module": "mine:__"}, {}, "model"),
    ],
)
def test_nets_are_called_by_timm_or_their_factory_and_by_arguments_that_are_text(model, arguments, name):
    assert net_name({**model, "arguments": arguments}) == name


def test_nets_of_other_arguments_have_other_names():
    given = [{"model_name": "vit.augreg", "num_classes": n} for n in (7, 8)] + [
        {"width": 3},
        {"width": 3, "bias": True},
    ]
    names = [net_name({"module": "timm:create_model", "arguments": arguments}) for arguments in given]
    assert len(set(names)) == 4
    assert all(name.startswith("create_model_vit_augreg_") for name in names[:2])
    timm = [net_name({"name": name, "arguments": {"in_chans": n}}) for name in ("a", "b") for n in (1, 3)]
    assert len(set(timm)) == 4


def test_long_names_are_cut_and_still_differ():
    names = {net_name({"module": "mine:net", "arguments": {"path": "x" * 200 + end}}) for end in "ab"}
    assert len(names) == 2
    assert {len(name) for name in names} == {60}


def entry(**changes) -> dict:
    usual = {"arch": "own_module", "module": "timm:create_model", "arguments": {"depth": 2}, "weights": "/w/a.pt"}
    return {**usual, **changes}


def write_audit(folder: Path) -> None:
    text = json.dumps({"pretrained_models": {"net": {"dataset": "images", **entry()}}})
    write_text(folder / "params.yaml", HEADER + text)
    write_text(folder / ".done/pretrained_net.json", '{"state": "a", "files": []}')


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"module": "mine:net"}, "holds an audit of timm:create_model; give another --out, or remove this folder"),
        ({"weights": "/w/b.pt"}, "holds an audit of timm:create_model with the weights /w/a.pt; give another --out"),
        ({"weights": None}, "with the weights /w/a.pt; give another --out"),
        ({"arch": "timm", "name": "a", "module": None}, "holds an audit of timm:create_model; give another --out"),
        ({"arguments": {"depth": 3}}, "with --arguments '{\"depth\": 2}'; give another --out"),
    ],
)
def test_the_folder_of_another_model_is_refused(tmp_path, changes, message):
    write_audit(tmp_path)
    check_folder(tmp_path, entry())
    with pytest.raises(ValueError, match=f"^--out {tmp_path}: holds") as caught:
        check_folder(tmp_path, entry(**changes))
    assert message in str(caught.value)


def test_the_folder_of_an_audit_that_never_took_its_model_is_anybodys(tmp_path):
    write_audit(tmp_path)
    (tmp_path / ".done/pretrained_net.json").unlink()
    check_folder(tmp_path, entry(module="mine:nett"))


@pytest.mark.parametrize("text", ["pretrained_models: [", "pretrained_models: {}", "x: 1", "pretrained_models: {a: 1}"])
def test_the_folder_of_a_damaged_audit_is_named(tmp_path, text):
    write_audit(tmp_path)
    write_text(tmp_path / "params.yaml", HEADER + text)
    with pytest.raises(
        ValueError, match=r"params\.yaml: was changed and no longer describes an audit; give another --out, or remove"
    ):
        check_folder(tmp_path, entry())
