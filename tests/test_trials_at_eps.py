"""Varied sets measured at a few eps: their section, what is kept of every net, and images handed from net to net."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SIZES, make_net, one_step, pgd_attack

from advlaw.attacks.settings import Attacks, Grid
from advlaw.core.code import sha256
from advlaw.core.dataset import Dataset, write_dataset
from advlaw.core.examples import read_examples
from advlaw.core.io import read_npz
from advlaw.core.section import ParamsError, validate
from advlaw.core.workers import Pool, Workers
from advlaw.evaluation.ranks import Method, clean_ranks, ranks, transferred_ranks
from advlaw.evaluation.sweep import Randomness
from advlaw.models.store import packed
from advlaw.trials import at_eps, transfer
from advlaw.trials.at_eps import EpsPlan, measure_at_eps
from advlaw.trials.outcomes import outcomes
from advlaw.trials.plan import Measured, Setting
from advlaw.trials.settings import AtEps, TrialSet
from advlaw.trials.transfer import TransferPlan, measure_transfer

FGSM, STEP_RND = one_step(clip=True), one_step("sign", "random_class", clip=True)
PGD = pgd_attack(steps=3, random_start=True, restarts=2, clip=True)
ATTACKS = {"one_step.fgsm": FGSM, "one_step.step_rnd": STEP_RND, "iterative.pgd": PGD}
EPS = (2.0, 8.0, 32.0)
TRANSFER = {"nets": ["linear", "fc", "cnn"], "attacks": ["one_step.fgsm", "iterative.pgd"], "images": 40}
MEASURE = {"eps": list(EPS), "attacks": list(ATTACKS), "images": 90, "iterative_images": 30, "transfer": TRANSFER}
GRID = Grid(eps_min=0.5, eps_max=64.0, count=4)


def varied(measure: dict) -> TrialSet:
    values = {
        "dataset": "patterns",
        "base": {"arch": "linear", "epochs": 1, "learning_rate": 0.1},
        "nets": {"linear": {}, "fc": {"seed": 1}, "cnn": {"seed": 2}},
        "measure": measure,
    }
    return validate(values, TrialSet, Path("params.yaml"), "trials.set")


def test_a_set_is_measured_at_a_few_eps_if_it_names_them():
    how = varied(MEASURE).measure
    assert isinstance(how, AtEps)
    assert [how.images_under(key) for key in ATTACKS] == [90, 90, 30]
    few = varied({"eps": [4.0], "attacks": list(ATTACKS), "images": 50}).measure
    assert [few.images_under(key) for key in ATTACKS] == [50, 50, 50]
    every = varied({"eps": [4.0], "attacks": list(ATTACKS)}).measure
    assert [every.images_under(key) for key in ATTACKS] == [None, None, None]
    assert every.transfer is None
    assert not isinstance(varied({"attacks": ["one_step.fgsm"], "reference_eps": [8.0]}).measure, AtEps)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"eps": [8.0, 4.0]}, "trials.set.measure.eps: [8.0, 4.0]: must rise"),
        ({"eps": [4.0, 4.0]}, "trials.set.measure.eps: [4.0, 4.0]: must rise"),
        ({"eps": []}, "trials.set.measure.eps: List should have at least 1 item"),
        ({"eps": [0.0, 1.0]}, "trials.set.measure.eps[0] = 0.0: should be greater than 0"),
        ({"eps": [256.0]}, "trials.set.measure.eps[0] = 256.0: should be less than or equal to 255"),
        ({"eps": 4.0}, "trials.set.measure.eps = 4.0: should be a valid list"),
        ({"attacks": []}, "trials.set.measure.attacks: List should have at least 1 item"),
        ({"attacks": ["fgsm"]}, "trials.set.measure.attacks[0] = 'fgsm': String should match pattern"),
        ({"images": 5}, "trials.set.measure.images = 5: should be greater than or equal to 10"),
        ({"iterative_images": 5}, "trials.set.measure.iterative_images = 5: should be greater than or equal to 10"),
        ({"iterative_images": 91}, "trials.set.measure: iterative_images = 91: must not exceed images = 90"),
        ({"image": 50}, "trials.set.measure: unknown key 'image'; did you mean 'images'? allowed: eps, attacks"),
        ({"grid": {}}, "trials.set.measure: unknown key 'grid'; allowed: eps, attacks"),
        ({"reference_eps": [8.0]}, "trials.set.measure: unknown key 'reference_eps'; allowed: eps, attacks"),
        ({"transfer": {}}, "trials.set.measure.transfer.nets: missing key"),
        ({"transfer": {**TRANSFER, "nets": ["fc"]}}, "measure.transfer.nets: List should have at least 2 items"),
        (
            {"transfer": {**TRANSFER, "nets": ["fc", "cnn", "fc"]}},
            "trials.set.measure.transfer: nets = ['fc', 'cnn', 'fc']: lists fc twice; remove one",
        ),
        (
            {"transfer": {**TRANSFER, "nets": ["fc", "cn"]}},
            "trials.set: measure.transfer.nets = 'cn': must be a net of the set: cnn, fc, linear",
        ),
        ({"transfer": {**TRANSFER, "attacks": ["x.y"]}}, "measure.transfer.attacks[0] = 'x.y': String should match"),
        ({"transfer": {**TRANSFER, "images": 9}}, "measure.transfer.images = 9: should be greater than or equal"),
        ({"transfer": {**TRANSFER, "eps": [1.0]}}, "measure.transfer: unknown key 'eps'; allowed: nets, attacks, im"),
    ],
)  # fmt: skip
def test_a_mistake_in_how_is_one_line_that_names_its_key(change, message):
    with pytest.raises(ParamsError) as caught:
        varied({**MEASURE, **change})
    lines = str(caught.value).splitlines()
    assert all(line.startswith("params.yaml: trials.set") for line in lines)
    assert any(message in line for line in lines), str(caught.value)
    assert len(lines) == (3 if change == {"transfer": {}} else 1)


def test_without_eps_the_mistakes_are_those_of_a_grid():
    with pytest.raises(ParamsError) as caught:
        varied({"attacks": ["one_step.fgsm"]})
    assert str(caught.value) == "params.yaml: trials.set.measure.reference_eps: missing key"


@pytest.fixture(scope="module")
def setting(tmp_path_factory) -> Setting:
    """100 test images of noise in ten classes, a fifth of the pixels at 0 or 255."""
    rng = np.random.default_rng(1)
    images = np.clip(rng.integers(-40, 296, size=(120, 1, 8, 8)), 0, 255).astype(np.uint8)
    labels = np.r_[rng.integers(10, size=119), 9]
    splits = dict(zip(("train", "validation", "test"), np.split(np.arange(120), (10, 20)), strict=True))
    path = tmp_path_factory.mktemp("data") / "noise.npz"
    write_dataset(path, Dataset(images, labels, splits))
    return Setting(path, sha256(path), 0, "cpu", portable=True)


@pytest.fixture(scope="module")
def nets(tmp_path_factory) -> list[Measured]:
    folder = tmp_path_factory.mktemp("nets")
    for arch in SIZES:
        (folder / arch).write_bytes(packed(make_net(arch, scale=3.0).state_dict()))
    about = {"image_shape": (1, 8, 8), "n_classes": 10}
    return [Measured(arch, {"arch": arch, **about, **sizes}, folder / arch) for arch, sizes in SIZES.items()]


@pytest.fixture(scope="module")
def plan(setting) -> EpsPlan:
    under = {"one_step.fgsm": 90, "one_step.step_rnd": 90, "iterative.pgd": 30}
    return EpsPlan(setting, ATTACKS, EPS, 90, under)


@pytest.fixture(scope="module")
def shown(setting, nets) -> TransferPlan:
    attacks = {key: ATTACKS[key] for key in TRANSFER["attacks"]}
    return TransferPlan(setting, attacks, EPS, 40, tuple(nets))


def arrays_of(content: bytes, folder: Path) -> dict[str, np.ndarray]:
    (folder / "outcomes.npz").write_bytes(content)
    return read_npz(folder / "outcomes.npz")


def method(key: str) -> Method:
    return Method(key.partition(".")[0], ATTACKS[key], EPS, Randomness(0, ("trials", key)))


def test_what_is_kept_of_a_net_are_the_ranks_of_the_first_images(setting, plan, nets, tmp_path):
    content = measure_at_eps(plan, nets[1])
    assert measure_at_eps(plan, nets[1]) == content
    found = arrays_of(content, tmp_path)
    parts = {f"{key}/{name}" for key in ATTACKS for name in ("rank", "not_finite")}
    assert found.keys() == {"eps", "label", "clean/rank"} | parts
    test = read_examples(setting.dataset, "test", torch.device("cpu"))
    np.testing.assert_array_equal(found["eps"], EPS)
    np.testing.assert_array_equal(found["label"], test.labels[:90])
    net = make_net("fc", scale=3.0)
    np.testing.assert_array_equal(found["clean/rank"], clean_ranks(net, test.images, test.labels)[:90])
    for key, n_images in plan.under.items():
        some = test.first(n_images)
        expected = ranks(net, some.images, some.labels, method(key))
        assert expected["rank"].shape == (3, n_images)
        for name, values in expected.items():
            np.testing.assert_array_equal(found[f"{key}/{name}"], values)


def test_an_image_that_is_no_number_when_clean_is_not_finite_under_any_attack(plan, nets, tmp_path):
    """Whatever the attack then makes of it."""
    weights = make_net("fc", scale=3.0).state_dict()
    weights["head.layer.bias"] = weights["head.layer.bias"] * np.nan
    path = tmp_path / "net"
    path.write_bytes(packed(weights))
    found = arrays_of(measure_at_eps(plan, replace(nets[1], path=path)), tmp_path)
    assert (found["clean/rank"] == 255).all()
    assert all(found[f"{key}/not_finite"].all() for key in ATTACKS)


def test_what_is_kept_of_a_source_are_the_ranks_of_all_nets_on_its_images(setting, shown, nets, tmp_path):
    content = measure_transfer(shown, nets[1])
    assert measure_transfer(shown, nets[1]) == content
    found = arrays_of(content, tmp_path)
    names = [net.name for net in nets]
    parts = {f"{key}/{name}/rank" for key in ("clean", *shown.attacks) for name in names}
    assert found.keys() == {"eps"} | parts
    test = read_examples(setting.dataset, "test", torch.device("cpu")).first(40)
    built = {name: make_net(name, scale=3.0) for name in names}
    for key in shown.attacks:
        expected = transferred_ranks(built["fc"], built, test.images, test.labels, method(key))
        for name in names:
            assert expected[f"{name}/rank"].shape == (3, 40)
            np.testing.assert_array_equal(found[f"{key}/{name}/rank"], expected[f"{name}/rank"])
    for name in names:
        np.testing.assert_array_equal(found[f"clean/{name}/rank"], clean_ranks(built[name], test.images, test.labels))


def test_a_source_s_own_ranks_are_those_of_the_net_by_itself(plan, shown, nets, tmp_path):
    alone = arrays_of(measure_at_eps(plan, nets[2]), tmp_path)
    found = arrays_of(measure_transfer(shown, nets[2]), tmp_path)
    for key in shown.attacks:
        n_images = min(plan.under[key], 40)
        np.testing.assert_array_equal(found[f"{key}/cnn/rank"][:, :n_images], alone[f"{key}/rank"][:, :n_images])


def other_weights(net: Measured, folder: Path) -> Measured:
    path = folder / "other"
    path.write_bytes(packed(make_net(net.name, scale=2.0).state_dict()))
    return replace(net, path=path)


def test_outcomes_at_eps_have_a_key_of_all_that_decides_them_and_of_no_name(plan, nets, tmp_path):
    net = nets[1]
    first = at_eps.path_of(net, plan)
    changes = [
        {"eps": (2.0, 8.0)},
        {"images": None},
        {"under": {**plan.under, "iterative.pgd": 40}},
        {"attacks": {"one_step.fgsm": FGSM}},
        {"attacks": dict(reversed(ATTACKS.items()))},  # as are the arrays in the file
        {"attacks": {**ATTACKS, "one_step.fgsm": one_step()}},
        *({"setting": replace(plan.setting, **change)} for change in ({"seed": 1}, {"data": "x"}, {"portable": False})),
    ]
    others = {at_eps.path_of(net, replace(plan, **change)) for change in changes}
    others.add(at_eps.path_of(other_weights(net, tmp_path), plan))
    assert len(others | {first}) == len(changes) + 2
    assert at_eps.path_of(replace(net, name="other"), plan) == first


def test_a_source_s_outcomes_have_a_key_of_all_nets(shown, nets, tmp_path):
    """Their names among it, which are in the file."""
    first = transfer.path_of(nets[0], shown)
    changed = other_weights(nets[2], tmp_path)
    others = {
        transfer.path_of(nets[1], shown),
        transfer.path_of(nets[0], replace(shown, nets=(*nets[:2], changed))),
        transfer.path_of(nets[0], replace(shown, nets=tuple(nets[:2]))),
        transfer.path_of(nets[0], replace(shown, nets=(*nets[:2], replace(nets[2], name="d")))),
        transfer.path_of(nets[0], replace(shown, images=50)),
        transfer.path_of(nets[0], replace(shown, eps=(2.0,))),
    }
    assert len(others | {first}) == 7


def all_outcomes(processes: int, nets: list[Measured], setting: Setting, measure: dict) -> dict[str, bytes]:
    families = {"one_step": {}, "iterative": {}, "apgd": {}, "query": {}}
    for key, attack in ATTACKS.items():
        family, _, name = key.partition(".")
        families[family][name] = attack
    how = varied(measure).measure
    with Pool(Workers(backend="loky", processes=processes)) as pool:
        found = outcomes(pool, nets, setting, Attacks(**families), how, GRID)
    return {file: path.read_bytes() for file, path in found.items()}


def test_the_number_of_workers_changes_no_byte(setting, plan, shown, nets, monkeypatch, tmp_path):
    found = {}
    for processes in (1, 2):
        monkeypatch.setenv("DVC_ROOT", str(tmp_path / str(processes)))
        found[processes] = all_outcomes(processes, nets, setting, MEASURE)
    assert found[1] == found[2]
    expected = {net.name: measure_at_eps(plan, net) for net in nets}
    expected |= {f"transfer/{net.name}": measure_transfer(shown, net) for net in nets}
    assert found[1] == expected


def test_what_is_kept_is_not_measured_again_and_a_diverged_net_is_left_out_and_said(
    setting, nets, monkeypatch, tmp_path, capsys
):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    first = all_outcomes(1, nets[:2], setting, MEASURE)
    assert first.keys() == {"linear", "fc", "transfer/linear", "transfer/fc"}
    said = capsys.readouterr().out
    assert "transfer: cnn is left out; its training diverged" in said
    again = all_outcomes(1, nets, setting, MEASURE)
    assert {name: again[name] for name in ("linear", "fc")} == {name: first[name] for name in ("linear", "fc")}
    said = capsys.readouterr().out
    assert "attack nets: 2 of 3 are there already" in said
    assert "left out" not in said
    assert "transfer: " not in said  # each target is in every source's file
    all_outcomes(1, nets, setting, {**MEASURE, "transfer": {**TRANSFER, "images": 30}})
    assert "attack nets: 3 of 3 are there already" in capsys.readouterr().out


def test_without_transfer_there_is_a_file_of_every_net_alone(setting, nets, monkeypatch, tmp_path):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    measure = {key: value for key, value in MEASURE.items() if key != "transfer"}
    assert all_outcomes(1, nets[:1], setting, measure).keys() == {"linear"}
