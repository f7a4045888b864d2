"""Nothing that is read can run code: no reader of pickles or evaluator of text here, no pickle among what is stored."""

import ast

import pytest
from repository import ROOT, committed_files

FORBIDDEN = {
    *("cloudpickle", "dill", "marshal", "shelve"),
    *("eval", "exec", "compile", "joblib.load", "pandas.read_pickle", "pd.read_pickle"),
    *("pickle.load", "pickle.loads", "pickle.Unpickler", "pickle.dumps", "pickle.dump"),
}
SAFE = {"torch.load": ("weights_only", True), "np.load": ("allow_pickle", False)}
CODE = [path for folder in ("src", "stages", "benchmarks") for path in sorted(ROOT.glob(f"{folder}/**/*.py"))]
PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")  # how one begins, by its protocol


def unsafe(tree: ast.AST) -> list[str]:
    """What in the code reads pickles or evaluates text, or might."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", None)
            names = [alias.name for alias in node.names]
            found += [name for name in (*names, *(f"{module}.{name}" for name in names)) if name in FORBIDDEN]
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            key, wanted = SAFE.get(called, (None, None))
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            if called in FORBIDDEN or (key is not None and given.get(key) != str(wanted)):
                found.append(ast.unparse(node))
            if called == "YAML" and given.get("typ") not in (None, "'safe'"):
                found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize(
    "code",
    [
        "import dill",
        "from pickle import loads",
        "pickle.load(file)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "eval(text)",
        "YAML(typ='unsafe')",
        "pd.read_pickle(path)",
    ],
)
def test_what_could_run_code_is_seen(code):
    assert unsafe(ast.parse(code)) != []


def test_no_code_reads_a_pickle_or_evaluates_text():
    found = {path.relative_to(ROOT).as_posix(): unsafe(ast.parse(path.read_text("utf-8"))) for path in CODE}
    assert len(found) > 100
    assert {path: calls for path, calls in found.items() if calls} == {}


@pytest.mark.slow
def test_no_file_of_a_study_is_a_pickle(finished):
    suffixes = set()
    for name in ("data", "models", "metrics", "plots", ".ckpt"):
        for path in (path for path in (finished.folder / name).rglob("*") if path.is_file()):
            suffixes.add(path.suffix)
            assert not path.read_bytes().startswith(PICKLES), path
    assert {".npz", ".safetensors", ".csv", ".json"} <= suffixes
    assert not suffixes & {".pt", ".pth", ".pkl", ".pickle", ".joblib"}


def test_no_committed_file_is_a_pickle():
    names = [name for name in committed_files("*") if (ROOT / name).is_file()]
    assert len(names) > 500
    assert [name for name in names if (ROOT / name).read_bytes().startswith(PICKLES)] == []
