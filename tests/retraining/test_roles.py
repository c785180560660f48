"""What becomes of each column: a feature, observed, hidden, or left out with the reason."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from include.retraining.guessing import Asked, guess
from include.retraining.roles import Roles, assign, names, settles
from tests.retraining.tables import doubled, looks, orders

ORDERS = orders(10)
MOMENTS = pd.to_datetime(ORDERS["created_at"])
RANDOM = np.random.default_rng(3)


def roles(frame: pd.DataFrame = ORDERS, **asked) -> Roles:
    columns = looks(frame)
    asked = {"time": "created_at", "label": "returned", "key": ("order_id",), **asked}
    return assign(columns, guess(columns, Asked(**asked), doubled(frame)))


def test_numbers_and_categories_are_features():
    found = roles()
    assert names(found.numeric) == ("amount", "pieces")
    assert names(found.categorical) == ("region",)


def test_personal_columns_are_dropped_and_those_of_the_key_get_pseudonyms():
    found = roles()
    assert found.privacy == {"order_id": "pseudonymise"}
    assert found.dropped == {"email": "looks like an e-mail address"}
    assert names(found.observed) == ()


def left_out(values, **asked) -> str:
    found = roles(ORDERS.assign(extra=values), **asked)
    assert "extra" not in (*names(found.numeric), *names(found.categorical), *names(found.observed))
    return found.left_out["extra"]


def test_what_tells_the_label_is_left_out():
    assert (
        left_out(ORDERS["returned"] * 3 + RANDOM.uniform(0, 1, len(ORDERS))) == "leaks: by itself it tells 'returned'"
    )
    assert left_out(np.where(ORDERS["returned"], "refunded", "kept")) == "leaks: by itself it tells 'returned'"
    assert left_out(ORDERS["amount"] * 2, label="amount") == "leaks: by itself it tells 'amount'"


def test_what_is_empty_where_the_label_is_becomes_known_with_it():
    void = np.arange(len(ORDERS)) % 10 == 0
    frame = ORDERS.assign(
        returned=ORDERS["returned"].where(~void), inspected=RANDOM.normal(size=len(ORDERS)), weight=ORDERS["amount"] / 7
    )
    frame.loc[void, "inspected"] = np.nan
    found = roles(frame)
    assert found.left_out == {"inspected": "leaks: it is empty where the label is, so it becomes known with it"}


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (MOMENTS + pd.Timedelta(days=3), "leaks: it lies after 'created_at' in 100 % of the rows that have it"),
        (MOMENTS - pd.Timedelta(days=3), "a moment; a feature would be a number made of it, such as an age in days"),
        ("always", "it never varies"),
        (None, "it is empty"),
        (pd.Series([1.0] * 5).reindex(ORDERS.index) * ORDERS.index, "empty in 100 % of the rows"),
        (range(len(ORDERS)), "it numbers the rows"),
    ],
)
def test_what_cannot_help_is_left_out(values, why):
    assert left_out(values) == why


def test_a_part_of_the_date_is_no_feature():
    found = roles(ORDERS.assign(order_day=MOMENTS.dt.day, day=RANDOM.integers(1, 9, len(ORDERS))))
    assert found.left_out == {"order_day": "a part of the date: no date comes twice"}
    assert "day" in names(found.numeric)


def test_names_of_single_things_get_pseudonyms_and_sentences_are_dropped():
    places = RANDOM.integers(0, 600, len(ORDERS))
    found = roles(
        ORDERS.assign(
            customer_id=places,
            store_id=places % 9,
            vehicle=[f"N{place:04d}" for place in places],
            remark=[f"please ring at door {place}" for place in places],
        )
    )
    assert found.privacy == {"order_id": "pseudonymise", "customer_id": "pseudonymise", "vehicle": "pseudonymise"}
    assert set(found.dropped) == {"email", "remark"}
    assert names(found.observed) == ("customer_id", "vehicle")
    assert "store_id" in names(found.categorical), "a number that names something is a category"


@pytest.mark.parametrize(
    ("moments", "expected"),
    [
        ((MOMENTS + pd.Timedelta(days=3)).where(ORDERS["returned"] == 1), ("later", timedelta(days=3))),
        (MOMENTS + pd.Timedelta(days=3), None),
        ((MOMENTS + pd.Timedelta(days=3)).where(ORDERS.index % 2 == 0), None),
        ((MOMENTS - pd.Timedelta(days=3)).where(ORDERS["returned"] == 1), None),
    ],
    ids=["with one label", "with every label", "by chance", "before the row"],
)
def test_a_later_moment_of_some_labels_says_how_long_labels_take(moments, expected):
    columns = looks(ORDERS.assign(later=moments.dt.strftime("%Y-%m-%d %H:%M:%S")))
    asked = Asked(time="created_at", label="returned", key=("order_id",))
    assert settles(columns, guess(columns, asked, doubled(ORDERS))) == expected
