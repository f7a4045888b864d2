"""Kurakin's claims about ImageNet: judged on ImageNet nets where a study has some, else on any data."""

from advlaw.claims.finding import PERCENT, Finding, inside, proportion
from advlaw.claims.power_laws import IMAGENET, imagenet
from advlaw.claims.study import Evidence, by_curve, near, number


def fgsm_error(study: Evidence) -> Finding:
    """K01: FGSM of eps in [2, 32] leaves a plain ImageNet net a top-1 error of 63 to 69 %."""
    parts = []
    for curve, rows in by_curve(imagenet(study.rows("error_curves", attack="fgsm"))).items():
        for row in (row for row in rows if 2 <= number(row, "eps") <= 32 and not row["defence"]):
            n_images = int(study.rows("exponents", curve=curve)[0]["n_images"])
            found = proportion(1 - number(row, "accuracy"), n_images)
            parts.append(inside(curve, f"top-1 error at eps = {number(row, 'eps'):.2g}", found, (0.63, 0.69), PERCENT))
    return Finding(tuple(parts), IMAGENET)


def iterative_least_likely_error(study: Evidence) -> Finding:
    """K02: iter. l.l. makes more than 99 % of ImageNet's images wrong; judged at eps = 16, on any data."""
    curves = by_curve([row for row in study.rows("error_curves", attack="iter_ll") if not row["defence"]])
    known = imagenet([rows[0] for rows in curves.values()])
    parts = []
    for curve, rows in curves.items():
        if known and rows[0] not in known:
            continue
        row = near(rows, "eps", 16.0)
        if row is None:
            continue
        n_images = int(study.rows("exponents", curve=curve)[0]["n_images"])
        error = proportion(1 - number(row, "accuracy"), n_images)
        parts.append(inside(curve, f"error at eps = {number(row, 'eps'):.2g}", error, (0.99, 1.0), unit=PERCENT))
    remark = "" if known or not parts else "nets on small images in place of ImageNet's, whose 16 in 255 go further"
    return Finding(tuple(parts), "no sweep with iter. l.l. in this study", not known, remark)
