"""README.md and docs/: links lead somewhere, examples are valid params, and code in them is code that is tested."""

import re
from pathlib import Path

import pytest
from repository import ROOT, git_of_this_repository
from ruamel.yaml import YAML
from test_new_architecture import CLASS, FILE

from advlaw.config.study import load_study
from advlaw.reference.keys import anchor

PAGES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")))
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:href|src)=\"([^\"]+)\"")


def text_of(page):
    return (ROOT / page).read_text(encoding="utf-8")


def links(page):
    """What a page links to, but for other sites."""
    prose = FENCED.sub("", text_of(page))
    found = [first or second for first, second in LINK.findall(prose)]
    return [link for link in found if not re.match(r"https?://|mailto:", link)]


def anchors(page):
    """The anchors of a page's headings; those of equal headings are numbered."""
    found: list[str] = []
    for heading in re.findall(r"^#+ (.*)$", FENCED.sub("", text_of(page)), re.MULTILINE):
        slug = anchor(re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading))
        same = sum(slug == re.sub(r"-\d+$", "", other) for other in found)
        found.append(f"{slug}-{same}" if same else slug)
    return found


@pytest.fixture(scope="module")
def in_git():
    """All files that git has or would add, and their folders."""
    files = git_of_this_repository("ls-files", "-z", "-c", "-o", "--exclude-standard").split("\0")
    paths = [ROOT / name for name in files if name]
    return {*paths, *(folder for path in paths for folder in path.parents if folder.is_relative_to(ROOT))}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_somewhere(page, in_git):
    broken = []
    for link in links(page):
        name, _, place = link.partition("#")
        target = ((ROOT / page).parent / name).resolve() if name else ROOT / page
        is_there = target in in_git and (not place or place in anchors(target.relative_to(ROOT).as_posix()))
        broken += [] if is_there else [link]
    assert not broken, f"{page}: {broken}"


def test_equal_headings_have_numbered_anchors(tmp_path, monkeypatch):
    (tmp_path / "page.md").write_text("# A b\n## A b\n```\n# no heading\n```\n### `a.b` [c](d.md)\n", encoding="utf-8")
    monkeypatch.setattr("test_docs.ROOT", tmp_path)
    assert anchors("page.md") == ["a-b", "a-b-1", "ab-c"]


def examples(page):
    """The mappings in a page's YAML."""
    read = YAML(typ="safe", pure=True).load
    return [read(text) for language, text in FENCED.findall(text_of(page)) if language == "yaml"]


def merged(params, example):
    """Params with what an example adds: mappings key by key, anything else as a whole."""
    if not isinstance(params, dict) or not isinstance(example, dict):
        return example
    return params | {key: merged(params.get(key, {}), value) for key, value in example.items()}


@pytest.mark.parametrize("page", [page for page in PAGES if "```yaml" in text_of(page)])
def test_examples_are_valid_beside_the_default_study(page, tmp_path, monkeypatch):
    """Each with those before it on the page; the files that an own model needs are there."""
    monkeypatch.chdir(tmp_path)
    files = {name: YAML(typ="safe", pure=True).load(text_of(name)) for name in ("params.yaml", "datasets/params.yaml")}
    for example in examples(page):
        name = "datasets/params.yaml" if isinstance(example.get("datasets"), dict) else "params.yaml"
        files[name] = merged(files[name], example)
        used = {entry["dataset"] for entry in files["params.yaml"]["pretrained_models"].values()}
        files["params.yaml"]["datasets"] = sorted({*files["params.yaml"]["datasets"], *used})
        for entry in files["params.yaml"]["pretrained_models"].values():
            for path in (entry.get("file"), entry.get("weights")):
                if isinstance(path, str):
                    write(tmp_path / path, {})
        place = Path(files["params.yaml"]["params"])
        write(place, files["params.yaml"])
        write(Path("datasets/params.yaml"), files["datasets/params.yaml"])
        load_study(place, Path("datasets/params.yaml"))


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    YAML(typ="safe", pure=True).dump(content, path)


def test_the_new_architecture_of_the_page_is_the_one_that_is_tested():
    code = [text for language, text in FENCED.findall(text_of("docs/extend.md")) if language == "python"]
    assert code == [FILE, CLASS.partition("ARCHITECTURES")[0].strip("\n") + "\n"]
