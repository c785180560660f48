"""What a column looks like: moments, numbers, texts; and plain names for odd ones."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pandas as pd
import pytest

from include.retraining.errors import DataError
from include.retraining.looks import MOMENT, NUMBER, OTHER, TEXT, clean, look
from tests.retraining.tables import one


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2, None], NUMBER),
        ([Decimal("1.5"), Decimal(2)], NUMBER),
        ([True, False, None], NUMBER),
        (["1.5", "2", None], NUMBER),
        (["007", "123"], TEXT),
        (["2024-01-31", "2024-02-01"], MOMENT),
        (["2024-01-31T12:00:00Z", "2024-01-31 12:00:00.5+01:00", None], MOMENT),
        (["2024-01-31", "soon"], TEXT),
        ([date(2024, 1, 31), None], MOMENT),
        ([datetime(2024, 1, 31, tzinfo=UTC)], MOMENT),
        (["20240131"], NUMBER),
        ([None, None], OTHER),
        ([b"x", b"y"], OTHER),
        ([{"a": 1}, {"a": 2}], OTHER),
    ],
)
def test_a_column_is_told_by_what_it_holds(values, kind):
    assert one("x", pd.Series(values, dtype="object")).kind == kind


def test_moments_are_in_utc_and_numbers_are_floats():
    (moment, _) = one("x", ["2024-01-31 01:00:00+01:00", None]).values
    assert moment == datetime(2024, 1, 31, tzinfo=UTC)
    assert one("x", ["1", None]).values.dtype == "float64"


def test_odd_names_become_plain_distinct_ones():
    odd = ["Größe (m²)", 'say "x"', "select", "Select", "label", "Label", "日本", "2nd", "status", " a "]
    names = clean(odd)
    assert list(names.values()) == [
        *(
            "groesse_m2",
            "say_x",
            "select",
            "select_2",
            "label",
            "label_2",
            "column_7",
            "column_2nd",
            "status_value",
            "a",
        )
    ]


@pytest.mark.parametrize("name", ["a\nb", "a\x00", "a\\b", "  "])
def test_names_that_cannot_stand_in_a_query_are_refused(name):
    with pytest.raises(DataError, match=r"names of no or of odd characters. Rename them"):
        look(pd.DataFrame({name: [1]}), {name: "integer"})


def test_words_of_a_name():
    assert one("CustomerID", ["a"]).words == ["customer", "id"]
    assert one("e_mail-address2", ["a"]).words == ["e", "mail", "address", "2"]
