"""A run's validations: what earlier intervals showed, what is expected by default, and rows that are set aside."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from include.retraining import keys, records, scoring, screening, signing, snapshots
from include.retraining.folder import open_folder
from include.retraining.policies import OFF, ValidationPolicy
from include.retraining.registry import Registry
from include.retraining.snapshots import Frozen
from include.retraining.store import Store
from include.retraining.windows import Interval
from tests.retraining import desks, toy

pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")
SPEC = toy.spec()
QUIET = ValidationPolicy(fresh=OFF, volume=OFF, repeated=OFF, leakage=OFF)


@pytest.fixture
def desk(store, keyring) -> Registry:
    return Registry(store, keyring, SPEC.name)


def days(count: int = 6, rows: int = toy.ROWS) -> list[pd.DataFrame]:
    return [toy.rows(number, rows) for number in range(count)]


def screened(desk: Registry, frames: list[pd.DataFrame], spec=SPEC, run: str = "manual__1") -> dict:
    inputs = toy.pin(desk.store, desk.keyring, spec, frames, run=run)
    return screening.screen(desk, spec, inputs)


def stored(desk: Registry, section: dict) -> dict:
    return signing.unseal(desk.store.get(section["key"]), section["key"])


def row(desk: Registry, section: dict, kind: str) -> dict:
    return next(one for one in stored(desk, section)["expectations"] if one["type"] == kind)


class TestDefaults:
    def test_sound_rows_hold_what_is_expected_of_every_model(self, desk):
        section = screened(desk, days())
        assert section["outcome"] == "pass"
        found = stored(desk, section)["expectations"]
        assert {one["type"] for one in found if one["source"] == "default"} == {
            "expect_column_values_to_be_between",
            "expect_column_max_to_be_between",
            "expect_table_row_count_to_be_between",
            "expect_column_mean_to_be_between",
        }
        assert sum(one["type"] == "expect_column_values_to_be_unique" for one in found) == 1, (
            "the suite says it already"
        )

    def test_half_a_delivery_is_stale(self, desk):
        frames = days()
        frames[-1] = frames[-1].head(30)
        section = screened(desk, frames)
        assert section["outcome"] == "warn"
        assert section["failed"] == ["warning: expect_column_max_to_be_between (sent_at)"]

    def test_half_a_delivery_is_small_once_three_weeks_are_known(self, desk):
        spec = toy.spec(
            windows=replace(SPEC.windows, training_intervals=30), validation=replace(QUIET, volume="warning")
        )
        frames = days(22)
        frames[-1] = frames[-1].head(30)
        section = screened(desk, frames, spec)
        assert section["failed"] == ["warning: expect_table_row_count_to_be_between"]
        found = row(desk, section, "expect_table_row_count_to_be_between")
        assert (found["number"], found["low"], found["high"]) == (30.0, 42.0, 78.0)
        assert "30% around 60, the median of 3 earlier of the same weekday" in found["limit"]

    def test_until_then_the_number_of_rows_is_not_judged_and_it_says_so(self, desk):
        found = row(desk, screened(desk, days()), "expect_table_row_count_to_be_between")
        assert found["success"]
        assert not found["judged"]
        assert found["observed"] == "not judged: 0 earlier of the same weekday, 3 are needed"

    def test_yesterdays_delivery_under_todays_date_is_noticed(self, desk):
        frames = days()
        keys_of_today = toy.rows(5)[["sent_at", "parcel"]]
        frames[-1] = frames[-2].assign(sent_at=keys_of_today["sent_at"])
        section = screened(desk, frames)
        assert (
            "warning: expect_column_mean_to_be_between (rows that the interval before did not have)"
            in section["failed"]
        )

    def test_a_feature_that_tells_the_label_refuses_the_interval(self, desk):
        frames = days(6, 200)
        frames[2]["weight"] = frames[2]["late"]
        section = screened(desk, frames)
        (reason,) = section["refused"].values()
        assert "features that tell the label: there must be none (found weight)" in reason

    def test_a_spec_may_silence_each(self, desk):
        section = screened(desk, days(), toy.spec(validation=QUIET))
        sources = [one["source"] for one in stored(desk, section)["expectations"]]
        assert sources.count("default") == 1, "rows lie inside their interval"

    def test_rows_outside_the_interval_are_critical(self, desk):
        frames = days()
        frames[-1].loc[:, "sent_at"] = frames[0]["sent_at"].to_numpy()
        assert screened(desk, frames)["outcome"] == "fail"


class TestQuarantine:
    @pytest.fixture
    def frames(self):
        """A doubled key in a day of training, and another in the day under test: 2 of 300 rows each."""
        frames = days(6, 300)
        for number in (1, 5):
            frames[number].loc[8, "parcel"] = frames[number].loc[7, "parcel"]
        return frames

    def test_the_run_goes_on_with_the_rest_and_says_how_many(self, desk, frames):
        section = screened(desk, frames)
        assert section["outcome"] == "warn"
        assert section["refused"] == {}
        assert section["quarantined"] == 2
        assert section["sentence"].endswith("2 rows (0.67 %) were set aside, each with its reason; the rest goes on.")

    def test_what_was_set_aside_can_be_read_with_the_reason(self, desk, frames):
        told = stored(desk, screened(desk, frames))["quarantined"]
        data = desk.store.get(told["key"])
        assert signing.sha256(data) == told["sha256"]
        aside = pd.read_parquet(io.BytesIO(data))
        assert aside["position"].tolist() == [7, 8]
        assert aside["reason"].unique().tolist() == ["parcel: values must be unique"]

    def test_training_and_drift_read_the_rest(self, desk, frames):
        inputs = toy.pin(desk.store, desk.keyring, SPEC, frames)
        kept = records.validated(inputs, screening.screen(desk, SPEC, inputs))
        assert kept.snapshot(toy.day(1)).rows == 298
        assert kept.snapshot(toy.day(1)).rest_of == inputs.snapshot(toy.day(1)).sha256
        assert kept.snapshot(toy.day(0)) == inputs.snapshot(toy.day(0))
        rows = scoring.labelled_rows(desk.store, SPEC, kept, [toy.day(1)])[toy.day(1)]
        assert len(rows) == 298

    def test_doubled_labels_are_set_aside_too(self, desk, frames):
        section = screened(desk, frames)
        assert list(section["kept"]["labels"]) == list(section["kept"]["snapshots"])[:1]

    def test_a_rerun_changes_nothing(self, desk, frames):
        first = screened(desk, frames)
        before = desks.objects(desk.store)
        assert screened(desk, frames) == first
        assert desks.objects(desk.store) == before

    def test_a_later_run_begins_with_the_whole_snapshot(self, desk, frames):
        screened(desk, frames)
        found = snapshots.newest(desk.store, desk.keyring, f"{SPEC.name}/snapshots/{span(toy.day(1))}/", toy.day(9).end)
        assert found.rest_of is None
        assert found.rows == 300

    def test_a_change_of_the_suite_releases_them(self, desk, frames, suite_file):
        screened(desk, frames)
        released = replace(SPEC, validation=replace(SPEC.validation, unique=OFF), suite=suite_file("snapshot"))
        section = screened(desk, frames, released)
        assert section["quarantined"] == 0
        assert section["kept"] == {"snapshots": {}, "labels": {}}


def test_a_run_by_parts_tells_what_one_of_whole_frames_tells(keyring, tmp_path):
    frames = days(6, 300)
    for number in (1, 5):
        frames[number].loc[8, "parcel"] = frames[number].loc[7, "parcel"]
    whole, parts = (_told(open_folder(tmp_path / str(most)), keyring, frames, most) for most in (300, 70))
    assert len(whole["rests"]) == 2, "two days have a doubled key"
    assert parts == whole


def _told(store: Store, keyring, frames: list[pd.DataFrame], rows_at_once: int) -> dict:
    """Return results, pages and rests of a run, but for the bytes of the rests: their row groups differ."""
    desk = Registry(store, keyring, SPEC.name)
    section = screened(desk, frames, toy.spec(validation=replace(SPEC.validation, rows_at_once=rows_at_once)))
    found = [signing.unseal(store.get(one.key), one.key) for one in store.list(f"{SPEC.name}/validations")]
    rests = [snapshots.read(store, Frozen(**one)) for one in section["kept"]["snapshots"].values()]
    return {
        "results": [{**one, "quarantined": one.get("quarantined", {}).get("rows")} for one in found],
        "pages": [store.get(one.key) for one in store.list(f"{SPEC.name}/data-docs")],
        "rests": [one.fillna({"distance": -1}).to_dict("list") for one in rests],
    }


@pytest.fixture
def suite_file(tmp_path):
    """Return where a suite of one expectation lies."""

    def written(on: str) -> Path:
        column = {"snapshot": "region", "labels": "parcel"}[on]
        kind = {"snapshot": "expect_column_values_to_not_be_null", "labels": "expect_column_values_to_be_unique"}[on]
        expectation = {"type": kind, "kwargs": {"column": column}, "severity": "critical", "meta": {"on": on}}
        path = tmp_path / f"{on}.json"
        path.write_text(json.dumps({"name": "parcels", "expectations": [expectation]}))
        return path

    return written


def span(interval: Interval) -> str:
    return keys.span(interval)


def test_numbers_are_kept_for_trends_and_limits(desk):
    found = row(desk, screened(desk, days()), "expect_column_values_to_not_be_null")
    assert (found["number"], found["low"], found["high"]) == (0.0, None, 0.0)
    many = row(desk, screened(desk, days()), "expect_table_row_count_to_be_between")
    assert (many["number"], many["low"], many["high"]) == (60.0, None, None), "measured, not judged yet"


def test_a_day_can_be_compared_with_the_same_season_of_the_year_before(desk, tmp_path, monkeypatch):
    """Three weeks are validated; 52 weeks later half a delivery comes in a week of which no weekday is known yet."""
    rows = {"type": "expect_table_row_count_to_be_between", "kwargs": {}, "severity": "warning"}
    rows["meta"] = {"relative_to": "season", "tolerance": 0.3}
    path = tmp_path / "season.json"
    path.write_text(json.dumps({"name": "parcels", "expectations": [rows]}))
    sizes = replace(SPEC.windows, training_intervals=30)
    spec = toy.spec(suite=path, start=toy.START, windows=sizes, validation=replace(QUIET, volume=OFF))
    first = row(desk, screened(desk, days(22), spec, "manual__1"), rows["type"])
    assert first["observed"].startswith("not judged: 0 earlier of the same weekday at this time of earlier years")

    monkeypatch.setattr(toy, "START", toy.START + 364 * toy.DAY)
    frames = days(6)
    frames[-1] = frames[-1].head(30)
    section = screened(desk, frames, spec, "manual__2")
    assert section["failed"] == ["warning: expect_table_row_count_to_be_between"]
    found = row(desk, section, rows["type"])
    assert (found["number"], found["low"], found["high"]) == (30.0, 42.0, 78.0)
    assert "the median of 3 earlier of the same weekday at this time of earlier years" in found["limit"]
