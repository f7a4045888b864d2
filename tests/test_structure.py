"""The shape of the project: which package imports which, and that dvc.yaml names what every stage depends on."""

import ast
import functools
import operator
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from repository import committed_files
from ruamel.yaml import YAML

from advlaw.core.code import closure, imported
from advlaw.models.settings import ARCHITECTURES

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src"
BOTTOM = {"data", "models", "training", "attacks", "fitting"}
BASE = {"config", "core"}
WITHOUT_SETTINGS = {"core", "papers"}  # every other package may import any package's typed sections
ALLOWED = {
    **dict.fromkeys(BOTTOM, BASE),
    "evaluation": BASE | {"attacks", "models", "theory"},
    "theory": BASE | {"attacks", "fitting"},
    "foreign": BASE | {"models"},
    "trials": BASE | BOTTOM | {"evaluation"},
    "search": BASE | BOTTOM | {"evaluation", "trials"},
    "tables": BASE | {"fitting", "models", "theory"},
    "audit": BASE | {"data", "evaluation", "foreign", "models"},
    "papers": set(),
    "figures": BASE | {"papers"},
    "claims": BASE | {"papers"},
    "report": BASE | {"claims", "figures", "papers"},
    "reference": BASE | {"report"},
    "comparison": BASE | {"claims", "fitting", "tables"},
    "interface": BASE | BOTTOM | {"audit", "claims", "evaluation", "figures", "foreign", "tables"},  # a stage in a call
    "__init__.py": {"interface"},  # when it is asked for
    "__main__.py": BASE | {"audit"},
    "config": {"config", "core"},
    "core": {"core"},
}
WITHOUT_TORCH = (
    "stages/check.py",
    "stages/dataset.py",
    "stages/fit.py",
    "stages/theory.py",
    "stages/figures.py",
    "stages/claims.py",
    "stages/summary.py",
    "stages/report.py",
    "stages/stamp.py",
    "stages/readme.py",
    "stages/compare.py",
    "stages/headline.py",
)


def modules() -> list[Path]:
    return sorted((SRC / "advlaw").rglob("*.py"))


def is_settings(module: str) -> bool:
    """Whether a module is the typed section of a package, or something in it."""
    return module.startswith("advlaw.") and module.split(".")[2:3] == ["settings"]


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(SRC).as_posix())
def test_packages_import_only_what_their_layer_may(path):
    package = path.relative_to(SRC / "advlaw").parts[0]
    allowed = ALLOWED.get(package, BASE) | {package}
    for module in imported(path):
        if module.startswith("advlaw.") and not (is_settings(module) and package not in WITHOUT_SETTINGS):
            other = module.split(".")[1]
            assert other in allowed, (
                f"{path.relative_to(ROOT)} imports {module}; {package} may import {', '.join(sorted(allowed))}"
            )


@pytest.mark.parametrize("path", sorted(SRC.glob("advlaw/*/settings.py")), ids=lambda path: path.parent.name)
def test_typed_sections_are_light(path):
    """They import what reads a section, pydantic, the standard library, one another, and what a cell or a view is."""
    light = {"pydantic", *sys.stdlib_module_names}
    for module in imported(path):
        is_base = module.startswith(("advlaw.core.section", "advlaw.core.view", "advlaw.models.cell_graph"))
        assert is_base or is_settings(module) or module.split(".")[0] in light, f"{path.parent.name} imports {module}"


def test_what_a_cell_is_needs_numpy_alone():
    needed = {module.split(".")[0] for module in imported(SRC / "advlaw/models/cell_graph.py")}
    assert needed <= {"numpy", *sys.stdlib_module_names}


def test_the_whole_params_file_is_read_in_one_place_alone():
    """Other modules know the sections that they use: of half of the packages at most."""
    sections = len(list(SRC.glob("advlaw/*/settings.py")))
    for path in modules():
        used = {module.split(".")[1] for module in imported(path) if is_settings(module)}
        is_whole = path == SRC / "advlaw" / "config" / "study.py"
        assert (len(used) > sections / 2) == is_whole, f"{path.relative_to(ROOT)}: {sorted(used)}"


def test_package_inits_are_empty_but_for_the_outermost():
    for path in SRC.glob("advlaw/*/**/__init__.py"):
        assert path.read_text(encoding="utf-8").strip() == "", path


def test_importing_the_package_imports_nothing_else():
    code = "import sys; before = set(sys.modules); import advlaw; print(*set(sys.modules) - before)"
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["advlaw"]


def stages(file: Path) -> dict[str, dict]:
    """The stages of a dvc.yaml by name, foreach unwrapped."""
    entries = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))["stages"]
    return {name: entry.get("do", entry) for name, entry in entries.items()}


@pytest.mark.parametrize("file", committed_files("dvc.lock"))
def test_a_lock_names_no_stage_that_is_no_more(file):
    """DVC reads the whole file and writes it again after every stage, and removes nothing from it."""
    lock, load, names = ROOT / file, YAML(typ="safe").load, set()
    entries, params_file = load(lock.with_suffix(".yaml"))["stages"], lock.with_name("params.yaml")
    params = load(params_file) if params_file.exists() else {}
    for name, entry in entries.items():
        keys = entry["foreach"].strip("${}").split(".") if "foreach" in entry else []
        names |= {f"{name}@{key}" for key in functools.reduce(operator.getitem, keys, params)} if keys else {name}
    assert set(load(lock)["stages"]) <= names


ARCHITECTURE_FILES = [SRC / "advlaw" / "models" / f"{arch}.py" for arch in ARCHITECTURES]
OF_ARCHITECTURES = {path.relative_to(ROOT).as_posix() for path in closure(*ARCHITECTURE_FILES)}
BY_NAME = {  # what a stage imports by name, as its entry says
    **{name: {"src/advlaw/models/${item.arch}.py", *OF_ARCHITECTURES} for name in ("train", "train_robust")},
    "trials_train": {"src/advlaw/trials/defence.py"},
    "claims": {path.relative_to(ROOT).as_posix() for path in closure(*(SRC / "advlaw" / "claims").glob("*.py"))},
    "sweep": {"src/advlaw/attacks/${item.family}.py"},
    "worst_case": {f"src/advlaw/attacks/{family}.py" for family in ("one_step", "iterative", "apgd", "query")},
}
READ_IN = {"claims": "src/advlaw/claims/study.py"}  # where a stage's params are read, if not in its script
NAMING = {"study"}  # names the paths of a stage, which DVC compares anyway
STAGES = {**stages(ROOT / "dvc.yaml"), **stages(ROOT / "datasets" / "dvc.yaml")}


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_the_code_it_imports_and_on_no_other(name):
    deps = STAGES[name]["deps"]
    script = ROOT / "stages" / f"{name}.py"
    assert f"stages/{name}.py" in deps
    needed = {path.relative_to(ROOT).as_posix() for path in closure(script)}
    needed |= BY_NAME.get(name, set())
    code = [dep for dep in deps if dep.startswith("src/")]
    missing = sorted(path for path in needed if not any(path == dep or path.startswith(f"{dep}/") for dep in code))
    assert not missing, f"dvc.yaml: add to the deps of {name}, which imports them: {', '.join(missing)}"
    idle = [dep for dep in code if not any(path == dep or path.startswith(f"{dep}/") for path in needed)]
    assert not idle, f"dvc.yaml: remove from the deps of {name}, which imports none of it: {', '.join(idle)}"


@pytest.mark.parametrize("name", [name for name in STAGES if "params" in STAGES[name]])
def test_a_stage_reads_the_params_it_declares_and_no_others(name):
    file = READ_IN.get(name, f"stages/{name}.py")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    (declared,) = STAGES[name]["params"][0].values()
    read, wanted = set(keys_read(tree)) - NAMING, {re.sub(r"\$.*", "*", key) for key in declared}
    assert read == {key.partition(".")[0] if key.partition(".")[0] in read else key for key in wanted}


def keys_read(tree: ast.AST):
    """The keys in calls of read_section(s); what is filled in at run time becomes a star."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id == "read_section":
                key = node.args[1]
                yield key.value if isinstance(key, ast.Constant) else key.values[0].value + "*"
            elif node.func.id == "read_sections":
                yield from (keyword.arg for keyword in node.keywords)


FOUND = {  # modules that a stage finds in a folder
    f"stages/{name}.py": [path for folder in folders for path in (SRC / "advlaw").glob(f"{folder}/*.py")]
    for name, folders in {
        "claims": ["claims"],
        "figures": ["figures"],
        "report": ["figures", "report/tables"],
        "readme": ["report/tables"],
    }.items()
}


def test_stages_without_nets_do_not_import_torch():
    for name in WITHOUT_TORCH:
        files = [ROOT / name, *FOUND.get(name, ())]
        for path in [*files, *closure(*files)]:
            heavy = {module.split(".")[0] for module in imported(path)} & {
                "torch",
                "torchvision",
                "safetensors",
            }
            assert not heavy, f"{name} imports {heavy} through {path.relative_to(ROOT)}"


def test_every_study_runs_the_same_pipeline():
    for copy in ROOT.glob("studies/*/dvc.yaml"):
        assert copy.read_bytes() == (ROOT / "dvc.yaml").read_bytes(), f"{copy} differs from dvc.yaml"


def attacks_at_eps(measure):
    """The attacks of a set that is measured at a few eps: those that its nets meet."""
    return measure["attacks"] if "eps" in measure else []


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_a_study_of_the_same_kind_holds_the_default_one_on_its_own_data(name):
    """What the default study says of digits, word for word, and more nets; its synthetic clusters stay at home."""
    read = YAML(typ="safe", pure=True).load
    default = read((ROOT / "params.yaml").read_text(encoding="utf-8").replace("dataset: digits", f"dataset: {name}"))
    for key in [key for key, entry in default["models"].items() if entry["dataset"].startswith("clusters")]:
        del default["models"][key]
        default["response"]["nets"].pop(key, None)
    nets = default["models"].keys() | default["robust_models"].keys()
    default["sweeps"] = {key: entry for key, entry in default["sweeps"].items() if entry["model"] in nets}
    for entry in (*default["models"].values(), *default["robust_models"].values()):
        entry.pop("entropy_delay", None)  # needed on so few images alone
    default |= {"study": name, "root": "../..", "params": f"studies/{name}/params.yaml"}
    found = read((ROOT / "studies" / name / "params.yaml").read_text(encoding="utf-8"))
    digits, *clusters = default.pop("datasets")
    assert (found.pop("datasets"), digits) == ([name], "digits")
    assert all(other.startswith("clusters") for other in clusters)
    for section in ("models", "robust_models", "sweeps"):
        assert found[section].items() >= default.pop(section).items()
        found.pop(section)
    del found["fit"]["headline"], default["fit"]["headline"]  # the few that are told are the study's own
    own, usual = found.pop("trials"), default.pop("trials")  # their data and sizes are the study's own
    assert "sampled" in own.keys() & usual.keys()
    assert {trials["dataset"] for trials in own.values()} == {name}
    few = {key for trials in (*own.values(), *usual.values()) for key in attacks_at_eps(trials["measure"])}
    for attacks in (found["attacks"], default["attacks"]):  # those of sets are the study's own, too
        for family, names in attacks.items():
            attacks[family] = {key: attack for key, attack in names.items() if f"{family}.{key}" not in few}
    own, usual = found.pop("worst_case"), default.pop("worst_case")  # as is how many nets and images are attacked
    assert own["nets"].items() >= usual["nets"].items()
    sizes = {"images": 0, "eps": []}
    assert own["protocol"] | sizes == usual["protocol"] | sizes
    del found["search"], default["search"]  # searches are studies of their own
    assert found.pop("baselines").items() >= default.pop("baselines").items()
    assert found == default
    assert (ROOT / "studies" / name / "dvc.yaml").read_bytes() == (ROOT / "dvc.yaml").read_bytes()


def test_committed_outputs_are_plots_or_metrics():
    """Under plain `outs`, `cache: false` would switch the run-cache off for the whole stage.

    A report is written in a second, and `dvc plots` complains of a plot in html.
    """
    for name in STAGES.keys() - {"report"}:
        for out in STAGES[name].get("outs", []):
            assert isinstance(out, str), f"{name}: {out}"
            assert out.startswith(("data/", "models/")), f"{name}: {out} belongs under plots or metrics"


def test_outputs_are_ignored_at_the_root_alone():
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {"/data/", "/models/", "/.ckpt/", "/dvc_plots/"} <= set(ignored)
    assert "__pycache__" in (ROOT / ".dvcignore").read_text(encoding="utf-8")


def test_requirements_are_pinned_by_version_alone():
    for path in (ROOT / "requirements.txt", *ROOT.glob("*/requirements.txt")):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert re.fullmatch(r"[A-Za-z0-9_.\[\]-]+==[^ /]+( ; .*)?", line), f"{path.name}: {line}"
            assert "://" not in line
