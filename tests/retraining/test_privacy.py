"""The private view: what is dropped or pseudonymised is nowhere after it."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.retraining import privacy
from tests.retraining import toy

SPEC = toy.spec(observed=("note", "phone"), privacy={"note": "pseudonymise", "phone": "drop", "region": "keep"})
FRAME = toy.rows(count=5).assign(phone="555-0100")
NAMES = st.lists(st.none() | st.text(min_size=1), min_size=1, max_size=8)


def test_dropped_columns_are_gone_and_the_others_are_as_they_were():
    view = privacy.private_view(FRAME, SPEC, "secret")
    untouched = [column for column in FRAME if column not in {"phone", "note"}]
    assert list(view.columns) == [column for column in FRAME if column != "phone"]
    pd.testing.assert_frame_equal(view[untouched], FRAME[untouched])


def test_the_warehouses_frame_is_not_changed():
    before = FRAME.copy()
    privacy.private_view(FRAME, SPEC, "secret")
    pd.testing.assert_frame_equal(FRAME, before)


def test_a_pseudonym_worked_by_hand():
    """HMAC-SHA256 of RFC 4231, test case 2, cut to 16 hex digits."""
    assert privacy.pseudonym("what do ya want for nothing?", "Jefe") == "5bdcc146bf60754e"


def pseudonyms(values: list[str | None], secret: str = "secret") -> list[str | None]:
    frame = FRAME.iloc[[0] * len(values)].reset_index(drop=True).assign(note=pd.Series(values, dtype="str"))
    found = privacy.private_view(frame, SPEC, secret)["note"]
    return [None if pd.isna(value) else value for value in found]


@given(NAMES)
def test_equal_values_keep_equal_pseudonyms_and_nulls_stay_null(values):
    found = pseudonyms(values)
    assert [value is None for value in found] == [value is None for value in values]
    assert len(set(found)) == len(set(values))
    assert all(len(value) == privacy.PSEUDONYM_LENGTH for value in found if value is not None)


@given(NAMES, st.text(min_size=1))
def test_another_secret_gives_other_pseudonyms(values, secret):
    known = [value for value in values if value is not None]
    if secret != "secret" and known:
        assert not set(pseudonyms(known)) & set(pseudonyms(known, secret))


def test_a_column_without_any_value_stays_without():
    assert pseudonyms([None, None]) == [None, None]


def test_a_view_of_no_rows_has_the_columns():
    view = privacy.private_view(FRAME.iloc[:0], SPEC, "secret")
    assert len(view) == 0
    assert "phone" not in view


@pytest.mark.parametrize(
    ("rules", "expected"), [({"note": "pseudonymise"}, True), ({"note": "drop"}, False), ({}, False)]
)
def test_a_secret_is_needed_only_for_pseudonyms(rules, expected):
    assert privacy.needs_secret(toy.spec(privacy=rules)) is expected
