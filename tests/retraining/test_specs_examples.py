"""The example models that come with the product: their suites fit their specs, and real days meet them."""

import json
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from include.retraining import expectations, labelling, specs, warehouse
from include.retraining.validation import About, validate

pytestmark = pytest.mark.door
EXAMPLES = ("arrival_minutes", "delay_class")


def read(settings, name: str, day: str):
    spec = specs.load(name)
    interval = next(one for one in spec.timetable.intervals(spec.end) if str(one.start)[:10] == day)
    return spec, interval, warehouse.read(settings, spec, interval, interval.end + timedelta(days=1))


def outcome(spec, interval, labels: pd.DataFrame):
    suite = expectations.for_labels(expectations.load(spec.suite))
    return validate(labels, suite, About(spec.name, interval, "a" * 64, frozenset(), spec.timezone))


@pytest.mark.parametrize("name", specs.names())
def test_a_suite_fits_its_spec(name):
    spec = specs.load(name)
    suite = expectations.load(spec.suite)
    expectations.check(expectations.for_snapshot(suite), spec.stored)
    expectations.check(expectations.for_labels(suite), {*spec.key_columns, spec.label, "status"})
    assert suite.name == spec.name


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_flights_of_every_example_are_validated_alike(name):
    """A limit that is mended for one model is mended for all: they read one table."""
    found = [json.loads(specs.load(one).suite.read_text())["expectations"] for one in ("flight_delays", name)]
    of_rows = [[one for one in listed if one["meta"].get("on") != "labels"] for listed in found]
    assert of_rows[0] == of_rows[1]


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize(
    ("day", "expected"),
    [("2013-01-15", "pass"), ("2013-02-08", "warn"), ("2013-03-10", "pass")],
    ids=["an ordinary day", "the storm", "a day of 23 hours"],
)
def test_labels_of_real_days_meet_their_suite(warehouse_settings, name, day, expected):
    spec, interval, rows = read(warehouse_settings, name, day)
    found = outcome(spec, interval, labelling.label_frame(rows, spec))
    assert found.outcome == expected, found.result["sentence"]


HARM = {
    "minutes to seconds": ("arrival_minutes", lambda held: held * 60),
    "a constant": ("arrival_minutes", lambda held: held.where(held.isna(), 0.0)),
    "infinite": ("arrival_minutes", lambda held: held.where(held < 60, np.inf)),
    "text": ("arrival_minutes", lambda held: held.map("{} min".format).astype("str")),
    "another spelling": ("delay_class", lambda held: held.str.upper()),
    "numbers": ("delay_class", lambda held: pd.Series(np.ones(len(held)), held.index)),
}


@pytest.mark.parametrize(("name", "harm"), HARM.values(), ids=HARM)
def test_harmed_labels_are_refused(warehouse_settings, name, harm):
    spec, interval, rows = read(warehouse_settings, name, "2013-01-15")
    labels = labelling.label_frame(rows, spec)
    labels[spec.label] = harm(labels[spec.label])
    assert outcome(spec, interval, labels).outcome == "fail"


def test_the_three_models_agree_on_what_became_of_a_flight(warehouse_settings):
    frames = {name: read(warehouse_settings, name, "2013-02-08")[2] for name in specs.names()}
    minutes, late = frames["arrival_minutes"]["minutes"], frames["flight_delays"]["late"]
    arrival = frames["delay_class"]["arrival"]
    assert ((minutes > 15) == (late == 1)).all()
    assert ((minutes > 15) == (arrival == "late")).all()
    assert ((minutes < -15) == (arrival == "early")).all()
    assert (minutes.isna() == arrival.isna()).all()
    assert (frames["arrival_minutes"]["void"] == frames["flight_delays"]["void"]).all()
