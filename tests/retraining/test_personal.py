"""Which columns look like personal data."""

import pytest

from include.retraining import personal
from tests.retraining.tables import one

MANY = [f"x{place}" for place in range(100)]


@pytest.mark.parametrize(
    ("name", "values", "what"),
    [
        ("email", MANY, "an e-mail address"),
        ("contact", [f"a{place}@b.org" for place in range(99)], "an e-mail address"),
        ("CustomerPhone", list(range(99)), "a telephone number"),
        (
            "reach",
            [*(f"+49 151 2345{place}" for place in range(10, 30)), "0049 30 1234-567", "030 1234567"],
            "a telephone number",
        ),
        ("name", MANY, "a name"),
        ("first_name", MANY, "a name"),
        ("Surname", MANY, "a name"),
        ("street", MANY, "an address"),
        ("client_ip", MANY, "a network address"),
        ("seen_from", [f"10.0.0.{place}" for place in range(99)], "a network address"),
        ("pay", [f"DE893704004405320130{place}" for place in range(10, 99)], "an official number"),
        ("date_of_birth", [f"19{place}-01-01" for place in range(10, 99)], "a date of birth"),
        ("password", MANY, "a secret"),
    ],
)
def test_personal_data_are_seen_by_name_or_by_form(name, values, what):
    assert personal.about(one(name, values)) == what


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("product_name", MANY),
        ("store_name", MANY),
        ("shipping", MANY),
        ("amount", [1.5, 2.5]),
        ("weekday", ["Mon", "Tue"]),
        ("ip", ["only one", "only one"]),
        ("has_phone", [0, 1]),
        ("phone_calls", list(range(99))),
    ],
)
def test_other_columns_are_nobodys(name, values):
    assert personal.about(one(name, values)) is None


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("customer_id", list(range(100)), True),
        ("session", MANY, True),
        ("reference", MANY, True),
        ("store_id", list(range(10)) * 10, False),
        ("customer_age", list(range(99)), False),
        ("amount", [place / 7 for place in range(100)], False),
        ("comment", [f"all good {place}" for place in range(100)], False),
    ],
)
def test_identifiers_name_single_things(name, values, expected):
    assert personal.is_identifier(one(name, values)) is expected
