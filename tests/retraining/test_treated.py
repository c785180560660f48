"""Rows that a pipeline fills or clips: counted by feature, and a word where a share has doubled."""

import numpy as np
import pandas as pd
import pytest

from include.retraining import treated

MANIFEST = {
    "treatment": {"kept": ["weight", "distance"], "low": [1.0, 0.0], "high": [20.0, 500.0], "medians": [10.0, 80.0]},
    "missing_shares": {"weight": 0.0, "distance": 0.1},
}


def rows(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"weight": [10.0] * 100, "distance": [np.nan] * 10 + [80.0] * 90, **columns})


def test_an_ordinary_interval_is_treated_as_in_training():
    found = treated.touched(rows(), MANIFEST)
    assert found == {
        "weight": {"filled": 0.0, "clipped": 0.0, "usually_filled": 0.0},
        "distance": {"filled": 0.1, "clipped": 0.0, "usually_filled": 0.1},
    }
    assert treated.warnings(found) == []


def test_a_share_that_has_doubled_is_told():
    found = treated.touched(rows(distance=[np.nan] * 20 + [80.0] * 80), MANIFEST)
    assert treated.warnings(found) == ["distance: 20 % filled in (10 % in training)"]


def test_values_on_a_limit_are_not_clipped_and_beyond_it_they_are():
    found = treated.touched(rows(weight=[1.0, 20.0, 0.9, 20.1] + [10.0] * 96), MANIFEST)
    assert found["weight"]["clipped"] == 0.02
    assert treated.warnings(found) == ["weight: 2 % clipped (0.2 % in training)"]


@pytest.mark.parametrize(("missing", "words"), [(1, []), (2, ["weight: 2 % filled in (0 % in training)"])])
def test_one_row_in_a_hundred_is_worth_no_word(missing, words):
    found = treated.touched(rows(weight=[np.nan] * missing + [10.0] * (100 - missing)), MANIFEST)
    assert treated.warnings(found) == words


def test_the_largest_is_named_first_and_the_rest_is_counted():
    shares = {f"f{place}": {"filled": 0.1 + place / 100, "usually_filled": 0.0, "clipped": 0.0} for place in range(5)}
    told = treated.sentence(treated.warnings(shares))
    assert told.startswith(" More rows than usual were treated: f4: 14 % filled in (0 % in training); f3: ")
    assert told.endswith(" and 2 more.")
    assert treated.sentence([]) == ""


def test_an_empty_interval_and_a_manifest_of_an_earlier_release_are_no_error():
    assert treated.touched(rows().head(0), MANIFEST) == {}
    assert treated.touched(rows(), {}) == {}
