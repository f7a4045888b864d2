"""The tables of docs/params.md: every key of every section, what values it takes, its default and its meaning.

Keys, values and defaults are taken from the typed sections. Meanings are written by hand, in the last column of the
tables, and are kept when a table is made anew: in the sections' own files, which every stage depends on, correcting
one would retrain every net.
"""

import re
from collections.abc import Iterator
from typing import Any

from advlaw.config.study import Study
from advlaw.core.section import NAME_PATTERN
from advlaw.data.settings import Datasets
from advlaw.models.settings import Composed
from advlaw.report.pages import replace_block
from advlaw.report.render import Cell, Grid, Marked, markdown

HEADS = ("key", "value", "default", "meaning")
MARKER = re.compile(r"<!-- keys (\w+) -->\n(.*?)<!-- /keys \1 -->", re.DOTALL)
ROW = re.compile(r"^\| `([^`]+)` \|.* \| (.*?) ?\|$", re.MULTILINE)
PATTERNS = {NAME_PATTERN: "name", r"^[0-9a-f]{64}$": "64 hexadecimal digits"}
TYPES = {"integer": "integer", "number": "number", "string": "text", "boolean": "`true`, `false`", "object": "mapping"}
LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}

Schema = dict[str, Any]


def sections() -> dict[str, Schema]:
    """The JSON schema of every section that a params file can hold, by the name of its class."""
    found: dict[str, Schema] = {}
    for whole in (Study, Datasets):
        schema = whole.model_json_schema()
        found |= {whole.__name__: schema, **schema["$defs"]}
    return found


class Reference:
    """One state of the page: the tables it has, and the headings that other tables link to.

    A section with a table of its own, between `<!-- keys Name -->` and `<!-- /keys Name -->`, is linked to where it is
    a value. The keys of any other stand in the table of the section that holds it, as `rays.count`.
    """

    def __init__(self, page: str) -> None:
        self.page = page
        self.schemas = sections()
        self.meanings = {name: dict(ROW.findall(block)) for name, block in MARKER.findall(page)}

    def filled(self) -> str:
        """The page with new tables. Raises ValueError for a table without a section, or a section without a table."""
        shown = {name: self.schemas[name] for name in self.meanings if name in self.schemas}
        if unknown := self.meanings.keys() - shown:
            raise ValueError(f"the params have no section {', '.join(sorted(unknown))}; remove its table from the page")
        page, seen = self.page, set(shown)
        for name in shown:
            rows: list[list[Cell]] = []
            for section, key, values, without in self.keys(name):
                seen.add(section)
                rows.append([Marked(key, "code"), self.described(values), without, self.meanings[name].get(key, "")])
            page = replace_block(page, f"keys {name}", markdown(Grid(HEADS, rows)))
        if missing := self.schemas.keys() - seen:
            names = ", ".join(sorted(missing))
            raise ValueError(
                f"no table shows the keys of {names}; add <!-- keys NAME --> and <!-- /keys NAME --> for it"
            )
        return page

    def keys(self, name: str, prefix: str = "") -> Iterator[tuple[str, str, Schema, str]]:
        """Each key of a section's table: the section it belongs to, its dotted name, its schema and its default."""
        schema = self.schemas[name]
        for key, values in schema.get("properties", {}).items():
            if key in parts(name):
                continue
            yield name, prefix + key, values, "" if key in schema.get("required", []) else default(values)
            for inner, between in referred(values):
                if inner not in self.meanings:
                    yield from self.keys(inner, f"{prefix}{key}.{between}")

    def described(self, values: Schema) -> str:
        """The values of a key: `integer ≥ 1`, a list of such, one of some words, or the keys of a section."""
        if "$ref" in values:
            return self.section(values["$ref"].rpartition("/")[2])
        if choices := values.get("anyOf") or values.get("oneOf"):
            return " or ".join(self.described(each) for each in choices if each.get("type") != "null")
        if "enum" in values or "const" in values:
            return ", ".join(f"`{word}`" for word in values.get("enum", [values.get("const")]))
        if values.get("type") == "array":
            return f"list of {length(values)}{self.described(values['items'])}"
        if inner := values.get("patternProperties"):
            return f"mapping of names: {self.described(*inner.values())}"
        limits = ", ".join(f"{sign} {values[limit]:g}" for limit, sign in LIMITS.items() if limit in values)
        return f"{text(values.get('pattern', '')) or TYPES[values['type']]} {limits}".strip()

    def section(self, name: str) -> str:
        """A link to the section's table, named as the heading above it; else its keys."""
        if name not in self.meanings:
            return ", ".join(f"`{key}`" for key in self.schemas[name]["properties"] if key not in parts(name))
        before = self.page.partition(f"<!-- keys {name} -->")[0]
        heading = re.findall(r"^#+ (.*)$", before, re.MULTILINE)[-1]
        return f"[{heading}](#{anchor(heading)})"


def parts(name: str) -> set[str]:
    """Fields of a composed section that are no keys of a file: what they hold stands beside the section's own keys."""
    kind = next((kind for kind in subclasses(Composed) if kind.__name__ == name), None)
    return {"architecture", *kind.beside} if kind else set()


def subclasses(kind: type[Any]) -> Iterator[type[Any]]:
    for each in kind.__subclasses__():
        yield from (each, *subclasses(each))


def text(pattern: str) -> str:
    """What a text is that must match a pattern: a name, or a key of some families of attacks; else nothing."""
    families = re.match(r"\^\(([\w|]+)\)\\\.", pattern)
    if families:
        return ", ".join(f"`{family}.<name>`" for family in families[1].split("|"))
    return PATTERNS.get(pattern, "")


def referred(values: Schema) -> Iterator[tuple[str, str]]:
    """The sections that a value may be, and what of a dotted key lies between: nothing, or `<name>.` of a mapping."""
    if "$ref" in values:
        yield values["$ref"].rpartition("/")[2], ""
    for each in (*values.get("anyOf", ()), *values.get("oneOf", ())):
        yield from referred(each)
    for inner in values.get("patternProperties", {}).values():
        yield from ((name, f"<name>.{between}") for name, between in referred(inner))


def default(values: Schema) -> str:
    """The value of a key that is left out."""
    value = values.get("default", {} if values.get("type") == "object" else [])
    if value is None:
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def length(values: Schema) -> str:
    """How many items a list has, where not any number will do."""
    least = values.get("minItems", 0)
    if least == values.get("maxItems"):
        return f"{least}: "
    return f"{least} or more: " if least else ""


def anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def undescribed(page: str) -> list[str]:
    """Every key of the page, as `Section key`, that has no meaning yet."""
    found = Reference(page).meanings
    return [f"{name} {key}" for name, meanings in found.items() for key, meaning in meanings.items() if not meaning]
