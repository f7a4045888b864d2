"""Params: every mistake is one line with file, key, value and what is allowed."""

import io
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from advlaw.attacks.settings import Grid
from advlaw.config.study import load_study
from advlaw.core.section import ParamsError, read_section, read_yaml

ROOT = Path(__file__).parents[1]
OWN = {"dataset": "digits", "arch": "own_file", "file": "x.pt2", "mean": [0.0], "std": [255.0]}
OVER_A_GRID = {"attacks": ["one_step.fgsm"], "grid": {"eps_min": 0.01, "eps_max": 32.0, "count": 5}}
AT_EPS = {"eps": [8.0], "attacks": ["one_step.fgsm_clipped"]}
SHOWN = {"nets": ["a", "b"], "attacks": ["one_step.fgsm_clipped"], "images": 1000}
ROBUST = {
    "dataset": "digits",
    "arch": "linear",
    "epochs": 1,
    "learning_rate": 0.1,
    "adversarial": {
        "attack": "one_step.step_ll_clipped", "images": 1, "weight": 0.3, "eps": {"fixed": 1.0}, "probe_eps": 1.0,
    },
}  # fmt: skip
DATASETS = ROOT / "datasets" / "params.yaml"


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A function that loads the default study with some leaves replaced."""
    monkeypatch.chdir(tmp_path)

    def load(changes=None, text_changes=()):
        text = (ROOT / "params.yaml").read_text(encoding="utf-8")
        for old, new in text_changes:
            assert old in text
            text = text.replace(old, new, 1)
        values = YAML(typ="safe", pure=True).load(text)
        for key, value in (changes or {}).items():
            *parents, leaf = key.split(".")
            section = values
            for parent in parents:
                section = section[parent]
            section[leaf] = value
        if changes:
            with Path("params.yaml").open("w", encoding="utf-8") as file:
                YAML().dump(values, file)
        else:
            Path("params.yaml").write_text(text, encoding="utf-8")
        return load_study(Path("params.yaml"), DATASETS)

    return load


def test_the_default_study_is_valid(study):
    assert study().study == "digits"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"models.fc.epoch": 3}, "models.fc: unknown key 'epoch'; did you mean 'epochs'? allowed: arch, widths"),
        ({"atack": {}}, "unknown key 'atack'; did you mean 'attack'?"),
        ({"attack.eps_min": 100.0}, "attack: eps_min = 100 must be below eps_max = 64"),
        ({"attack.eps_max": "abc"}, "attack.eps_max = 'abc': should be a valid number"),
        ({"attack.eps_max": True}, "attack.eps_max = True: should be a valid number"),
        ({"attack.count": 2.5}, "attack.count = 2.5: should be a valid integer"),
        ({"attack.eps_min": -1.0}, "attack.eps_min = -1.0: should be greater than 0"),
        ({"models.fc.widths": [200, 0]}, r"models.fc.widths[1] = 0: should be greater than or equal to 1"),
        ({"models.fc.widths": 200}, "models.fc.widths = 200: should be a valid list"),
        ({"models.fc.arch": "vgg"}, "models.fc.arch = 'vgg': should be one of 'linear', 'fc', 'cnn', 'resnet', 'wide"),
        ({"models.fc.optimizer": "lion"}, "models.fc.optimizer = 'lion': should be 'adam', 'sgd' or 'rmsprop'"),
        ({"models.cnn.dropout": 1.0}, "models.cnn.dropout = 1.0: should be less than 1"),
        ({"models.cnn.channels": [8, 8, 8, 8]}, "each halves the image, and 8x8 images can be halved 3 times"),
        ({"trials.sampled.dataset": "svhn"}, "trials.sampled.dataset = 'svhn': not among the data sets"),
        ({"trials.sampled.count": -1}, "trials.sampled.count = -1: should be greater than or equal to 0"),
        ({"workers.backend": "slurm"}, "workers.backend = 'slurm': should be 'loky', 'ray' or"),
        ({"trials.sampled.draw.fc.units": [50, 30]}, "[50, 30]: the first must not exceed the second"),
        ({"trials.sampled.draw.cnn.kernel_sizes": [3, 4]}, "kernel_sizes: [3, 4]: 4 is even"),
        ({"trials.sampled.draw.cnn.convolutions": [1, 4]}, "convolutions = 4: each halves the image, and 8x8"),
        ({"trials.sampled.training.epochs": 0}, "trials.sampled.training.epochs = 0: should be greater"),
        ({"trials.sampled.measure.attacks": ["one_step.cw"]}, "measure.attacks = 'cw': not among the attacks.one_step"),
        ({"trials.sampled.measure.reference_eps": [100.0]}, "eps = 100: above the grid's eps_max = 64"),
        ({"trials.seeds.measure": {**OVER_A_GRID, "reference_eps": [64.0]}}, "eps = 64: above the grid's eps_max = 32"),
        ({"trials.seeds.measure": {**AT_EPS, "attacks": ["one_step.cw"]}}, "measure.attacks = 'cw': not among the"),
        ({"trials.seeds.measure": {**AT_EPS, "attacks": ["iterative.pgd"] * 2}}, "pgd']: two have the same name"),
        ({"trials.seeds.measure": {**AT_EPS, "images": 10**6}}, "measure.images = 1000000: clusters has only 10000"),
        ({"trials.seeds.measure": {**AT_EPS, "iterative_images": 10**6}}, "iterative_images = 1000000: clusters ha"),
        (
            {"trials.seeds.measure": {**AT_EPS, "transfer": {**SHOWN, "attacks": ["iterative.cw"]}}},
            "trials.seeds.measure.transfer.attacks = 'cw': not among the attacks.iterative: ",
        ),
        (
            {"trials.seeds.measure": {**AT_EPS, "transfer": {**SHOWN, "images": 10**6}}},
            "trials.seeds.measure.transfer.images = 1000000: clusters has only 10000 test images",
        ),
        ({"trials.sampled.measure": AT_EPS}, "trials.sampled.measure: unknown key 'eps'"),
        ({"trials.leaking.base.arch": "vgg"}, "trials.leaking.base.arch = 'vgg': should be one of 'linear', 'fc'"),
        ({"trials.leaking.base.dataset": "digits"}, "dataset: leave it out here; it is that of the set"),
        ({"trials.leaking.nets.fgsm": {"adversarial": {"attack": "one_step.fgsm"}}}, "one_step.fgsm': does not clip"),
        ({"trials.leaking.nets.fgsm": {"adversarial": {"images": 200}}}, "nets.fgsm: adversarial.images = 200: batch"),
        ({"trials.leaking.nets.fgsm": {"widths": [0]}}, "trials.leaking.nets.fgsm.widths[0] = 0: should be greater"),
        ({"trials.leaking.nets.fgsm": {"baseline": "no"}}, "nets.fgsm.baseline = 'no': must be another net"),
        ({"models.fc.adversarial": ROBUST["adversarial"]}, "models.fc.adversarial: belongs in robust_models; move"),
        ({"robust_models.fc_pgd.adversarial": None}, "robust_models.fc_pgd.adversarial"),
        ({"models.fc.minibatches": 0}, "models.fc.minibatches = 0: should be greater than or equal to 1"),
        ({"models.fc.dataset": "svhn"}, "models.fc.dataset = 'svhn': not among the data sets: cifar10, cifar10_16"),
        ({"datasets": ["digits"]}, "datasets = ['digits']: lacks 'clusters', the data set of trials.sampled; add it"),
        ({"datasets": ["digits", "clusters", "svhn"]}, "datasets = 'svhn': not among the data sets: cifar10, cifar10_"),
        ({"datasets": ["digits", "clusters", "digits"]}, "lists a data set twice; remove one"),
        ({"sweeps.fc.model": "vgg"}, "sweeps.fc.model = 'vgg': not among the models: clusters_fc"),
        ({"sweeps.fc.dataset": "clusters"}, "sweeps.fc: unknown key 'dataset'; allowed: "),
        ({"sweeps.fc.attacks": ["fgsm", "cw"]}, "= 'cw': not among the attacks.one_step: fast_entropy"),
        ({"sweeps.fc.attacks": ["fgsm", "fgsm"]}, "lists an attack twice; remove one"),
        ({"sweeps.fc.attacks": []}, "sweeps.fc.attacks: List should have at least 1 item"),
        ({"attacks.iterative.pgd.restarts": 3}, "attacks.iterative.pgd: restarts = 3 needs random_start: true"),
        ({"attacks.iterative.pgd.step_size": {"relativ": 0.1}}, "did you mean 'relative'?"),
        ({"worst_case.nets.fc.source": "clusters_fc"}, "is on another data set, clusters; name a net on digits"),
        ({"response.nets.fc.attacks": ["pgd"]}, "response.nets.fc.attacks = 'pgd': not among the attacks.one_step: "),
        ({"response.nets.fc.attacks": ["fgsm_clipped"]}, "response.nets.fc.attacks = 'fgsm_clipped': clips, but"),
        ({"response.nets.fc.attacks": ["l2"]}, "response.nets.fc.attacks: ['l2']: leave out l2, which is always"),
        ({"response.nets.vgg": {"attacks": []}}, "response.nets.vgg = 'vgg': not among the "),
        ({"theory.compared": ["fc", "vgg"]}, "theory.compared = 'vgg': not among the response.nets: clusters_fc"),
        ({"theory.cut_offs": [1.0]}, "theory.cut_offs[0] = 1.0: should be less than 1"),
        ({"order_statistics.laws": ["cauchy"]}, "order_statistics.laws[0] = 'cauchy': should be 'uniform', 'normal'"),
        ({"order_statistics.classes": 4}, "order_statistics.classes = 4: should be greater than or equal to 5"),
        ({"fit.headline": ["fc/cw"]}, "fit.headline = 'fc/cw': not among the curves: "),
        ({"sweeps.fc_shuffled.snapshots": [0.5]}, "sweeps.fc_shuffled.snapshots = 0.5: not among models.fc_shuff"),
        ({"models.fc_shuffled.snapshots": [0.99, 0.9]}, "models.fc_shuffled.snapshots: [0.99, 0.9]: must rise"),
        ({"models.fc.snapshot_epochs": [3, 1]}, "models.fc.snapshot_epochs: [3, 1]: must rise"),
        ({"models.fc.snapshot_epochs": [31]}, "snapshot_epochs = [31]: training ends at epochs = 30"),
        ({"models.fc.activation": "relo"}, "models.fc.activation = 'relo': should be 'relu', 'relu6', 'tanh', 'elu'"),
        ({"models.fc_shuffled.snapshots": [1.5]}, "fc_shuffled.snapshots[0] = 1.5: should be less than or equal"),
        ({"models.fc_shuffled.snapshots": [0.9999999, 1.0]}, "must rise, each different in six digits"),
        ({"sweeps.fc_shuffled.snapshots": [0.99, 0.99]}, "sweeps.fc_shuffled.snapshots: [0.99, 0.99]: must rise"),
        ({"models.fc_shuffled.until_train_accuracy": 0.9}, "training ends at until_train_accuracy = 0.9"),
        ({"attacks.iterative.iter_ll.norm": "l2"}, "steps = 'from_eps' needs norm: linf and an absolute step_size"),
        ({"attacks.iterative.pgd.steps": "many"}, "attacks.iterative.pgd.steps = 'many': should be 'from_eps'"),
        ({"attacks.one_step.random_sign.target": "entropy"}, "direction = 'random_sign' is noise: leave out target"),
        ({"robust_models.fc": {**ROBUST}}, "robust_models.fc: models.fc has the same name and would write"),
        ({"robust_models.fc_pgd.adversarial.images": 500}, "adversarial.images = 500: batch_size is 128"),
        ({"robust_models.fc_pgd.adversarial.attack": "one_step.no"}, "attack = 'no': not among the attacks"),
        ({"robust_models.fc_pgd.adversarial.attack": "one_step.fgsm"}, "attack = 'one_step.fgsm': does not clip"),
        ({"robust_models.fc_pgd.adversarial.attack": "query.square"}, "attack = 'query.square': String should"),
        ({"robust_models.fc_pgd.adversarial.eps": {"fixed": 0}}, "eps.fixed = 0: should be greater than 0"),
        ({"models.fc.watched": 10, "models.fc.snapshots": [0.5]}, "watched = 10: leave it out where accuracies end"),
        ({"worst_case.protocol.weak": "one_step.fgsm"}, "'one_step.fgsm' does not clip to [0, 255]"),
        ({"worst_case.nets.fc.source": "fc"}, "worst_case.nets.fc.source = 'fc': must be another, independently"),
        ({"study": "summary"}, "study = 'summary': datasets, downloads, summary are reserved"),
        ({"baselines.fc": "fc"}, "baselines.fc = 'fc': a net cannot be its own baseline"),
        ({"pretrained_models.x": OWN}, "pretrained_models.x.file = 'x.pt2': no such file from the root"),
        ({"baselines.fc": "vgg"}, "baselines.fc = 'vgg': not among the models"),
        ({"baselines.fc": "clusters_fc"}, "baselines.fc = 'clusters_fc': is on another data set, clusters"),
        ({"worst_case.nets.fc.baseline": "cnn"}, "worst_case.nets.fc: unknown key 'baseline'"),
        ({"attacks.one_step.fast_entropy.gradient": "margin"}, "gradient = 'margin': entropy is no label"),
        ({"params": "elsewhere.yaml"}, "params = 'elsewhere.yaml': must be this file's path from the root"),
        ({"models.a@b": {}}, "models.a@b = 'a@b': String should match pattern"),
        ({"root": ".."}, "root = '..': must be the path from this file's folder to the root"),
        ({"study": "-x"}, "study = '-x': String should match pattern"),
        ({"threads": 0}, "threads = 0: should be greater than or equal to 1"),
    ],
)  # fmt: skip
def test_a_mistake_is_answered_with_file_key_value_and_what_is_allowed(study, changes, message):
    with pytest.raises(ParamsError) as caught:
        study(changes)
    lines = str(caught.value).splitlines()
    assert all(line.startswith("params.yaml: ") for line in lines)
    assert any(message in line for line in lines), str(caught.value)


def test_every_mistake_of_a_file_is_listed(study):
    with pytest.raises(ParamsError) as caught:
        study({"attack.count": "x", "models.fc.epochs": 0, "threads": -1})
    assert len(str(caught.value).splitlines()) == 3


def test_1e_5_is_a_number(study):
    assert study(text_changes=[("eps_min: 0.01", "eps_min: 1e-5")]).attack.eps_min == 1e-5
    assert (
        study(text_changes=[("learning_rate: 0.003", "learning_rate: 3E-3")]).models["linear"].training.learning_rate
        == 0.003
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2", r"params.yaml: line \d+: not valid YAML"),
        ("a: 1\na: 2\n", r"params.yaml: line 2: not valid YAML: found duplicate key"),
        ("- 1\n", r"must be a mapping of sections, found list"),
    ],
)
def test_a_file_that_is_no_params_file_is_refused(tmp_path, monkeypatch, text, message):
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ParamsError, match=message):
        read_yaml(Path("params.yaml"))
    with pytest.raises(ParamsError, match=re.escape("nowhere.yaml: no such params file")):
        read_yaml(Path("nowhere.yaml"))


def test_a_section_names_what_is_missing():
    with pytest.raises(ParamsError, match=r"params.yaml: attack.nothing: missing key 'nothing'"):
        read_section(ROOT / "params.yaml", "attack.nothing", float)
    assert read_section(ROOT / "params.yaml", "attack", Grid).count == 40


@pytest.mark.parametrize("path", [ROOT / "params.yaml", *sorted(ROOT.glob("studies/*/params.yaml"))], ids=str)
def test_setting_one_value_changes_one_line_of_a_params_file(path):
    """As far as a file can see to it: DVC writes sequences in block style, and folds lines of over 80 columns."""
    text = path.read_text(encoding="utf-8")
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 10**6
    written = io.StringIO()
    yaml.dump(yaml.load(text), written)
    assert not re.search(r"^[^{#]*: \[[^]]", text, re.MULTILINE)
    assert all(len(line) <= 80 for line in text.splitlines() if "{" in line)
    kept = [line.split("#")[0].rstrip() for line in text.splitlines()]
    assert [line.split("#")[0].rstrip() for line in written.getvalue().splitlines()] == kept
