"""What a run works on: which as-of, which window, and rows that were known by then, pulled once and pinned."""

import io
import json
import sqlite3
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pandas as pd
import pytest

from include.retraining import connections, intake, keys, labelling, signing
from include.retraining.errors import ConnectionInvalid, DataError, Unavailable
from include.retraining.intake import FORM, Trigger
from include.retraining.registry import Registry
from tests.conftest import connection_env
from tests.retraining import deployed, toy
from tests.retraining.desks import objects, promoted

SPEC = toy.spec()
NOW = toy.day(30).start
DAYS = 12


def by_hand(run: str = "manual__1", interval=None, kind: str = "manual", **form: object) -> Trigger:
    return Trigger(run, kind, interval, form, "ann")


def scheduled(number: int, **form: object) -> Trigger:
    return Trigger(f"scheduled__{number}", "scheduled", toy.day(number), form)


def resolved(trigger: Trigger, now: datetime = NOW, data_until: datetime | None = None) -> tuple[datetime, datetime]:
    found = intake.resolve(SPEC, trigger, now, data_until)
    return found.as_of, found.current.start


def test_a_scheduled_run_works_on_its_own_interval_at_its_end():
    assert resolved(scheduled(5)) == (toy.day(5).end, toy.day(5).start)
    assert resolved(by_hand(interval=toy.day(5), kind="backfill")) == (toy.day(5).end, toy.day(5).start)


def test_a_manual_run_without_an_interval_works_on_the_newest():
    assert resolved(by_hand(), now=toy.day(8).start + timedelta(hours=9)) == (toy.day(7).end, toy.day(7).start)


def test_a_manual_run_whose_dialog_says_today_falls_back_to_what_is_known():
    today = toy.day(29)
    assert resolved(by_hand(interval=today), data_until=toy.day(9).end) == (toy.day(9).end, toy.day(9).start)


def test_a_manual_run_of_an_earlier_interval_works_on_that():
    assert resolved(by_hand(interval=toy.day(4))) == (toy.day(4).end, toy.day(4).start)


def test_the_forms_as_of_wins_over_the_interval():
    as_of = (toy.day(6).start + timedelta(hours=7)).isoformat()
    found = toy.day(6).start + timedelta(hours=7), toy.day(5).start
    assert resolved(by_hand(interval=toy.day(9), as_of=as_of)) == found
    assert resolved(scheduled(9, as_of=as_of)) == found


WRONG = {
    "in the future": ("2025-01-01T00:00:00Z", r"As-of 2025-01-01.* lies in the future: nothing is known after 2024-01"),
    "without a zone": ("2024-01-05T00:00:00", "has no time zone. Give one"),
    "a day": ("2024-01-05", "has no time zone"),
    "no moment": ("yesterday", "As-of 'yesterday' is not a moment. Give one with a time zone"),
    "before everything": ("2023-12-01T00:00:00Z", "No data interval of .* ends by as-of 2023-12-01"),
}


@pytest.mark.parametrize(("as_of", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_as_of_is_told(as_of, message):
    with pytest.raises(DataError, match=message):
        resolved(by_hand(as_of=as_of))


def test_an_as_of_beyond_what_a_replayed_warehouse_knows_is_the_future():
    with pytest.raises(DataError, match=r"nothing is known after 2024-01-06"):
        resolved(by_hand(as_of="2024-01-08T00:00:00Z"), data_until=toy.day(5).start)


def test_before_the_first_interval_is_over_there_is_nothing_to_work_on():
    with pytest.raises(DataError, match="No data interval is complete by"):
        resolved(by_hand(), now=toy.START + timedelta(hours=3))


def test_what_airflow_says_of_a_run_becomes_plain_values():
    dag_run = SimpleNamespace(run_type=SimpleNamespace(value="manual"), triggering_user_name="ann")
    bounds = (pd.Timestamp(toy.day(1).start), pd.Timestamp(toy.day(1).end))
    assert intake.trigger("r", dag_run, bounds, {"reason": "x"}) == Trigger(
        "r", "manual", toy.day(1), {"reason": "x"}, "ann"
    )


@pytest.mark.parametrize("bounds", [(None, None), (toy.day(1).start, toy.day(1).start)], ids=["none", "of no length"])
def test_a_run_without_a_logical_date_has_no_interval(bounds):
    found = intake.trigger("r", SimpleNamespace(run_type="scheduled", triggering_user_name=None), bounds, None)
    assert (found.interval, found.form, found.actor) == (None, {}, "scheduled")


@pytest.fixture
def warehouse(tmp_path, monkeypatch):
    """Set up every Connection: a folder as store, and a warehouse with some days of parcels."""
    return deployed.parcels(tmp_path, monkeypatch, DAYS)


def change(path, statement: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()


def rows_of(key: str) -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO(connections.open_store().get(key)))


def test_a_first_run_bootstraps_its_whole_window(warehouse):
    inputs = intake.pull(SPEC, scheduled(9), NOW)
    assert inputs.intervals("training") == [toy.day(number) for number in range(6)]
    assert inputs.intervals("holdout") == [toy.day(number) for number in (6, 7, 8)]
    assert set(inputs.content["snapshots"]) == {keys.span(toy.day(number)) for number in range(10)}
    assert keys.span(toy.day(9)) not in inputs.content["labels"], "what happens with the newest is not known yet"
    assert (inputs.content["rows"], inputs.content["base"], inputs.content["incomplete"]) == (toy.ROWS, 0, [])
    assert (inputs.content["actor"], inputs.form) == ("scheduled", FORM)


def test_a_rerun_finds_what_was_pinned_whatever_has_changed(warehouse):
    first = intake.pull(SPEC, scheduled(9), NOW)
    before = objects(connections.open_store())
    change(warehouse, "DELETE FROM parcels")
    assert intake.pull(SPEC, scheduled(9), NOW) == first
    assert objects(connections.open_store()) == before


def test_the_next_run_pulls_only_what_is_missing(warehouse):
    intake.pull(SPEC, scheduled(8), NOW)
    before = set(objects(connections.open_store()))
    intake.pull(SPEC, scheduled(9), NOW)
    added = {" ".join(key.split("/")[1:3]) for key in set(objects(connections.open_store())) - before}
    spans = {name: keys.span(toy.day(number)) for name, number in (("new", 9), ("labelled", 8))}
    assert {one for one in added if one.startswith(("snapshots", "labels"))} == {
        f"snapshots {spans['new']}",
        f"labels {spans['labelled']}",
    }


def test_no_run_sees_what_was_not_known_at_its_as_of(warehouse):
    """Every label it pinned was known by then: those of earlier days, and none of the newest."""
    known = {}
    with sqlite3.connect(warehouse) as connection:
        known = dict(connection.execute("SELECT parcel, known_at FROM parcels"))
    connection.close()
    inputs = intake.pull(SPEC, scheduled(9), NOW)
    for frozen in inputs.content["labels"].values():
        labels = rows_of(frozen["key"])
        answered = labels.loc[labels["status"] != labelling.UNKNOWN, "parcel"]
        assert len(answered) == toy.ROWS
        assert all(datetime.fromisoformat(known[one]).replace(tzinfo=UTC) <= inputs.as_of for one in answered)


def test_late_labels_are_pulled_again_until_enough_are_there(warehouse):
    change(warehouse, "UPDATE parcels SET known_at = '2024-01-11 12:00:00.000000' WHERE parcel LIKE 'p008%'")
    late = intake.pull(SPEC, scheduled(9), NOW)
    assert late.content["incomplete"] == [keys.span(toy.day(8))]
    assert toy.day(8) not in late.intervals("holdout")
    caught_up = intake.pull(SPEC, scheduled(10), NOW)
    assert caught_up.content["incomplete"] == []
    assert toy.day(8) in caught_up.intervals("holdout")
    assert late.snapshot(toy.day(8)) == caught_up.snapshot(toy.day(8)), "the features stay as they were first seen"


def test_corrections_are_seen_only_on_request_and_lie_beside_the_old(warehouse):
    first = intake.pull(SPEC, scheduled(9), NOW)
    change(warehouse, "UPDATE parcels SET weight = weight * 2.2 WHERE parcel LIKE 'p003%'")
    unasked = intake.pull(SPEC, by_hand("again", interval=toy.day(9)), NOW)
    refreshed = intake.pull(SPEC, by_hand("refresh", interval=toy.day(9), refresh=True), NOW)
    assert unasked.snapshot(toy.day(3)) == first.snapshot(toy.day(3))
    assert refreshed.snapshot(toy.day(3)) != first.snapshot(toy.day(3))
    assert refreshed.snapshot(toy.day(4)) == first.snapshot(toy.day(4))
    assert rows_of(first.snapshot(toy.day(3)).key)["weight"].mean() < 15


def test_the_champion_at_the_time_is_pinned(warehouse):
    desk = Registry(connections.open_store(), connections.open_keyring(), "parcels")
    promoted(desk, 2)
    assert intake.pull(SPEC, scheduled(9), NOW).content["base"] == 2


def test_nothing_private_is_ever_stored(warehouse):
    intake.pull(SPEC, scheduled(9), NOW)
    stored = objects(connections.open_store())
    frames = [rows_of(key) for key in stored if key.endswith(".parquet")]
    assert not any("household" in frame.to_csv() for frame in frames)
    assert all(b"household" not in data for data in stored.values())
    notes = pd.concat([frame["note"] for frame in frames if "note" in frame])
    assert notes.nunique() == 7, "pseudonyms are the same on every day"


def test_an_empty_interval_is_pinned_with_no_rows(warehouse):
    inputs = intake.pull(SPEC, scheduled(DAYS), NOW)
    assert inputs.content["rows"] == 0
    assert inputs.interval == toy.day(DAYS)


def test_a_scheduled_run_beyond_what_a_replayed_warehouse_knows_is_pinned_with_nothing(warehouse, monkeypatch):
    until = {"data_until": toy.day(DAYS).start.isoformat()}
    found = connections.Settings("warehouse", "sqlite", host=str(warehouse), extra=until)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", connection_env(found))
    inputs = intake.pull(SPEC, scheduled(25), NOW)
    assert (inputs.interval, inputs.as_of) == (toy.day(25), toy.day(25).end)
    assert (inputs.content["rows"], inputs.content["labels"]) == (0, {})
    assert (inputs.intervals("training"), inputs.intervals("holdout")) == ([], [])
    assert list(inputs.content["snapshots"]) == [keys.span(toy.day(25))]


def test_an_unknown_column_stops_a_run_and_leaves_champion_and_store_as_they_were(warehouse):
    desk = Registry(connections.open_store(), connections.open_keyring(), "parcels")
    promoted(desk, 1)
    before, head = objects(desk.store), desk.head()
    change(warehouse, "ALTER TABLE parcels RENAME COLUMN weight TO mass")
    with pytest.raises(DataError, match=r"The query parcels.sql failed: no such column: weight\. Mend the query"):
        intake.pull(SPEC, scheduled(9), NOW)
    assert (objects(desk.store), desk.head()) == (before, head)


def test_a_form_with_unknown_fields_is_refused(warehouse):
    with pytest.raises(DataError, match=r"unknown fields \['force'\]; expected some of \['as_of', .*Mend the trigger"):
        intake.pull(SPEC, by_hand(force=True), NOW)


def test_a_warehouse_that_is_gone_is_unavailable_and_nothing_is_pinned(warehouse):
    desk = Registry(connections.open_store(), connections.open_keyring(), "parcels")
    promoted(desk, 1)
    before, head = objects(desk.store), desk.head()
    warehouse.unlink()
    with pytest.raises(Unavailable, match="there is no SQLite file"):
        intake.pull(SPEC, scheduled(9), NOW)
    assert (objects(desk.store), desk.head()) == (before, head)


@pytest.mark.parametrize("name", ["store", "signing", "pseudonyms", "warehouse"])
def test_a_missing_connection_stops_a_run_by_name(warehouse, monkeypatch, name):
    monkeypatch.delenv(f"AIRFLOW_CONN_{name.upper()}")
    with pytest.raises(ConnectionInvalid, match=f"Connection `{name}` does not exist. Set AIRFLOW_CONN_{name.upper()}"):
        intake.pull(SPEC, scheduled(9), NOW)


def test_the_one_clock_has_a_zone():
    assert abs(intake.now_utc() - datetime.now(UTC)) < timedelta(seconds=5)


def test_inputs_are_plain_json(warehouse):
    inputs = intake.pull(SPEC, scheduled(9), NOW)
    stored = json.loads(connections.open_store().get(inputs.key))
    assert {name: held for name, held in stored.items() if name != signing.SEAL} == inputs.content
