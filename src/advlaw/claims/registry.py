"""Where views and odd claims are registered, beside their definitions, in any module of this package.

A view is a table made for judging from a study's committed tables and params; checks.csv refers to it by the name of
its function. An odd claim is one whose verdict is more than a rule on a number: a function of a study.
"""

from collections.abc import Callable
from functools import cache

import pandas as pd

from advlaw.claims.finding import Finding
from advlaw.claims.study import Evidence

View = Callable[[Evidence], pd.DataFrame]
Judge = Callable[[Evidence], Finding]
VIEWS: dict[str, View] = {}
ODD: dict[str, Judge] = {}


def view(*tables: str) -> Callable[[View], View]:
    """Register a view, made once for a study; it has no rows where one of these tables has none."""

    def registered(make: View) -> View:
        @cache
        def made(study: Evidence) -> pd.DataFrame:
            return pd.DataFrame() if any(study.rows(table).empty for table in tables) else make(study)

        VIEWS[make.__name__] = made
        return made

    return registered


def claim(name: str) -> Callable[[Judge], Judge]:
    """Register the function that judges a claim."""

    def registered(judge: Judge) -> Judge:
        assert name not in ODD, f"{name} is judged by two functions"
        ODD[name] = judge
        return judge

    return registered
