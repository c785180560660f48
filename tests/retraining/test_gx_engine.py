"""Great Expectations, asked by its lower face, answers as it does by its upper one, and knows single rows."""

import great_expectations as gx
import pandas as pd
import pytest
from great_expectations.data_context.data_context.context_factory import set_context
from great_expectations.expectations.expectation import Expectation

from include.retraining import expectations, gx_engine, specs, warehouse
from include.retraining.expectations import Suite
from tests.conftest import ROOT
from tests.retraining import toy

pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")
FRAME = toy.rows(0)[list(toy.spec().stored)]
BETWEEN, MEAN = "expect_column_values_to_be_between", "expect_column_mean_to_be_between"


def suite(*listed: tuple[str, dict]) -> Suite:
    return Suite("t", tuple({"type": kind, "kwargs": kw, "severity": "critical", "notes": ""} for kind, kw in listed))


def plain(frame: pd.DataFrame, wanted: Suite) -> list:
    """Return what Great Expectations finds when it is asked as its own guide says."""
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("plain").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch(batch_parameters={"dataframe": frame})
    found = batch.validate(expectations.to_gx(wanted), result_format="SUMMARY").results
    set_context(None)  # a global of Great Expectations', which the product never sets
    by_form = {one.expectation_config.to_json_dict()["type"] + str(_kwargs(one.to_json_dict())): one for one in found}
    return [by_form[one["type"] + str(_kwargs(one))] for one in map(_config, expectations.to_gx(wanted).expectations)]


def _config(one) -> dict:
    return {"expectation_config": one.configuration.to_json_dict(), "type": one.configuration.type}


def _kwargs(one: dict) -> dict:
    return {name: held for name, held in sorted(one["expectation_config"]["kwargs"].items()) if name != "batch_id"}


def test_every_answer_is_the_one_that_great_expectations_gives_by_itself():
    wanted = expectations.for_snapshot(expectations.load(ROOT / "tests" / "retraining" / "parcels_suite.json"))
    broken = FRAME.assign(weight=FRAME["weight"] * 100, region=None)
    for frame in (FRAME, broken):
        ours, theirs = gx_engine.judge(frame, wanted), plain(frame, wanted)
        assert [one["success"] for one in ours] == [one.success for one in theirs]
        for mine, other in zip(ours, theirs, strict=True):
            if not mine["success"]:
                told = other.to_json_dict()["result"]
                told.pop("partial_unexpected_index_list", None)  # positions are asked for by a quarantine alone
                assert mine["result"] == told


def test_so_it_is_for_every_expectation_on_a_day_of_real_flights_and_on_a_harmed_one(warehouse_settings):
    """Limits that depend on the interval are the binding's and not Great Expectations', so they are left out."""
    spec = specs.load("flight_delays")
    day = spec.timetable.intervals(spec.start + 12 * toy.DAY)[-1]
    rows = warehouse.read(warehouse_settings, spec, day, day.end)[list(spec.stored)]
    half = expectations.for_snapshot(expectations.load(spec.suite))
    fixed = [one for one in half.expectations if not one.get("relative_to") and "$PARAMETER" not in str(one)]
    assert len(fixed) > 40
    wanted = Suite(half.name, tuple(fixed), half.on)
    for frame in (rows, rows.assign(temp=rows["temp"] * 10, dest=rows["origin"])):
        for mine, other in zip(gx_engine.judge(frame, wanted), plain(frame, wanted), strict=True):
            theirs = other.to_json_dict()["result"]
            assert mine["success"] == other.success
            assert mine["result"].get("observed_value") == theirs.get("observed_value")
            assert mine["result"].get("unexpected_count") == theirs.get("unexpected_count")


def test_great_expectations_is_left_as_it_was():
    before = Expectation.configuration
    gx_engine.judge(FRAME, suite((MEAN, {"column": "distance"}), (BETWEEN, {"column": "nowhere", "min_value": 0})))
    assert Expectation.configuration is before


def test_means_and_deviations_are_those_of_pandas():
    stdev = "expect_column_stdev_to_be_between"
    found = gx_engine.judge(FRAME, suite((MEAN, {"column": "distance"}), (stdev, {"column": "distance"})))
    assert [one["result"]["observed_value"] for one in found] == [FRAME["distance"].mean(), FRAME["distance"].std()]


def test_the_rows_that_do_not_hold_are_known_by_position():
    frame = FRAME.set_index(FRAME.index + 1000)
    frame.iloc[[3, 7], frame.columns.get_loc("weight")] = -1.0
    frame.iloc[9, frame.columns.get_loc("parcel")] = frame["parcel"].iloc[8]
    found = gx_engine.unexpected_rows(
        frame,
        suite(
            (BETWEEN, {"column": "weight", "min_value": 0}),
            ("expect_column_values_to_be_unique", {"column": "parcel"}),
            (MEAN, {"column": "weight", "max_value": 0}),
        ),
    )
    assert found == [[3, 7], [8, 9], []]


def test_no_progress_bar_reaches_the_log(capfd):
    gx_engine.judge(FRAME, suite((MEAN, {"column": "weight"})))
    assert "Calculating Metrics" not in "".join(capfd.readouterr())
