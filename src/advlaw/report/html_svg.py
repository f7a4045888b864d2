"""Figures inside a page: an SVG file as an element that shares no id with any other and says in words what it shows."""

import hashlib
import re
import xml.etree.ElementTree as ET

VIEW_BOX = re.compile(r'viewBox="\S+ \S+ (\S+) \S+"')
DROPPED = {"metadata", "style"}
LONG_NUMBER = re.compile(r"-?\d+\.\d{2,}")
PLACED = {"d", "x", "y", "transform"}  # in 1/72 inch, of which a tenth is less than a reader can see
REFERENCE = re.compile(r"url\(#([^)]+)\)")
FONT = re.compile(r"font-family: [^;]*;? ?")  # the page has it once


def inline_svg(text: str, name: str, title: str) -> str:
    """An SVG document as an <svg> element for a page: its ids are of `name`, `title` is what a screen reader says.

    Prolog, metadata and ids that nothing refers to are dropped; the size comes from the page, the shape from viewBox.
    Raises ValueError where the text is no SVG, has no viewBox, or refers to something outside itself.
    """
    try:
        root = ET.fromstring(text)
    except ET.ParseError as error:
        raise ValueError(f"figure {name}: not an SVG file: {error}; draw it again with the figures stage") from None
    if _local(root.tag) != "svg" or "viewBox" not in root.attrib:
        raise ValueError(f"figure {name}: <{_local(root.tag)}> must be an <svg> with a viewBox")
    _drop(root)
    prefix = f"f{hashlib.sha256(name.encode()).hexdigest()[:6]}-"  # thousands of marks refer to an id: a short one
    for element in root.iter():
        _rename(element, name, prefix)
    used = {found for element in root.iter() for found in _references(element)}
    for element in root.iter():
        if element.get("id") not in used:
            element.attrib.pop("id", None)
    _unwrap(root)
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    root.attrib |= {"role": "img", "aria-labelledby": f"{name}-title"}
    heading = ET.Element("title", {"id": f"{name}-title"})
    heading.text = title
    root.insert(0, heading)
    return ET.tostring(root, encoding="unicode", short_empty_elements=True)


def width(svg: str) -> float:
    """Of an SVG's viewBox, in 1/72 inch."""
    found = VIEW_BOX.search(svg)
    assert found, "inline_svg has seen to it"
    return float(found[1])


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _drop(element: ET.Element) -> None:
    """Without metadata, style sheets (the page has one), comments and the white space between elements."""
    for child in list(element):
        if _local(child.tag) in DROPPED:
            element.remove(child)
        else:
            _drop(child)
    if len(element) and not (element.text or "").strip():
        element.text = None
    element.tail = None


def _unwrap(element: ET.Element) -> None:
    """Groups that say nothing of what is in them make room for it."""
    for child in element:
        _unwrap(child)
    element[:] = [inner for child in element for inner in (child if child.tag == "g" and not child.attrib else [child])]


def _rename(element: ET.Element, name: str, prefix: str) -> None:
    """Tags and attributes as HTML knows them, without name spaces; ids and references to them begin with `prefix`."""
    element.tag = _local(element.tag)
    for key in list(element.attrib):
        value = element.attrib.pop(key)
        key = _local(key)
        if key == "id":
            value = f"{prefix}{value}"
        elif key == "href" and value.startswith("#"):
            value = f"#{prefix}{value[1:]}"
        elif key == "href" and not value.startswith("data:"):
            raise ValueError(f"figure {name}: refers to {value}; a figure may refer only to itself")
        elif key == "style":
            value = FONT.sub("", value)
        elif key in PLACED and "scale" not in value and "matrix" not in value:
            value = LONG_NUMBER.sub(lambda number: f"{float(number[0]):.1f}".removesuffix(".0"), value)
        element.set(key, " ".join(REFERENCE.sub(rf"url(#{prefix}\1)", value).split()))


def _references(element: ET.Element) -> list[str]:
    found = [match for value in element.attrib.values() for match in REFERENCE.findall(value)]
    link = element.get("href", "")
    return [*found, link[1:]] if link.startswith("#") else found
