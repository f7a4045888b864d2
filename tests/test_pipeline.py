"""The pipeline through real DVC, on a small study in a repository of its own: what reruns, and to which bytes."""

import json
import shutil
from pathlib import Path

import pytest
from raw_csv import read_csv
from repository import Repository, ran

pytestmark = pytest.mark.slow
SWEEPS = {"sweep@linear", "sweep@fc", "sweep@fc_pgd"}
TOLD = {"figures", "claims", "report"}  # from the compact tables
REST = {"fit", "laws"} | TOLD
TRAINED = {"trials_train@sampled", "trials_train@varied"}
MEASURED = {"trials_measure@sampled", "trials_measure@varied"}  # all depend on the grid, used or not
TABLES = {"trials_tables@sampled", "trials_tables@varied"}
WORST_CASE = {"worst_case@fc", "worst_case@fc_robust"}
SEARCHED = {"search@step_ll", "enlarge@cell_step_ll"}  # which depend on all attacks
PARAMS = "params.yaml"
NO_SEARCH = "search:\n  dataset: digits\n  searches: {}\n  enlarged:\n    nets: {}\n  pictures: {}\n"
READERS = {"claims", "report"}  # of the settings of nets and attacks


def outdated(repository: Repository) -> set[str]:
    """The stages of which DVC says that what they depend on has changed; those behind them read what they write."""
    found = json.loads(repository.dvc("status", "--json"))
    return {stage for stage in found if not stage.startswith("datasets/")} - {"check"}  # nor data sets not made


def test_nothing_reruns_when_nothing_changed_and_the_tree_is_clean(repository):
    assert ran(repository.dvc("repro")) == set()
    assert repository.git("status", "--porcelain") == ""


def test_an_experiment_with_another_eps_max_trains_nothing_and_changes_one_line(repository):
    output = repository.dvc("exp", "run", "-S", "attack.eps_max=32", "fit")
    assert ran(output) == SWEEPS | {"fit"}
    changed = [line for line in repository.git("diff", "HEAD", "--", PARAMS).splitlines() if line[:1] in "+-"]
    assert [line for line in changed if not line.startswith(("+++", "---"))] == ["-  eps_max: 16.0", "+  eps_max: 32"]
    assert "# kept by -S" in repository.text(PARAMS)
    assert "32" in repository.dvc("exp", "show", "--csv")
    assert not outdated(repository) & TRAINED
    assert outdated(repository) >= MEASURED


CHANGES = [  # old, new and where, and the stages that begin anew: none that only reads what these write
    (
        *("steps: 3", "steps: 4", PARAMS),
        {"sweep@fc_pgd", "fit"} | WORST_CASE | TRAINED | MEASURED | TABLES | SEARCHED | READERS,
    ),
    (  # of the PGD that is trained on
        *("steps: 2", "steps: 3", PARAMS),
        {"train_robust@fc_robust", "sweep@fc_pgd", "fit"}
        | (WORST_CASE | TRAINED | MEASURED | TABLES | SEARCHED | READERS),
    ),
    (
        *("    final = torch.empty_like(current)", "    final = current.clone()", "src/advlaw/attacks/iterative.py"),
        {"train_robust@fc_robust", "sweep@fc_pgd", "pictures@step_ll"} | WORST_CASE | TRAINED | MEASURED | SEARCHED,
    ),
    ("epochs: 3    # kept by -S", "epochs: 4", PARAMS, {"train@linear", "fit"} | READERS),
    ("TOLERANCES = ", "CHANGED = TOLERANCES = ", "src/advlaw/theory/predictions.py", {"theory"}),
    ("  - 0.2\n", "  - 0.3\n", PARAMS, {"theory", "report"}),
    ("eps_max: 64.0", "eps_max: 32.0", PARAMS, {"response@fc", "theory", "report"}),
    ("samples: 20000", "samples: 30000", PARAMS, {"order_statistics", "report"}),
]


def test_a_change_reruns_what_depends_on_it_and_nothing_else(repository):
    for old, new, file, expected in CHANGES:
        repository.change(old, new, file)
        assert outdated(repository) == expected, f"{file}: {old} -> {new}"
        repository.git("checkout", "--", file)


def test_what_a_robust_net_leaves_behind(finished):
    rows = {row["model"]: row for row in read_csv(finished.folder / "plots/small/models.csv")}
    assert (rows["fc_robust"]["defence"], rows["fc_robust"]["adversarial_images"]) == ("pgd_clipped", "0.5")
    assert rows["fc"]["defence"] == ""
    curve = read_csv(finished.folder / "plots/small/training/fc_robust.csv")
    assert {"attacked_accuracy", "pgd_accuracy"} <= set(curve[0])
    gains = read_csv(finished.folder / "plots/small/worst_case/gains.csv")
    assert [(row["net"], row["baseline"]) for row in gains] == [("fc_robust", "fc")]


def test_a_new_model_needs_no_code_and_another_is_attacked_as_it_was_at_several_training_accuracies(repository):
    entry = (
        "  wide:\n    dataset: digits\n    arch: fc\n    widths:\n    - 32\n    epochs: 2\n    learning_rate: 0.003\n"
    )
    sweep = "  wide:\n    model: wide\n    family: one_step\n    attacks:\n    - fgsm\n"
    repository.change("robust_models:\n", entry + "robust_models:\n")
    repository.change("    epochs: 3    # kept by -S\n", "    epochs: 9\n    snapshots:\n    - 0.3\n    - 0.6\n")
    repository.change("  fc:\n    model: fc\n", "  fc:\n    model: fc\n    split: train\n")
    repository.change("    attacks:\n    - fgsm\n", "    attacks:\n    - fgsm\n    snapshots:\n    - 0.3\n    - 0.6\n")
    repository.change("fit:\n", sweep + "fit:\n")
    begun = {"train@wide", "sweep@wide", "train@linear", "sweep@linear", "sweep@fc"}
    assert ran(repository.dvc("repro")) == begun | REST
    plots = repository.folder / "plots/small"
    nets = sorted(row["net"] for row in read_csv(plots / "logit_gaps.csv"))
    assert nets == ["fc", "fc", "linear", "linear@0.3", "linear@0.6", "wide"]  # fc on training and on test images
    assert {"linear/fgsm@0.3", "wide/fgsm"} <= {row["curve"] for row in read_csv(plots / "exponents.csv")}
    repository.change("    - 0.6\n", "    - 0.7\n")  # of the model, not of its sweep
    assert "sweeps.linear.snapshots = 0.6: not among models.linear.snapshots: [0.3, 0.7]" in repository.dvc(
        "repro", fails=True
    )


def test_empty_sections_switch_their_stages_off(repository):
    text = repository.text("params.yaml")
    for first, following, empty in (
        ("sweeps:\n", "fit:\n", "sweeps: {}\n"),
        ("  nets:\n    fc:\n      attacks:", "theory:\n", "  nets: {}\n"),  # of `response`
        ("trials:\n", "search:\n", "trials: {}\n"),
        ("search:\n", "worst_case:\n", NO_SEARCH),
    ):
        start, end = text.index(first), text.index(following)
        text = text[:start] + empty + text[end:]
    (repository.folder / "params.yaml").write_text(text, encoding="utf-8")
    repository.change("  headline:\n  - fc/fgsm\n  - linear/fgsm", "  headline: []")
    repository.change("  compared:\n  - fc", "  compared: []")
    assert ran(repository.dvc("repro")) == REST | {"search_tables", "theory", "worst_case_tables"}  # all read `fit`
    plots = repository.folder / "plots/small"
    for table in ("error_curves.csv", "trials/sets.csv"):
        assert (plots / table).read_text("utf-8").count("\n") == 1
    assert not (plots / "theory/curves.csv").exists()
    repository.dvc("plots", "show")


def test_processes_that_torchrun_starts_leave_the_bytes_of_one(repository):
    """By the command that docs/params.md gives."""
    command = "PYTHONPATH=src torchrun --nproc_per_node 2 stages/train.py MODEL --params params.yaml"
    assert command in (Path(__file__).parents[1] / "docs" / "params.md").read_text(encoding="utf-8")
    repository.change("epochs: 3    # kept by -S", "epochs: 3\n    minibatches: 2")
    repository.run("env", "PYTHONPATH=src", "python", "stages/train.py", "linear", "--params", "params.yaml")
    folder = repository.folder / "models/small/linear"
    alone = {path.name: path.read_bytes() for path in folder.iterdir()}
    shutil.rmtree(folder)
    repository.run("env", *command.replace("MODEL", "linear").split())
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == alone


def test_one_model_reruns_its_own_chain_and_metrics_of_two_branches_are_compared(repository):
    repository.git("checkout", "-q", "-b", "longer")
    repository.change("epochs: 3    # kept by -S", "epochs: 6")
    assert ran(repository.dvc("repro", "claims")) == {"train@linear", "sweep@linear", "fit", "laws", "claims"}
    repository.commit("longer training")
    table = json.loads(repository.dvc("metrics", "diff", "main", "longer", "--json"))
    (found,) = table.values()
    assert set(found) - {f"exponent.linear/fgsm.{end}" for end in ("B", "low", "high")} == {"test_accuracy.linear"}
    before, after = found["test_accuracy.linear"]["old"], found["test_accuracy.linear"]["new"]
    assert found["test_accuracy.linear"]["diff"] == pytest.approx(after - before)
    assert after != before
    plots = repository.dvc("plots", "diff", "main", "longer")
    assert "index.html" in plots
