"""Params files that a slip of the hand, an editor or another program would leave: refused by name, or equal in meaning.

The oracle of each kind stands beside its generator. A refusal names the file and the key, or the mapping that it is in,
before anything is written; what is accepted differs from the file without the slip in nothing but that key.
"""

import copy
import io
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from common import Outcome, files
from repository import PARAMS, ROOT
from ruamel.yaml import YAML

from advlaw.config.study import Study, load_study
from advlaw.core.section import ParamsError

EACH = 40  # cases of every kind
Step = str | int
Place = tuple[Step, ...]

FREE_SIGN = {"entropy_weight"}  # numbers that may be negative
REFERENCES = (  # places whose value is a name of something else in the file; * is any key
    "sweeps.*.model", "sweeps.*.attacks.*", "models.*.dataset", "robust_models.*.dataset", "baselines.*",
    "robust_models.*.adversarial.attack", "theory.compared.*", "fit.headline.*", "trials.*.dataset",
    "trials.varied.base.adversarial.attack", "trials.varied.nets.*.baseline", "trials.*.measure.attacks.*",
    "response.nets.*.attacks.*", "search.dataset", "search.enlarged.nets.*.search", "search.pictures.*.net",
    "search.pictures.*.baseline", "search.pictures.*.attack", "search.measured.attack", "worst_case.protocol.weak",
    "worst_case.protocol.attacks.*", "worst_case.protocol.transferred.*", "worst_case.nets.*.source", "datasets.*",
)  # fmt: skip
ODD = ("ε→0", "名前", "a b", "a/b", "../up", "a\u202eb", "", "a\nb", "n\u0303", "\U0001f4a5", "-x", "a.b")
HUGE = (10**40, -(10**40), 1e308, -1e308, 2**63, 2**31)


class Base:
    """The params file without a slip, and how one with a slip is answered."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "params.yaml"
        self.values: dict[str, Any] = YAML(typ="safe", pure=True).load(PARAMS)
        self.study = self.load(PARAMS.encode())
        assert isinstance(self.study, Study), self.study
        self.before = files(folder)

    def load(self, content: bytes) -> Study | str:
        """The study, or what is said of a mistake."""
        self.file.write_bytes(content)
        try:
            return load_study(Path("params.yaml"), Path("datasets/params.yaml"))
        except ParamsError as error:
            return str(error)

    def places(self, wanted: Callable[[Place, Any], bool]) -> list[Place]:
        return [place for place, value in _walk(self.values) if place and wanted(place, value)]

    def changed(self, place: Place, change: Callable[[Any, Step], None]) -> bytes:
        """The file with a change to what holds the key at `place`."""
        values = copy.deepcopy(self.values)
        holder: Any = values
        for step in place[:-1]:
            holder = holder[step]
        change(holder, place[-1])
        return _written(values)

    def judge(self, found: Study | str, place: Place, expected: str) -> str:
        """What is broken: `expected` is `refused`, or `either`."""
        if isinstance(found, str):
            return self._judge_refusal(found, place)
        if expected == "refused":
            return "was accepted"
        others = [at for at in _differing(self.study.model_dump(), found.model_dump()) if not set(place) & set(at)]
        return f"also changed {others[0]}" if others else ""

    def _judge_refusal(self, found: str, place: Place) -> str:
        if not all(line.startswith("params.yaml: ") for line in found.splitlines()):
            return f"a line without the file's name: {found[:300]!r}"
        wanted = [name for step in place[-2:] if (name := str(step)) and not isinstance(step, int)]
        if wanted and not any(name in found or repr(name)[1:-1] in found for name in wanted):
            return f"names neither of {wanted}: {found[:300]!r}"
        return ""


def outcomes(folder: Path, seed: int) -> Iterator[Outcome]:
    """Needs `folder` as the working folder; EACH cases of every kind."""
    (folder / "datasets").mkdir()
    (folder / "datasets/params.yaml").write_bytes((ROOT / "datasets/params.yaml").read_bytes())
    base = Base(folder)
    for kind, cases in KINDS.items():
        rng = random.Random(f"{seed} {kind}")
        for number in range(EACH):
            place, content, expected = cases(base, rng)
            what = f"{'.'.join(map(str, place)) or 'whole file'} ({kind} {number} of seed {seed})"
            try:
                broken = base.judge(base.load(content), place, expected)
            except Exception as error:  # whatever it is: that is what is looked for
                broken = f"raised {type(error).__name__}: {error}"
            if not broken and {**files(folder), "params.yaml": b""} != {**base.before, "params.yaml": b""}:
                broken = "wrote something"
            yield Outcome(f"params: {kind}", what, broken)


Case = tuple[Place, bytes, str]


def _of_another_type(base: Base, rng: random.Random) -> Case:
    """Refused; null alone may stand for what is optional."""
    place = rng.choice(base.places(lambda place, value: True))
    value = _at(base.values, place)
    others: list[Any] = ["many", {"a": 1}, [1, "b"], [[]], True, 3.5, None]
    given = rng.choice([other for other in others if not _is_alike(other, value)])
    expected = "either" if given is None else "refused"
    return place, base.changed(place, lambda holder, key: _put(holder, key, given)), expected


def _out_of_range(base: Base, rng: random.Random) -> Case:
    """Refused: no number may be negative (but those of FREE_SIGN), infinite or none at all."""
    place = rng.choice(base.places(lambda place, value: _is_number(value)))
    given = rng.choice([-7, -0.5, float("inf"), float("nan"), float("-inf")])
    is_free = place[-1] in FREE_SIGN and given in (-7, -0.5)
    return place, base.changed(place, lambda holder, key: _put(holder, key, given)), "either" if is_free else "refused"


def _unknown_key(base: Base, rng: random.Random) -> Case:
    """Refused, wherever it is: where names are free it is an entry that says nothing."""
    place = rng.choice([(), *base.places(lambda place, value: isinstance(value, dict))])
    key = rng.choice(["extra", "epoch_s", "größe", "", "learning_rate ", "Seed", "__class__", "a.b"])
    return (*place, key), base.changed((*place, key), lambda holder, key: holder.__setitem__(key, 1)), "refused"


def _missing_key(base: Base, rng: random.Random) -> Case:
    """Refused, or as if its default had been written: nothing else changes."""
    place = rng.choice(base.places(lambda place, value: isinstance(place[-1], str)))
    return place, base.changed(place, lambda holder, key: holder.__delitem__(key)), "either"


def _reference_to_nothing(base: Base, rng: random.Random) -> Case:
    place = rng.choice(
        base.places(lambda place, value: isinstance(value, str) and any(map(_matches(place), REFERENCES)))
    )
    given = rng.choice(["nobody", "one_step.nobody", "fc.", "FC", "digits2"])
    return place, base.changed(place, lambda holder, key: _put(holder, key, given)), "refused"


def _odd_text(base: Base, rng: random.Random) -> Case:
    """Every text in the file is a name or one of a few words, so that none of these can stand there."""
    place = rng.choice(base.places(lambda place, value: isinstance(value, str)))
    given = rng.choice(ODD)
    return place, base.changed(place, lambda holder, key: _put(holder, key, given)), "refused"


def _huge(base: Base, rng: random.Random) -> Case:
    """Refused, or taken as it is written."""
    place = rng.choice(base.places(lambda place, value: _is_number(value)))
    return place, base.changed(place, lambda holder, key: _put(holder, key, rng.choice(HUGE))), "either"


def _another_style(base: Base, rng: random.Random) -> Case:
    """The same file as other programs would write it means the same; what is no YAML is refused."""
    name = rng.choice([*STYLES, *BROKEN])
    if name in STYLES:
        return (), STYLES[name](base.values), "either"
    return (), BROKEN[name](PARAMS), "refused"


def _dumped(values: Any, **settings: Any) -> bytes:
    yaml = YAML(typ="safe", pure=True)
    for key, value in settings.items():
        setattr(yaml, key, value)
    target = io.BytesIO()
    yaml.dump(values, target)
    return target.getvalue()


STYLES: dict[str, Callable[[Any], bytes]] = {
    "flow": lambda values: _dumped(values, default_flow_style=True),
    "block": lambda values: _dumped(values, default_flow_style=False),
    "narrow": lambda values: _dumped(values, width=20),
    "JSON": lambda values: json.dumps(values).encode(),
    "indented JSON": lambda values: json.dumps(values, indent=4).encode(),
    "ends of lines of Windows": lambda values: PARAMS.replace("\n", "\r\n").encode(),
    "byte order mark": lambda values: b"\xef\xbb\xbf" + PARAMS.encode(),
    "UTF-16": lambda values: PARAMS.encode("utf-16"),
    "document marks": lambda values: f"---\n{PARAMS}...\n".encode(),
    "comments": lambda values: "".join(f"{line} # ü\n" for line in PARAMS.splitlines()).encode(),
    "spaces at ends of lines": lambda values: "".join(f"{line}   \n" for line in PARAMS.splitlines()).encode(),
    "no end of the last line": lambda values: PARAMS.rstrip("\n").encode(),
    "reverse order": lambda values: _dumped(_reversed(values)),
    "anchors": lambda values: PARAMS.replace("eps: {sigma", "eps: &law {sigma").encode(),
}
BROKEN: dict[str, Callable[[str], bytes]] = {
    "tabs": lambda text: text.replace("  ", "\t").encode(),
    "twice the same key": lambda text: (text + "seed: 1\n").encode(),
    "two documents": lambda text: f"{text}---\n{text}".encode(),
    "an open bracket": lambda text: (text + "more: [1, 2\n").encode(),
    "cut short": lambda text: text[: len(text) // 2].encode(),
    "zeros": lambda text: text.encode() + bytes(10),
    "Latin-1": lambda text: f"# größe\n{text}".encode("latin-1"),
    "empty": lambda text: b"",
    "a list": lambda text: b"- a\n- b\n",
    "an object of Python": lambda text: (text + "more: !!python/object/apply:os.getcwd []\n").encode(),
    "an alias of nothing": lambda text: (text + "more: *nothing\n").encode(),
    "an alias of itself": lambda text: (text + "more: &more [*more]\n").encode(),
    "deep": lambda text: (text + f"more: {'[' * 3000}{']' * 3000}\n").encode(),
}
KINDS: dict[str, Callable[[Base, random.Random], Case]] = {
    "another type": _of_another_type,
    "out of range": _out_of_range,
    "unknown key": _unknown_key,
    "missing key": _missing_key,
    "reference to nothing": _reference_to_nothing,
    "odd text": _odd_text,
    "huge number": _huge,
    "another style": _another_style,
}


def _walk(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    yield place, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, below in inner:
        yield from _walk(below, (*place, step))


def _at(value: Any, place: Place) -> Any:
    for step in place:
        value = value[step]
    return value


def _put(holder: Any, key: Step, value: Any) -> None:
    holder[key] = value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_alike(other: Any, value: Any) -> bool:
    return (_is_number(other) and _is_number(value)) or type(other) is type(value)


def _matches(place: Place) -> Callable[[str], bool]:
    def match(pattern: str) -> bool:
        parts = pattern.split(".")
        return len(parts) == len(place) and all(
            part in ("*", str(step)) for part, step in zip(parts, place, strict=True)
        )

    return match


def _differing(before: Any, after: Any, at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The places of what differs in two studies."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before.keys() | after.keys():
            yield from _differing(before.get(key), after.get(key), (*at, str(key)))
    elif before != after:
        yield at


def _reversed(values: dict[str, Any]) -> dict[str, Any]:
    return dict(reversed(values.items()))


def _written(values: Any) -> bytes:
    return _dumped(values, default_flow_style=False, allow_unicode=True)
