"""The spec and the query that are drafted: hostile names stay texts, and what was assumed is written beside it."""

import ast
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from include.retraining import dialects, drafting, guessing, roles
from include.retraining.drafting import Draft
from include.retraining.guessing import Asked
from include.retraining.policies import Windows
from include.retraining.sizing import Sizes
from include.retraining.windows import Interval
from tests.retraining.tables import doubled, looks, orders

ORDERS = orders(5)
DAY = timedelta(days=1)
FIRST = datetime(2024, 1, 1, tzinfo=UTC)


def quote(name: str) -> str:
    return name if name.isidentifier() and name.islower() else '"' + name.replace('"', '""') + '"'


def draft(frame: pd.DataFrame = ORDERS, server: str = "sqlite", **changes) -> Draft:
    columns = looks(frame, **changes.pop("types", {}))
    guess = guessing.guess(columns, Asked(time="created_at", **changes.pop("asked", {})), doubled(frame))
    sizes = Sizes(
        **{
            "interval": "day",
            "start": FIRST,
            "end": FIRST + 30 * DAY,
            "delay": DAY,
            "has_void": False,
            "windows": Windows(),
            "rows": ((Interval(FIRST, FIRST + DAY), 100),),
            "is_dated": False,
            "reasons": {"--label-delay": "as asked"},
            **changes.pop("sizes", {}),
        }
    )
    spelling = dialects.spelled(server, "t.created_at", "timestamp", guess.time.example)
    found = {
        "name": "returns",
        "owner": "ann",
        "connection": "shop",
        "server": server,
        "table": "orders",
        "place": "orders",
        "quote": quote,
        "spelling": spelling,
        "guess": guess,
        "roles": roles.assign(columns, guess),
        "sizes": sizes,
        "has_end": False,
    }
    return Draft(**{**found, **changes})


def test_a_table_that_grows_has_no_end():
    assert "end=" not in drafting.spec_file(draft())
    assert "end=datetime(2024, 1, 31, tzinfo=UTC),  # the newest whole day" in drafting.spec_file(draft(has_end=True))


def test_only_what_differs_from_the_usual_is_written():
    usual = drafting.spec_file(draft())
    assert "Windows" not in usual
    assert "ValidationPolicy" not in usual
    small = drafting.spec_file(draft(sizes={"windows": Windows(holdout_intervals=3), "is_dated": True}))
    assert "windows=Windows(holdout_intervals=3)," in small
    assert 'validation=ValidationPolicy(fresh="off"),  # moments are dates' in small


def test_a_delay_of_nothing_is_known_at_the_end():
    found = draft(sizes={"delay": timedelta(0)})
    assert "label_delay=timedelta(0)," in drafting.spec_file(found)
    assert "CASE WHEN :end <= :as_of THEN t.returned END AS returned" in drafting.query_file(found)


@pytest.mark.parametrize("text", ['"""', "a\nb", 'x"', "'", "\\", '"); import os', "-- DROP TABLE t;"])
def test_no_text_ends_the_place_it_stands_in(text):
    found = draft(table=text, owner=text)
    fields = {
        one.arg: one.value for one in ast.walk(ast.parse(drafting.spec_file(found))) if isinstance(one, ast.keyword)
    }
    assert ast.literal_eval(fields["owner"]) == text
    remarks = drafting.query_file(found).partition("\nSELECT\n")[0].splitlines()
    assert all(line.startswith("--") for line in remarks)


def test_two_numbers_become_zero_and_one_and_truth_becomes_a_number_in_postgres():
    query = drafting.query_file(draft(ORDERS.assign(returned=ORDERS["returned"] + 1), asked={"label": "returned"}))
    assert "CASE WHEN t.returned = 2 THEN 1 WHEN t.returned IS NOT NULL THEN 0 END" in query
    flags = ORDERS.assign(returned=ORDERS["returned"] == 1, gift=ORDERS["pieces"] > 4)
    found = draft(flags, "postgres", asked={"label": "returned"}, types={"returned": "boolean", "gift": "boolean"})
    query = drafting.query_file(found)
    assert "CAST(t.gift AS INTEGER) AS gift" in query
    assert "THEN CAST(t.returned AS INTEGER) END AS returned" in query


def test_numbers_that_name_become_categories_as_text():
    query = drafting.query_file(draft(ORDERS.assign(store_id=ORDERS["pieces"])))
    assert "CAST(t.store_id AS VARCHAR(40)) AS store_id" in query


def test_long_lists_have_a_line_each():
    wide = ORDERS.assign(**{f"measure_{place:02d}": ORDERS["amount"] + place**2 for place in range(12)})
    assert '    numeric=(\n        "amount",\n' in drafting.spec_file(draft(wide))
