"""Published nets on photographs: clean accuracies beside the published ones, and every two on the same images."""

import numpy as np
import pytest
from conftest import one_step
from photographs import NETS, Net
from scipy.stats import binom
from small_tables import FIT
from test_fitting import planted

from advlaw.core.tables import read_table, records
from advlaw.evaluation.settings import Sweep
from advlaw.fitting.fit import Fitted
from advlaw.fitting.outcomes import outcomes
from advlaw.fitting.paired import difference
from advlaw.fitting.proportions import paired_difference, wilson
from advlaw.tables.curves import OF_PUBLISHED, CurveTables, SweptCurve
from advlaw.tables.published import AT, Errors, PublishedTables, mean, pair_rows

NOTHING = {"n_zero_gradient": 0, "n_not_finite": 0}


def arrays(seed, a=0.5, n=1000, **more):
    return planted(np.random.default_rng(seed), n, a, 1.0, 0.8) | more


def curve(net, attack="fgsm", split="test", snapshot=None):
    sweep = Sweep(model=net, split=split, family="one_step", attacks=[attack])
    return SweptCurve(net, attack, snapshot, sweep, one_step(), NOTHING)


def written(folder, rows, curves):
    made = PublishedTables(rows, 0.95)
    for about, found in curves:
        made.add(about, found)
    made.write(folder)
    return (records(read_table(folder / f"{name}.csv")) for name in ("nets", "pairs"))


def test_a_net_has_its_clean_accuracies_with_intervals_beside_the_published_one(tmp_path):
    rows = [net.row("imagenet sample") for net in NETS]
    nets, _ = written(tmp_path, rows, [(curve("nasnet", "l2"), arrays(0))])
    first, second, robust = nets
    assert (first["network"], first["holds"], first["n_images"]) == ("nasnetalarge.tf_in1k", "imagenet sample", 1000)
    assert (first["top1"], first["top1_low"], first["top1_high"]) == pytest.approx((0.82, *wilson(820, 1000, 0.95)))
    assert (first["top5"], first["top5_low"], first["top5_high"]) == pytest.approx((0.97, *wilson(970, 1000, 0.95)))
    assert first["published_accuracy"] == 0.81
    assert np.isnan([second["n_images"], second["top1_low"], second["top5_high"]]).all()  # nothing attacks it
    assert second["top1"] == 0.78
    assert (robust["defence"], robust["stands_for"]) == ("ensemble adversarial", "Inception-ResNet v2")


def test_every_two_nets_of_a_data_set_are_paired_under_each_attack_at_two_eps(tmp_path):
    rows = [net.row("imagenet sample") for net in NETS] + [Net("here", 0.9, 1.0, 1.0).row(None)]
    other_data = Net("alone", 0.7, 1.0, 1.0).row("images") | {"dataset": "other"}
    curves = [(curve(net.name, attack), arrays(i)) for attack in ("fgsm", "step_ll") for i, net in enumerate(NETS)]
    curves += [(curve("here"), arrays(7)), (curve("alone"), arrays(8)), (curve("nasnet", "l2"), arrays(0))]
    curves += [(curve("robust", split="train"), arrays(9, n=30)), (curve("robust", snapshot=0.9), arrays(9, n=30))]
    nets, pairs = written(tmp_path, [*rows, other_data], curves)
    assert [row["net"] for row in nets] == ["nasnet", "inception", "robust", "alone"]
    named = [("nasnet", "inception"), ("nasnet", "robust"), ("inception", "robust")]
    wanted = [(*pair, attack, at) for attack in ("fgsm", "step_ll") for pair in named for at in AT]
    assert [(row["net"], row["other"], row["attack"], row["at"]) for row in pairs] == wanted


def test_studies_without_a_folder_have_empty_tables(tmp_path):
    nets, pairs = written(tmp_path, [Net("here", 0.9, 1.0, 1.0).row(None)], [(curve("here"), arrays(0))])
    assert (list(nets), list(pairs)) == ([], [])
    assert len((tmp_path / "pairs.csv").read_text("utf-8").splitlines()) == 1


def test_errors_of_a_pair_are_counted_at_the_nearest_eps_over_images_that_both_have_numbers_for():
    one, other = arrays(1, not_finite=np.arange(1000) < 10), arrays(2, not_finite=np.arange(1000) > 979)
    small, large = pair_rows(Errors.of(one), Errors.of(other), 0.95)
    assert (small["at"], large["at"]) == AT
    judged = slice(10, 980)
    for row in (small, large):
        i = int(np.abs(np.log(one["eps"] / row["at"])).argmin())
        assert row["eps"] == one["eps"][i]
        assert row["n_images"] == 970
        wrong = [(found["prediction"][i] != 0)[judged] for found in (one, other)]
        before = [(found["clean_prediction"] != 0)[judged] for found in (one, other)]
        assert (row["error"], row["error_other"]) == pytest.approx([now.mean() for now in wrong])
        nets = [now.mean() - was.mean() for now, was in zip(wrong, before, strict=True)]
        assert (row["net_error"], row["net_error_other"]) == pytest.approx(nets)
        assert row["difference"] == pytest.approx(wrong[0].mean() - wrong[1].mean())
        assert row["net_difference"] == pytest.approx(nets[0] - nets[1])
        assert row["net_difference_low"] <= row["net_difference"] <= row["net_difference_high"]


def test_intervals_of_paired_means_are_those_of_paired_proportions_and_hold_what_they_say():
    rng, held = np.random.default_rng(0), 0
    for _ in range(200):
        shared = rng.uniform(size=2000)
        one, other = (shared + 0.1 * rng.uniform(size=2000) < 0.3 + shift for shift in (0.01, 0.0))
        found = difference(mean(one.astype(float)), mean(other.astype(float)), 0.95)
        assert found == pytest.approx(paired_difference(one, other, 0.95), abs=0.002)
        held += found[1] <= 0.01 <= found[2]
    assert binom.ppf(0.001, 200, 0.95) <= held <= binom.ppf(0.999, 200, 0.95)


def test_equal_nets_do_not_differ():
    same = Errors.of(arrays(1))
    for row in pair_rows(same, same, 0.95):
        assert (row["difference"], row["net_difference_low"], row["net_difference_high"]) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("other", [{"label": np.ones(1000, int)}, {"eps": np.geomspace(0.02, 64, 40)}])
def test_nets_that_saw_other_images_are_not_compared(other):
    found = arrays(2) | other
    if len(found["eps"]) != len(arrays(1)["eps"]):
        found["prediction"] = found["prediction"][: len(found["eps"])]
    with pytest.raises(ValueError, match="attacked on other images, or at other eps: sweep both again"):
        pair_rows(Errors.of(arrays(1)), Errors.of(found), 0.95)


def test_models_and_curves_say_what_published_nets_are_and_nothing_of_nets_trained_here(tmp_path):
    here = {name: cell for name, cell in Net("here", 0.9, 1.0, 1.0).row(None).items() if name not in OF_PUBLISHED}
    tables = CurveTables([NETS[2].row("imagenet sample"), here], FIT)
    for net in ("robust", "here"):
        tables.add(curve(net), Fitted(outcomes(arrays(1)), FIT, np.random.default_rng(0)))
    tables.write(tmp_path)
    robust, own = records(read_table(tmp_path / "models.csv"))
    names = ("holds", "network", "stands_for")
    wanted = ("imagenet sample", "inception_resnet_v2.tf_ens_adv_in1k", "Inception-ResNet v2")
    assert tuple(robust[name] for name in names) == wanted
    assert (robust["published_accuracy"], robust["test_top5_accuracy"]) == pytest.approx((0.76, 0.92))
    assert tuple(own[name] for name in names) == ("", "", "")
    assert np.isnan([own["published_accuracy"], own["test_top5_accuracy"]]).all()
    rows = records(read_table(tmp_path / "curves.csv"))
    assert [(row["holds"], row["stands_for"]) for row in rows] == [(wanted[0], wanted[2]), ("", "")]
