"""Typed sections of a params file: how they are read, and what a mistake in one is answered with.

A stage reads the section it declares in dvc.yaml and nothing else, so that DVC knows what it depends on;
the `check` stage reads the whole file (`advlaw.config.study`).
"""

import difflib
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

T = TypeVar("T")
NAME_PATTERN = r"^[A-Za-z0-9_-]+$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class ParamsError(ValueError):
    """A params file that cannot be used; one line per mistake: file, key, value and what is allowed."""


class Section(BaseModel):
    """Base of every section: strict types, no unknown keys, immutable."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        for key in values:
            if key not in cls.model_fields:
                guess = difflib.get_close_matches(str(key), cls.model_fields, 1)
                hint = f"did you mean {guess[0]!r}? " if guess else ""
                raise ValueError(f"unknown key {key!r}; {hint}allowed: {', '.join(cls.model_fields)}")
        return values


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a params file, as YAML 1.2 (`1e-5` is a number, `on` is a string).

    Raises ParamsError where the file is missing, is not YAML or is not a mapping.
    """
    try:
        values = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParamsError(f"{path}: no such params file") from None
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise ParamsError(f"{path}: line {line}: not valid YAML: {error.problem}") from None
    if not isinstance(values, dict):
        raise ParamsError(f"{path}: must be a mapping of sections, found {type(values).__name__}")
    return values


def read_section(path: Path, key: str, kind: type[T] | Any) -> T:
    """One validated value of a params file; `key` is dotted (`models.fc`), `kind` a Section or any type."""
    value: Any = read_yaml(path)
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            raise ParamsError(f"{path}: {key}: missing key {part!r}")
        value = value[part]
    return validate(value, kind, path, key)


def validate(value: Any, kind: Any, path: Path, key: str = "") -> Any:
    """`value` as `kind`; raises ParamsError naming file, key, value and what is allowed."""
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        lines = [_sentence(path, key, value, detail) for detail in error.errors(include_url=False)]
        raise ParamsError("\n".join(lines)) from None


def _sentence(path: Path, key: str, value: Any, detail: Any) -> str:
    """`params.yaml: models.fc.epochs = -3: should be greater than 0`."""
    location = _location(detail["loc"], value)
    where = ".".join(part for part in (key, *location) if part)
    what = str(detail["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    if detail["type"] == "missing":
        return f"{path}: {where}: missing key"
    if isinstance(detail["input"], dict | list):
        return f"{path}: {where}: {what}" if where else f"{path}: {what}"
    return f"{path}: {where} = {detail['input']!r}: {what}"


def _location(loc: tuple[int | str, ...], value: Any) -> list[str]:
    """The dotted path of a mistake; drops what is no key of the file (the tags of unions)."""
    path = []
    for position, part in enumerate(loc):
        is_last = position == len(loc) - 1
        if isinstance(value, dict) and (part in value or is_last):
            path.append(str(part))
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            path[-1:] = [f"{path[-1]}[{part}]"] if path else [f"[{part}]"]
            value = value[part]
    return path
