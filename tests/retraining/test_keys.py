"""Object keys: each in its one form, read back as it was written."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from include.retraining import keys
from include.retraining.windows import Interval

DAY = Interval(datetime(2013, 2, 1, 5, tzinfo=UTC), datetime(2013, 2, 2, 5, tzinfo=UTC))
SPAN = "20130201T050000Z--20130202T050000Z"
AS_OF, SHA, SUITE = datetime(2013, 2, 3, 5, tzinfo=UTC), "0123456789ab" + "c" * 52, "fedcba987654" + "0" * 52

WRITTEN = {
    keys.snapshots("m"): "m/snapshots/",
    keys.snapshots("m", DAY): f"m/snapshots/{SPAN}/",
    keys.snapshot_rows("m", DAY, AS_OF, SHA): f"m/snapshots/{SPAN}/20130203T050000Z-0123456789ab/rows.parquet",
    keys.labels("m", DAY): f"m/labels/{SPAN}/",
    keys.label_rows("m", DAY, AS_OF, SHA): f"m/labels/{SPAN}/20130203T050000Z-0123456789ab.parquet",
    keys.rows_manifest("m/snapshots/a/b/rows.parquet"): "m/snapshots/a/b/manifest.json",
    keys.rows_manifest("m/labels/a/b.parquet"): "m/labels/a/b.parquet.json",
    keys.validations("m"): "m/validations/",
    keys.validation("m", DAY, SHA, SUITE): f"m/validations/{SPAN}/0123456789ab-fedcba987654/result.json",
    keys.data_docs("m", DAY): f"m/data-docs/{SPAN}/",
    keys.data_docs_page("m", DAY, SHA, SUITE): f"m/data-docs/{SPAN}/0123456789ab-fedcba987654.html",
    keys.runs("m"): "m/runs/",
    keys.run("m", DAY, "manual__1"): f"m/runs/{SPAN}/manual__1/",
    keys.inputs("m", DAY, "manual__1"): f"m/runs/{SPAN}/manual__1/inputs.json",
    keys.record(keys.run("m", DAY, "r"), 3): f"m/runs/{SPAN}/r/record-3.json",
    keys.run_hint(
        "m", "scheduled__2013-02-01T05:00:00+00:00"
    ): "m/hints/runs/scheduled__2013-02-01T05_00_00_00_00.json",
    keys.predictions("m"): "m/predictions/",
    keys.prediction_rows("m", DAY, "v", None): f"m/predictions/{SPAN}/v-raw.parquet",
    keys.prediction_rows("m", DAY, "v", SHA): f"m/predictions/{SPAN}/v-0123456789ab.parquet",
    keys.rows_manifest(keys.prediction_rows("m", DAY, "v", None)): f"m/predictions/{SPAN}/v-raw.parquet.json",
    keys.calibrations("m", DAY): f"m/calibrations/{SPAN}/",
    keys.calibration("m", DAY, "v", SHA): f"m/calibrations/{SPAN}/v-0123456789ab.json",
    keys.candidate("m", "v", "model.joblib"): "m/candidates/v/model.joblib",
    keys.versions("m"): "m/versions/",
    keys.version("m", "20130201-abc", "manifest.json"): "m/versions/20130201-abc/manifest.json",
    keys.promotion("m", 7): "m/promotions/00000007.json",
    keys.champion_hint("m"): "m/hints/champion.json",
    keys.probe("x"): "doctor/x",
    keys.probe("x", "a b"): "doctor/x-a b",
}


@pytest.mark.parametrize(("found", "expected"), WRITTEN.items(), ids=WRITTEN.values())
def test_a_key_has_one_form(found, expected):
    assert found == expected


ZONES = st.timezones()
SECONDS = st.integers(0, 130 * 365 * 86400)


@given(SECONDS, ZONES)
def test_a_moment_reads_back_as_it_was_written(seconds, zone):
    moment = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).astimezone(zone)
    assert keys.parse_stamp(keys.stamp(moment)) == moment


@given(SECONDS, SECONDS)
def test_stamps_sort_as_their_moments_do(first, second):
    moments = [datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=one) for one in (first, second)]
    assert (keys.stamp(moments[0]) < keys.stamp(moments[1])) == (first < second)


@given(SECONDS, st.integers(1, 86400 * 40))
def test_an_interval_reads_back_as_it_was_written(seconds, length):
    start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    interval = Interval(start, start + timedelta(seconds=length))
    assert keys.parse_span(keys.span(interval)) == interval


@pytest.mark.parametrize(
    "text",
    ["", "2013-02-01", "20130201T050000", "20130201T5000Z", "201321T5000Z", "20130201T050000Z ", "20130231T000000Z"],
)
def test_any_other_text_is_no_moment(text):
    with pytest.raises(ValueError, match=r"\S"):
        keys.parse_stamp(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("20130201T050000Z", "is not an interval: expected START--END"),
        ("20130202T050000Z--20130201T050000Z", "not after its start"),
        ("..--..", "does not match format"),
    ],
)
def test_any_other_text_is_no_interval(text, message):
    with pytest.raises(ValueError, match=message):
        keys.parse_span(text)


@given(st.text(max_size=60))
@example("..")
@example(".~hidden")
@example("")
def test_a_run_id_becomes_one_safe_segment(run_id):
    found = keys.safe(run_id)
    assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", found)
    assert keys.safe(found) == found


@given(st.text(max_size=30))
def test_no_run_id_leaves_its_models_folder(run_id):
    found = keys.inputs("m", DAY, run_id)
    assert found.startswith(f"m/runs/{SPAN}/")
    assert len(found.split("/")) == 5
    assert not {"", ".", ".."} & set(found.split("/"))


def test_log_entries_sort_by_their_number():
    names = [keys.promotion("m", number) for number in (1, 2, 9, 10, 99, 100, 12345)]
    assert names == sorted(names)
