"""The attacks to run, by the names that an audit uses, or by settings as in params.yaml."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, get_args

from advlaw.attacks.settings import Family
from advlaw.audit.params import ONE_STEP, pgd

FAMILIES = get_args(Family)
Section = dict[str, dict[str, Any]]  # `attacks` of params.yaml: family -> name -> settings


def chosen_attacks(attacks: str | Sequence[str] | Mapping[str, Mapping[str, Any]], steps: int) -> Section:
    """The section `attacks` of params.yaml. Raises ValueError for an unknown name, and without any."""
    if not isinstance(attacks, Collection):
        raise ValueError(f"attacks = {attacks!r}: must be a name, or several in a tuple; choose from {_names()}")
    if not attacks:
        raise ValueError(f"attacks = {attacks!r}: names no attack; choose from {_names()}")
    if isinstance(attacks, str):
        attacks = (attacks,)
    if not isinstance(attacks, Mapping):
        attacks = {name: _usual(name, steps) for name in map(_text, attacks)}
    found: Section = {family: {} for family in FAMILIES}
    for name, settings in attacks.items():
        family = settings.get("family") if isinstance(settings, Mapping) else None
        if not isinstance(family, str) or family not in FAMILIES:
            raise ValueError(f"attacks: {name}: family = {family!r}; must be one of {', '.join(FAMILIES)}")
        found[family][name] = {key: value for key, value in settings.items() if key != "family"}
    return found


def _text(name: Any) -> str:
    if not isinstance(name, str):
        raise ValueError(f"attacks: {name!r} is no name; choose from {_names()}")
    return name


def _usual(name: str, steps: int) -> dict[str, Any]:
    if name in ONE_STEP:
        return {"family": "one_step", **ONE_STEP[name]}
    if name != "pgd":
        raise ValueError(
            f"attacks: {name!r} is unknown; choose from {_names()}, or give a mapping of names to settings: "
            '{"mine": {"family": "one_step", "direction": "sign", "clip": True}}'
        )
    if steps < 1:
        raise ValueError(f"steps = {steps!r}: must be a whole number, at least 1, for pgd")
    return {"family": "iterative", **pgd(steps)}


def _names() -> str:
    return ", ".join((*ONE_STEP, "pgd"))
