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
NAME = re.compile(r"\b[mp][0-9a-f]{10}\b")  # matplotlib's, of a shape that is drawn many times, and of a panel
UNTURNED = re.compile(r" transform='rotate\(-0 [^']*'")
SHAPE = re.compile(r"<path id='(m\d+)'[^>]*? style='([^']*)'")
USE = re.compile(r"(<use [^>]*?href='#(m\d+)'[^>]*?) style='([^']*)'")
LINES = re.compile(r"<path d='[^']*'((?: clip-path='[^']*')? style='fill:none;[^']*')/>(?:<path d='[^']*'\1/>)+")
DRAWN = re.compile(r"\bd='([^']*?) ?'")
USES = re.compile(r"<g( clip-path='[^']*')?>((?:<use [^>]*/>){2,})</g>")
STYLE = re.compile(r" style='([^']*)'")
JOINED = re.compile(r";?stroke-line(?:join|cap):[^;']*")  # which the document's rule for all elements decides
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
    names = {name: f"{name[0]}{number}" for number, name in enumerate(dict.fromkeys(NAME.findall(text)))}
    text = NAME.sub(lambda name: names[name[0]], text)
    styles = dict(SHAPE.findall(text))  # which a shape has itself, wherever it is drawn
    text = USE.sub(lambda use: use[1] if styles.get(use[2]) == use[3] else use[0], text)
    text = USES.sub(_styled_once, LINES.sub(_drawn_at_once, text)).replace("xlink:href=", "href=")
    is_left = 1
    while is_left:
        text, is_left = GROUP.subn(r"\1", text)
    return Picture(f"data:image/svg+xml,{quote(text, PLAIN)}", float(found[1]), float(found[2]))


def _drawn_at_once(lines: re.Match[str]) -> str:
    """Lines of one style that follow one another, as of error bars, as one; not where they shine through."""
    if "opacity" in lines[1]:
        return lines[0]
    return f"<path d='{''.join(DRAWN.findall(lines[0]))}'{lines[1]}/>"


def _styled_once(group: re.Match[str]) -> str:
    """A group of shapes of one style, which it bears for them; not where that is opacity, which is of a whole."""
    clip, shapes = group[1] or "", group[2]
    styles = set(STYLE.findall(shapes))
    if len(styles) > 1 or shapes.count("<use ") != len(STYLE.findall(shapes)):
        return group[0]
    (style,) = (JOINED.sub("", style) for style in styles)
    if re.search(r"(?:^|;)opacity:", style):
        return group[0]
    return f"<g{clip} style='{style}'>{STYLE.sub('', shapes)}</g>"


def _short(tag: re.Match[str]) -> str:
    """A tag with quotes that need no escaping, and without spaces, turns and digits that say nothing."""
    text = tag[0].replace("'", "&apos;").replace('"', "'").replace(": ", ":").replace("; ", ";")
    text = UNTURNED.sub("", text.replace("#000000", "#000").replace("#ffffff", "#fff"))
    return COMMAND.sub(r"\1", text) if text.startswith("<path") else text


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.1f}".removesuffix(".0")
