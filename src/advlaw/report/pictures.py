"""Figures inside a page: an SVG file as an image whose address holds all of it."""

import re
from typing import NamedTuple
from urllib.parse import quote

OPEN = re.compile(r'<svg [^>]*?viewBox="\S+ \S+ (\S+) (\S+)"')
DROPPED = re.compile(r'<metadata>.*?</metadata>|<!--.*?-->|(?<=<g) id="[^"]*"| font-family: [^;"]*;?', re.DOTALL)
FONTS = '<svg font-family="DejaVu Sans, Verdana, sans-serif" '  # matplotlib's, and one whose letters are as wide
PLACED = re.compile(r' (?:d|x|y|transform)="(?![^"]*scale)[^"]*"')  # in 1/72 inch, rounded to a tenth of that
LONG_NUMBER = re.compile(r"-?\d+\.\d{2,}")
TAG = re.compile(r"<[^>]*>")
MARKER = re.compile(r"\bm[0-9a-f]{10}\b")  # matplotlib's name of a shape that is drawn many times
UNTURNED = re.compile(r" transform='rotate\(-0 [^']*'")
SHAPE = re.compile(r"<path id='(m\d+)'[^>]*? style='([^']*)'")
USE = re.compile(r"(<use [^>]*?href='#(m\d+)'[^>]*?) style='([^']*)'")
COMMAND = re.compile(r" ?\b([MLQCZ])(?: |(?='))")  # of a path
GROUP = re.compile(r"<g>((?:(?!</?g[ >]).)*)</g>", re.DOTALL)  # that says nothing, and has no other in it
PLAIN = " !$'()*+,/:;=>?@[]^{|}~"  # needs no escaping in such an address, nor in HTML


class Picture(NamedTuple):
    """An image's address, and its width and height in 1/72 inch."""

    address: str
    width: float
    height: float


def picture(name: str, svg: str) -> Picture:
    """An SVG document as an image, its coordinates rounded and without metadata, since a page holds many.

    Raises ValueError where the text is no SVG with a viewBox.
    """
    found = OPEN.search(svg)
    if not found:
        raise ValueError(f"figure {name}: not an SVG file with a viewBox; run the figures stage again")
    text = DROPPED.sub("", svg[found.start() :]).replace("<svg ", FONTS, 1)
    text = PLACED.sub(lambda place: LONG_NUMBER.sub(_rounded, place[0]), text)
    text = TAG.sub(_short, " ".join(text.split()).replace("> <", "><"))
    names = {name: f"m{number}" for number, name in enumerate(dict.fromkeys(MARKER.findall(text)))}
    text = MARKER.sub(lambda marker: names[marker[0]], text)
    styles = dict(SHAPE.findall(text))  # which a shape has itself, wherever it is drawn
    text = USE.sub(lambda use: use[1] if styles.get(use[2]) == use[3] else use[0], text)
    is_left = 1
    while is_left:
        text, is_left = GROUP.subn(r"\1", text)
    return Picture(f"data:image/svg+xml,{quote(text, PLAIN)}", float(found[1]), float(found[2]))


def _short(tag: re.Match[str]) -> str:
    """A tag with quotes that need no escaping, and without spaces, turns and digits that say nothing."""
    text = tag[0].replace("'", "&apos;").replace('"', "'").replace(": ", ":").replace("; ", ";")
    text = UNTURNED.sub("", text.replace("#000000", "#000").replace("#ffffff", "#fff"))
    return COMMAND.sub(r"\1", text) if text.startswith("<path") else text


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.1f}".removesuffix(".0")
