"""Claims about ImageNet: judged on the papers' own nets and validation images, scaled on others, else not run."""

import pytest
from claim_laws import around, exponent
from claim_tables import JUDGES, a_study, model, official, point, verdict

from advlaw.papers.imagenet import CUBUK, KURAKIN, NASNET

V3, V3_ADV = KURAKIN
SAMPLE = {"holds": "imagenet sample"}
STAND_IN = {"network": "inception_resnet_v2.tf_ens_adv_in1k", "stands_for": "Inception-ResNet v2, adv. tr."}
DEFENDED = {"defence": "adversarial"}


def swept(net, rows, **about):
    """A net's curves, and its line of models; `about` is what the params say of it."""
    cells = {name: about[name] for name in ("holds", "stands_for", "dataset")} | {"defence": about.get("defence", "")}
    table = "error_curves" if "net_error" in rows[0] else "laws/exponents"
    return {table: [row | cells for row in rows], "models": [model(net, 0.78, **about)]}


def law(attack):
    return lambda b, half, **about: swept("net", [exponent(attack, b, half, sweep="net")], **about)


def error(value, half, **about):
    rows = [point("net/fgsm", eps, 0.78 - value, value, half) for eps in (0.2, 8.0)]
    return swept("net", rows, **about)


def rises(step, half, **about):
    """Accuracies under FGSM at Kurakin's eps, with one step up, of images so many that their interval is as wide."""
    n = round(0.25 * (1.96 / half) ** 2)
    accuracies = zip((2.0, 4.0, 8.0, 16.0), (0.5, 0.5 + step, 0.4, 0.3), strict=True)
    return swept("net", [point("net/fgsm", eps, right, n_images=n) for eps, right in accuracies], **about)


def pairs(gain, half, turned=False, nasnet=NASNET, **about):
    """NASNet-A, a worse net and a defended one whose net error at eps = 0.2 is larger by `gain` than NASNet-A's."""
    nets = [
        {"net": "nasnet", "top1": 0.82, "defence": "", **official(nasnet)},
        {"net": "inception", "top1": 0.78, "defence": "", **official(V3)},
        {"net": "robust", "top1": 0.77, **about},
    ]
    row = {"dataset": "photographs", "attack": "fgsm", "at": 0.2, "eps": 0.21, "n_images": 5000}
    ordered = [("robust", "nasnet", gain), ("robust", "inception", -0.5), ("nasnet", "inception", -0.5)]
    rows = [row | {"net": one, "other": other} | around("net_difference", d, half) for one, other, d in ordered]
    if turned:
        rows[0] = row | {"net": "nasnet", "other": "robust"} | around("net_difference", -gain, half)
    more = [row | {"attack": "step_ll"}, row | {"at": 8.0, "eps": 8.0}]
    for other in more:
        rows += [other | {"net": "robust", "other": "nasnet"} | around("net_difference", -0.9, half)]
    return {"published/nets": nets, "published/pairs": rows, "models": [model("robust")]}


# claim: tables of a net, what the params say of the paper's own, and numbers on which it holds, fails and stays open
CASES = {
    "C03": (law("fgsm"), official(V3), [(1.0, 0.1), (1.4, 0.1), (1.0, 0.11)]),
    "C04": (law("step_ll"), official(NASNET), [(2.0, 0.1), (1.4, 0.1), (2.0, 0.3)]),
    "C06": (error, official(V3), [(0.15, 0.005), (0.41, 0.08), (0.25, 0.005)]),
    "C07": (error, official(V3_ADV, **DEFENDED), [(0.2, 0.01), (0.05, 0.01), (0.09, 0.02)]),
    "C08": (pairs, official(V3_ADV, **DEFENDED), [(0.05, 0.01), (-0.05, 0.01), (0.01, 0.02)]),
    "K01": (error, official(V3), [(0.44, 0.0), (0.1, 0.0), (0.47, 0.0)]),
    "K21": (rises, official(V3_ADV, **DEFENDED), [(0.1, 0.005), (-0.05, 0.005), (0.01, 0.05)]),
}
VERDICTS = list(enumerate(("holds", "fails", "inconclusive")))


def concluded(claim, tables):
    return JUDGES[claim](a_study(tables, robust={})).concluded


@pytest.mark.parametrize("claim", CASES)
@pytest.mark.parametrize(("case", "wanted"), VERDICTS)
def test_the_paper_s_own_nets_on_validation_images_judge_a_claim(claim, case, wanted):
    make, about, numbers = CASES[claim]
    assert concluded(claim, make(*numbers[case], **about))["verdict"] == wanted


@pytest.mark.parametrize("claim", CASES)
@pytest.mark.parametrize(
    "other",
    [SAMPLE, STAND_IN, {"stands_for": "Inception v3"}, {"network": "mobilenetv2_100"}, {"network": ""}],
    ids=["sample", "stand-in", "said to stand in", "another net", "a net of no timm name"],
)
def test_other_nets_and_other_images_are_an_analogue_whatever_the_data_set_is_called(claim, other):
    make, about, numbers = CASES[claim]
    for case, wanted in VERDICTS:
        found = concluded(claim, make(*numbers[case], **about | {"dataset": "imagenet"} | other))
        assert (found["verdict"], found["analogue"]) == ("scaled", wanted)
        assert "than" in found["reason"]


@pytest.mark.parametrize("claim", CASES)
def test_a_name_makes_no_data_set_imagenet(claim):
    make, about, numbers = CASES[claim]
    for holds in ("", "images"):
        tables = make(*numbers[0], **about | {"dataset": "imagenet", "holds": holds})
        assert concluded(claim, tables)["verdict"] == "not run"


def test_claims_on_defended_nets_are_not_run_on_others_and_those_on_plain_nets_not_on_defended_ones():
    for claim, of_defended in (("C07", True), ("C08", True), ("K21", True), ("K01", False)):
        make, about, numbers = CASES[claim]
        other = about | {"defence": "" if of_defended else "adversarial"}
        found = concluded(claim, make(*numbers[0], **other))
        assert found["verdict"] == "not run"
        assert found["reason"]
    make, about, numbers = CASES["C03"]
    assert concluded("C03", make(*numbers[0], **about | DEFENDED))["verdict"] == "holds"  # of all nets


def test_no_study_has_the_elu_net():
    assert concluded("K20", error(0.2, 0.01, **official("inception_v3.elu")))["verdict"] == "not run"


def test_a_stand_in_beside_a_net_of_the_paper_judges_nothing():
    own, other = error(0.2, 0.01, **official(V3_ADV, **DEFENDED)), error(0.6, 0.01, **official(**STAND_IN, **DEFENDED))
    renamed = {"model": "other"}
    tables = {name: own[name] + [row | renamed for row in other[name]] for name in own}
    tables["error_curves"][2:] = [row | {"curve": "other/fgsm"} for row in tables["error_curves"][2:]]
    found = JUDGES["C07"](a_study(tables, robust={}))
    assert found.concluded["verdict"] == "holds"
    assert [part.subject for part in found.parts] == ["net/fgsm"]


def test_nets_are_compared_with_nasnet_and_elsewhere_with_the_most_accurate_undefended_net():
    about = CASES["C08"][1]
    for turned in (False, True):
        (part,) = JUDGES["C08"](a_study(pairs(0.05, 0.01, turned=turned, **about))).parts
        assert (part.subject, part.quantity) == ("robust, eps = 0.21", "error less that of nasnet")
        numbers = part.estimate.value, part.estimate.low, part.estimate.high, part.estimate.n
        assert numbers == pytest.approx((0.05, 0.04, 0.06, 5000))
    found = concluded("C08", pairs(0.05, 0.01, nasnet="resnetv2_152x2", **about))
    assert (found["verdict"], found["analogue"]) == ("scaled", "holds")
    tables = pairs(0.05, 0.01, **about)
    tables["published/nets"][1]["top1"] = 0.9  # a better one than NASNet-A, of which the paper speaks
    assert verdict("C08", a_study(tables)) == "holds"
    far = [row | {"eps": 0.3} for row in tables["published/pairs"]]
    assert verdict("C08", a_study(tables | {"published/pairs": far})) == "not run"


def test_a_rise_is_the_largest_of_those_from_one_eps_to_the_next():
    tables = rises(0.1, 0.005, **CASES["K21"][1])
    between = [row | {"eps": 5.7, "accuracy": 0.9} for row in tables["error_curves"][:1]]  # is none of Kurakin's eps
    tables["error_curves"] = [*between, *tables["error_curves"]]
    (part,) = JUDGES["K21"](a_study(tables, robust={})).parts
    assert (part.subject, part.quantity.rpartition(", ")[2]) == ("net", "fgsm to eps = 4")
    assert part.estimate.value == pytest.approx(0.1)


def test_the_paper_s_nets_are_nets_of_timm():
    timm = pytest.importorskip("timm")
    assert set(CUBUK) <= set(timm.list_pretrained())
    assert set(KURAKIN) <= set(CUBUK)
