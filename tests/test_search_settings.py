"""The section `search`: what is wrong in one, and what a study without searches says."""

from pathlib import Path

import pytest
from searches import VALUES, settings

from advlaw.core.section import ParamsError, validate
from advlaw.search.settings import Searches


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"space": {"blocks": 2, "operations": ["conv_9x9"]}},
            "search.space: operations = ['conv_9x9']: must be different",
        ),
        ({"space": None}, "search: space: missing key, which searches need"),
        ({"child": {**VALUES["child"], "arch": "fc"}}, "search: child.arch: leave it out here"),
        ({"child": {**VALUES["child"], "filters": 0}}, "search.child.filters = 0: should be greater than"),
        ({"child": {**VALUES["child"], "filtres": 2}}, "unknown key 'filtres'; did you mean 'filters'?"),
        ({"child": {**VALUES["child"], "labels": "shuffled"}}, "labels = 'shuffled': is not for nets of a set"),
        (
            {"enlarged": {**VALUES["enlarged"], "nets": {"a": {"search": "none"}}}},
            "enlarged.nets.a.search = 'none': must be a search: step_ll, clean",
        ),
        (
            {"enlarged": {**VALUES["enlarged"], "nets": {"a": {"search": "clean", "arm": "random"}}}},
            "enlarged.nets.a.arm = 'random': searches.clean has no such children",
        ),
        (
            {"enlarged": {**VALUES["enlarged"], "nets": {"a": {"search": "clean", "adversarial": "clean"}}}},
            "enlarged.nets.a.adversarial = 'clean': its children are trained on clean images",
        ),
        (
            {"enlarged": {**VALUES["enlarged"], "nets": {"a": {"search": "clean", "images": 3}}}},
            "enlarged.nets.a.images = 3: needs adversarial",
        ),
        (
            {"enlarged": {"nets": {"a": {"search": "clean"}}}},
            "search.enlarged: net: missing key, which enlarged nets need",
        ),
        (
            {"enlarged": {**VALUES["enlarged"], "grid": {"learning_rat": [0.1]}}},
            "enlarged.grid: unknown key 'learning_rat'",
        ),
        (
            {"enlarged": {**VALUES["enlarged"], "grid": {"learning_rate": [0.1, -0.1]}}},
            "enlarged.grid.learning_rate: Input should be greater than 0",
        ),
    ],
)
def test_mistakes_in_the_params_are_named(change, message):
    with pytest.raises(ParamsError) as raised:
        settings(**change)
    assert message in str(raised.value)


def test_a_study_without_searches_says_so_in_three_lines():
    none = validate({"dataset": "mnist", "searches": {}, "enlarged": {"nets": {}}, "pictures": {}}, Searches, Path("p"))
    assert not none.searches
    assert not none.enlarged.nets
