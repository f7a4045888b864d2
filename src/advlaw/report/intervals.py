"""A claim's line: the number that decides it, drawn with its interval against the range that the claim allows."""

import math

from markupsafe import Markup

from advlaw.claims.wording import allowed, number
from advlaw.claims.worst import own_parts, worst
from advlaw.core.io import Cells

WIDTH, HEIGHT, MARGIN = 168.0, 18.0, 8.0
SVG = Markup(
    '<svg class="interval {verdict}" role="img" aria-label="{label}" viewBox="0 0 168 18" width="168" height="18">'
    "{shapes}</svg>"
)
BAND = Markup('<rect class="band" x="{:.1f}" y="1" width="{:.1f}" height="16"/>')
END = Markup('<path class="end" d="M{0:.1f} 1V17"/>')
OTHER = Markup('<circle class="other" cx="{:.1f}" cy="9" r="2"/>')
BAR = Markup('<path class="bar" d="M{:.1f} 9H{:.1f}"/>')
DOT = Markup('<circle cx="{:.1f}" cy="9" r="3.5"/>')


def line(claim: Cells) -> Cells:
    """Of a claim as `advlaw.claims.wording.displayed` has it: `number` is that of its worst part, `about` says what
    it is, `allowed` the range and `interval` the drawing, all empty for a claim that was not judged."""
    own = own_parts(claim["found"])
    if not own:
        return {"number": "", "about": "", "allowed": "", "interval": ""}
    part = worst(own)
    told = {"number": number(part), "allowed": allowed(part)}
    place = f"worst of {len(own)}: " if len(own) > 1 else ""
    about = f"{place}{', '.join(filter(None, (part['subject'], part['remark'], part['quantity'])))}"
    return {**told, "about": about, "interval": drawn(part, own)}


def drawn(part: Cells, own: list[Cells]) -> Markup:
    """A dot, a bar and a band on an axis of their own, and as faint dots the other numbers with the same range.

    Empty where there is no number. An end that the range has not is the drawing's edge.
    """
    if math.isnan(part["value"]):
        return Markup("")
    alike = ("quantity", "allowed_low", "allowed_high")
    others = [one["value"] for one in own if one is not part and all(_same(one[name], part[name]) for name in alike)]
    ends = [part["allowed_low"], part["allowed_high"]]
    known = [x for x in (*others, *ends, *(part[name] for name in ("value", "low", "high"))) if not math.isnan(x)]
    least, most = min(known), max(known)
    span = most - least or 1.0

    def at(x: float) -> float:
        return MARGIN + (WIDTH - 2 * MARGIN) * (x - least) / span if most > least else WIDTH / 2

    left, right = (edge if math.isnan(end) else at(end) for end, edge in zip(ends, (0.0, WIDTH), strict=True))
    shapes = [BAND.format(left, max(right - left, 1.0))]
    shapes += [END.format(at(end)) for end in ends if not math.isnan(end)]
    shapes += [OTHER.format(at(value)) for value in others if not math.isnan(value)]
    if part["low"] < part["high"]:
        shapes.append(BAR.format(at(part["low"]), at(part["high"])))
    shapes.append(DOT.format(at(part["value"])))
    label = f"{number(part)}; allowed: {allowed(part)}"
    return SVG.format(verdict=part["verdict"], label=label, shapes=Markup("").join(shapes))


def _same(one: float | str, other: float | str) -> bool:
    """Equal, or both missing."""
    return one == other or (one != one and other != other)
