"""Effects: one per feature and one per missing share, in a fixed order, and what chance shows of each."""

import numpy as np
import pandas as pd
import pytest

from include.retraining import effects
from tests.retraining import toy

SPEC = toy.spec(numeric=("x",), categorical=("c",), slices=())
DAYS = [pd.DataFrame({"x": [0.0, 1.0], "c": ["a", "b"]}), pd.DataFrame({"x": [2.0, np.nan], "c": ["b", None]})]


def test_a_shape_is_made_of_all_intervals():
    shapes = effects.shapes_of(DAYS, SPEC, ())
    assert shapes["c"] == {"levels": ["a", "b"]}
    assert (shapes["x"]["edges"][1], shapes["x"]["edges"][-1]) == (0.0, 2.0)
    assert effects.shapes_of([], SPEC, ()) == {}


def test_a_pseudonymised_feature_is_marked_so_that_no_value_is_told():
    spec = toy.spec(numeric=(), categorical=("c",), slices=(), privacy={"c": "pseudonymise"})
    assert effects.shapes_of(DAYS, spec, ())["c"] == {"levels": ["a", "b"], "hidden": True}


def test_predictions_are_numbers_or_the_probabilities_of_classes():
    chances = [np.array([[0.4, 0.6], [0.2, 0.8]])]
    assert "edges" in effects.shapes_of(DAYS, SPEC, [np.array([0.1, 0.2])])[effects.PREDICTIONS]
    assert effects.shapes_of(DAYS, SPEC, chances)[effects.PREDICTIONS]["classes"] == 2


def test_sizes_come_in_the_order_of_the_names():
    shapes = effects.shapes_of(DAYS, SPEC, ())
    first, second = (effects.tally(shapes, rows, None).counts for rows in DAYS)
    assert effects.names(shapes) == ["x", "c", "x missing", "c missing"]
    assert effects.sizes(shapes, first, second).tolist() == [1.0, 0.5, 0.5, 0.5]
    assert effects.floors(shapes).tolist() == [0.02, 0.02, 0.01, 0.01]


def test_predictions_are_counted_beside_the_features():
    guess = np.array([0.25, 0.75])
    shapes = effects.shapes_of(DAYS[:1], SPEC, [guess])
    assert effects.tally(shapes, DAYS[0], guess).counts[effects.PREDICTIONS].sum() == 2.0
    assert effects.PREDICTIONS not in effects.tally(shapes, DAYS[0], None).counts


def test_chance_shows_less_of_more_rows_until_there_are_as_many_as_usual():
    rows = pd.DataFrame({"x": np.arange(4000.0), "c": ["a", "b"] * 2000})
    shapes = effects.shapes_of([rows], SPEC, ())
    reference = effects.tally(shapes, rows, None).counts
    shown = [
        effects.expected(shapes, reference, effects.tally(shapes, rows[:count], None).counts, typical=1000.0)
        for count in (50, 200, 1000, 4000)
    ]
    assert shown[0][0] == pytest.approx(shown[1][0] * 2, rel=0.05)
    assert shown[1][0] > shown[2][0] == shown[3][0]
    assert shown[0][2] == 0.0, "nothing is missing"


def test_against_nothing_chance_shows_nothing():
    shapes = effects.shapes_of(DAYS, SPEC, ())
    none = effects.tally(shapes, DAYS[0][:0], None).counts
    found = effects.tally(shapes, DAYS[0], None).counts
    assert effects.expected(shapes, none, found, 10.0).tolist() == [0.0] * 4
    assert effects.expected(shapes, found, none, 10.0).tolist() == [0.0] * 4
