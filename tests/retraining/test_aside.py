"""What was set aside can be listed and looked at, with the reasons and without anything personal."""

import pytest

from include.retraining import aside, keys, screening
from include.retraining.errors import BadInput, IntegrityError
from include.retraining.registry import Registry
from tests.retraining import toy

pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")
SPEC = toy.spec()
SPAN = keys.span(toy.day(3))


@pytest.fixture
def screened(store, keyring):
    """Return a store in which a doubled key of the fourth day was set aside, in its rows and in its labels."""
    frames = [toy.rows(number, 300) for number in range(5)]
    frames[3].loc[8, "parcel"] = frames[3].loc[7, "parcel"]
    inputs = toy.pin(store, keyring, SPEC, frames)
    screening.screen(Registry(store, keyring, SPEC.name), SPEC, inputs)
    return store


def test_each_interval_has_a_line(screened):
    lines = aside.listed(screened, SPEC.name)
    assert {(line["interval"], line["on"], line["rows"]) for line in lines} == {
        (SPAN, "snapshot", 2),
        (SPAN, "labels", 2),
    }
    assert lines[0]["share"] == pytest.approx(2 / 300, abs=1e-6)


def test_the_rows_of_one_are_shown_with_the_reason_and_nothing_personal(screened):
    found = [line for line in aside.rows(screened, SPEC, SPAN) if "weight" in line]
    assert [line["position"] for line in found] == [7, 8]
    assert {line["reason"] for line in found} == {"parcel: values must be unique"}
    assert {line["note"] for line in found} == {"hidden"}


def test_another_interval_is_refused_with_those_that_there_are(screened):
    with pytest.raises(BadInput, match=f"Nothing was set aside of 'x'. Intervals with rows set aside: {SPAN}."):
        aside.rows(screened, SPEC, "x")


def test_altered_rows_are_not_shown(screened):
    key = next(one.key for one in screened.list(keys.quarantines(SPEC.name)))
    screened.put(key, screened.get(key)[:-4])
    with pytest.raises(IntegrityError, match=r"has .* bytes, its manifest says"):
        aside.rows(screened, SPEC, SPAN)


def test_without_any_the_list_is_empty(store):
    assert aside.listed(store, SPEC.name) == []
