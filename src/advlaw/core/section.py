"""Typed sections of a params file: how they are read, and what a mistake in one is answered with.

A stage reads the section it declares in dvc.yaml and nothing else, so that DVC knows what it depends on;
the `check` stage reads the whole file (`advlaw.config.study`).
"""

import difflib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from advlaw.core.io import read_text

NAME_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_-]*$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Share = Annotated[float, Field(gt=0, le=1)]


def _rise(values: list[Any]) -> list[Any]:
    if sorted(set(values)) != values:
        raise ValueError(f"{values}: must rise")
    return values


Rising = AfterValidator(_rise)


def _rising(shares: list[float]) -> list[float]:
    names = [f"{share:g}" for share in shares]  # what their files are called
    if sorted(shares) != shares or len(set(names)) < len(names):
        raise ValueError(f"{shares}: must rise, each different in six digits")
    return shares


Snapshots = Annotated[list[Share], AfterValidator(_rising), Field(default_factory=list)]


class ParamsError(ValueError):
    """A params file that cannot be used; one line per mistake: file, key, value and what is allowed."""


class Section(BaseModel):
    """Base of every section: strict types, no unknown keys, immutable."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, values: Any) -> Any:
        if isinstance(values, dict):
            refuse_unknown(values, tuple(cls.model_fields))
        return values


def refuse_unknown(values: dict[str, Any], allowed: Sequence[str]) -> None:
    """Raises ValueError for the first key that is none of those allowed."""
    for key in values:
        if key not in allowed:
            guess = difflib.get_close_matches(str(key), allowed, 1)
            hint = f"did you mean {guess[0]!r}? " if guess else ""
            raise ValueError(f"unknown key {key!r}; {hint}allowed: {', '.join(allowed)}")


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a params file, as YAML 1.2 (`1e-5` is a number, `on` is a string).

    Raises ParamsError where the file is missing, is not YAML or is not a mapping.
    """
    try:
        text = read_text(path)
    except FileNotFoundError:
        raise ParamsError(f"{path}: no such params file") from None
    except IsADirectoryError:
        raise ParamsError(f"{path}: is a folder; give a params file") from None
    except ValueError as error:
        raise ParamsError(str(error)) from None
    try:
        values = _parsed(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise ParamsError(f"{path}: line {line}: not valid YAML: {error.problem}") from None
    except (YAMLError, ValueError, OverflowError, RecursionError) as error:  # of characters and values
        raise ParamsError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise ParamsError(f"{path}: must be a mapping of sections, found {type(values).__name__}")
    return values


@cache  # a stage reads several sections of one file, and reading YAML takes a fifth of a second
def _parsed(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def read_section(path: Path, key: str, kind: Any) -> Any:
    """One validated value of a params file; `key` is dotted (`models.fc`), `kind` a Section or any type."""
    value: Any = read_yaml(path)
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            raise ParamsError(f"{path}: {key}: missing key {part!r}")
        value = value[part]
    return validate(value, kind, path, key)


def read_sections(path: Path, **kinds: Any) -> list[Any]:
    """Several top-level values: `study, seed = read_sections(path, study=str, seed=int)`."""
    return [read_section(path, key, kind) for key, kind in kinds.items()]


def validate(value: Any, kind: Any, path: Path, key: str = "") -> Any:
    """`value` as `kind`; raises ParamsError naming file, key, value and what is allowed."""
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        lines = [_sentence(path, key, value, detail) for detail in error.errors(include_url=False)]
        raise ParamsError("\n".join(lines)) from None


def _sentence(path: Path, key: str, value: Any, detail: Any) -> str:
    """`params.yaml: models.fc.epochs = -3: should be greater than 0`."""
    kind, given = detail["type"], detail["input"]
    location = [key] if key else []
    location += _location(detail["loc"], value, keep_last=kind == "missing")
    what = str(detail["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    if kind == "missing":
        what = "missing key"
    elif kind == "union_tag_not_found":
        location.append(detail["ctx"]["discriminator"].strip("'()"))
        what = "missing key"
    elif kind == "union_tag_invalid":
        location.append(detail["ctx"]["discriminator"].strip("'()"))
        given, what = detail["ctx"]["tag"], f"should be one of {detail['ctx']['expected_tags']}"
    shown = "" if isinstance(given, dict | list) else f" = {given!r}"
    where = ".".join(location)
    return f"{path}: {where}{shown}: {what}" if where else f"{path}: {what}"


def _location(loc: tuple[int | str, ...], value: Any, keep_last: bool) -> list[str]:
    """The keys on the way to a mistake; drops what is no key of the file, like the tags of unions."""
    path: list[str] = []
    for position, part in enumerate(loc):
        is_kept = keep_last and position == len(loc) - 1
        if isinstance(value, dict) and (part in value or is_kept):
            path.append(str(part))
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            path[-1:] = [f"{path[-1] if path else ''}[{part}]"]
            value = value[part]
    return path
