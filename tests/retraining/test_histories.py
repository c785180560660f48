"""Histories of a replay: from the store, from Parquet files, from the warehouse; and what is said of holes."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from include.retraining import connections, histories, keys, labelling, snapshots
from include.retraining.errors import DataError
from include.retraining.histories import Pull, Range
from include.retraining.refits import digest
from tests.conftest import connection_env
from tests.retraining import replays, toy
from tests.retraining.desks import objects

SPEC = replace(replays.SPEC, source=toy.spec().source, end=toy.day(7).end)
COUNT = 8
USED = [*SPEC.features, SPEC.label]


def freeze(store, keyring, number, rows=None, *, labelled=True):
    frame, one = toy.rows(number) if rows is None else rows, toy.day(number)
    snapshots.freeze_snapshot(store, keyring, SPEC, one, one.end, frame)
    if labelled:
        snapshots.freeze_labels(store, keyring, SPEC, one, one.end + SPEC.label_delay, frame)


@pytest.fixture
def stored(store, keyring):
    """Return a store with eight days; of the last, labels are not known yet."""
    for number in range(COUNT):
        freeze(store, keyring, number, labelled=number < COUNT - 1)
    return store


@pytest.fixture
def warehouse(tmp_path, monkeypatch):
    """Return a warehouse with the same days."""
    path = tmp_path / "warehouse.sqlite"
    toy.load(path, [toy.rows(number) for number in range(COUNT)])
    settings = connections.Settings("warehouse", "sqlite", host=str(path))
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", connection_env(settings))
    monkeypatch.setenv("AIRFLOW_CONN_PSEUDONYMS", json.dumps({"conn_type": "generic", "password": "p" * 32}))
    return path


def numbers(intervals):
    return [replays.number(one) for one in intervals]


def test_what_is_stored_is_walked_through(stored, keyring):
    found = histories.from_store(stored, keyring, SPEC, Range())
    assert numbers(found.intervals) == list(range(COUNT))
    assert numbers(found.rows) == list(range(COUNT - 1))
    assert set(found.counts.values()) == {toy.ROWS}
    assert found.left_out == (f"{keys.span(toy.day(7))}: its labels are not known yet",)
    pd.testing.assert_frame_equal(found.rows[toy.day(2)][USED], toy.rows(2)[USED])


def test_a_range_is_half_open(stored, keyring):
    found = histories.from_store(stored, keyring, SPEC, Range(toy.day(2).start, toy.day(4).end))
    assert numbers(found.intervals) == [2, 3, 4]
    within = Range(toy.day(2).start + timedelta(hours=1), toy.day(4).end - timedelta(hours=1))
    assert numbers(histories.from_store(stored, keyring, SPEC, within).intervals) == [3]


def test_the_newest_labels_count(stored, keyring):
    one, turned = toy.day(3), toy.rows(3).assign(late=1.0)
    snapshots.freeze_labels(stored, keyring, SPEC, one, one.end + 5 * toy.DAY, turned)
    found = histories.from_store(stored, keyring, SPEC, Range())
    assert set(found.rows[one]["late"]) == {1.0}


def test_what_a_run_would_leave_out_is_left_out(store, keyring):
    frames = {number: toy.rows(number) for number in range(4)}
    frames[1] = frames[1].assign(late=frames[1]["late"].where(frames[1].index < 40))
    frames[2] = frames[2].iloc[:20]
    for number, rows in frames.items():
        freeze(store, keyring, number, rows)
    found = histories.from_store(store, keyring, SPEC, Range())
    assert numbers(found.rows) == [0, 3]
    assert found.counts[toy.day(2)] == 20
    why = [told.partition(": ")[2] for told in found.left_out]
    assert why == ["67 % of its labels are known or void", "fewer than 30 labels are known"]


@pytest.mark.parametrize("part", ["snapshot", "labels"])
def test_holes_are_named_with_the_way_out(store, keyring, part):
    for number in (0, 1, 5, 6):
        freeze(store, keyring, number)
    if part == "labels":
        for number in (2, 3, 4):
            freeze(store, keyring, number, labelled=False)
    with pytest.raises(DataError) as caught:
        histories.from_store(store, keyring, SPEC, Range())
    assert str(caught.value) == (
        "The store lacks the snapshots or labels of 3 of 7 intervals of parcels: 2024-01-03, 2024-01-04, 2024-01-05 "
        "(last 2024-01-05). Add --pull to read them from Connection `warehouse` for this replay alone, give another "
        "--from or --to, or store them: airflow backfill create --dag-id retrain_parcels --from-date 2024-01-03 "
        "--to-date 2024-01-05 --max-active-runs 1"
    )


def test_holes_are_pulled_and_nothing_is_stored(store, keyring, warehouse):
    for number in (0, 1, 5):
        freeze(store, keyring, number)
    before, told = objects(store), []
    found = histories.from_store(store, keyring, SPEC, Range(), Pull(tell=lambda *given: told.append(given)))
    assert objects(store) == before
    assert told == [(number, 5) for number in range(1, 6)]
    assert numbers(found.intervals) == numbers(found.rows) == list(range(COUNT))
    for one, rows in found.rows.items():
        assert digest(rows[USED]) == digest(toy.rows(replays.number(one))[USED])
    assert not found.rows[toy.day(3)]["note"].str.contains("household").any()


def test_nothing_later_than_now_is_pulled(store, keyring, warehouse):
    found = histories.from_store(store, keyring, SPEC, Range(), Pull(until=toy.day(4).end))
    assert numbers(found.intervals) == [0, 1, 2, 3, 4]


def test_what_was_pulled_can_be_kept_and_is_the_same_history(store, keyring, warehouse, tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    pulled = histories.from_store(store, keyring, SPEC, Range(), Pull(kept))
    found = histories.from_folder(kept, SPEC, Range())
    assert len(list(kept.iterdir())) == COUNT
    assert found.intervals == pulled.intervals
    assert {one: digest(rows[USED]) for one, rows in found.rows.items()} == {
        one: digest(rows[USED]) for one, rows in pulled.rows.items()
    }
    kept.chmod(0o500)
    with pytest.raises(DataError, match="Give another --keep"):
        histories._keep(kept / "absent", SPEC, toy.day(0), toy.rows(0), toy.rows(0))


def write(folder, name, *frames):
    folder.mkdir(exist_ok=True)
    pd.concat(frames, ignore_index=True).to_parquet(folder / name)


@pytest.mark.parametrize("files", [1, 3, COUNT])
def test_parquet_files_are_split_by_the_schedule(tmp_path, files):
    for place, some in enumerate(np.array_split(np.arange(COUNT), files)):
        write(tmp_path / "rows", f"{place}.parquet", *(toy.rows(number) for number in some))
    found = histories.from_folder(tmp_path / "rows", SPEC, Range())
    assert numbers(found.intervals) == numbers(found.rows) == list(range(COUNT))
    for one, rows in found.rows.items():
        pd.testing.assert_frame_equal(rows[USED], toy.rows(replays.number(one))[USED])
        assert "note" not in rows
        assert list(rows) == list(dict.fromkeys([*SPEC.key_columns, *SPEC.features, SPEC.label]))


def test_rows_on_the_edge_belong_to_what_begins_there(tmp_path):
    edge = toy.rows(1).assign(sent_at=pd.Timestamp(toy.day(1).start).as_unit("us"))
    write(tmp_path / "rows", "a.parquet", toy.rows(0), edge)
    found = histories.from_folder(tmp_path / "rows", SPEC, Range())
    assert {replays.number(one): count for one, count in found.counts.items()} == {0: 60, 1: 60}


def test_days_without_rows_keep_their_place(tmp_path):
    write(tmp_path / "rows", "a.parquet", toy.rows(0), toy.rows(2))
    found = histories.from_folder(tmp_path / "rows", SPEC, Range())
    assert numbers(found.intervals) == [0, 1, 2]
    assert found.left_out == (f"{keys.span(toy.day(1))}: 0 labels are known, {labelling.MINIMUM_ROWS} are needed",)


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (toy.rows(0).drop(columns=["weight", "region"]), r"has no column region, weight; it has sent_at"),
        (toy.rows(0).assign(sent_at=toy.rows(0)["sent_at"].dt.tz_localize(None)), "'sent_at' of .* has no time zone"),
        (toy.rows(0).iloc[:0], "have no rows"),
        (toy.rows(0).assign(late=np.nan), "None of 1 intervals of parcels is labelled"),
        (pd.concat([toy.rows(0), toy.rows(0)], ignore_index=True), "have the key .* of another"),
    ],
    ids=["column", "zone", "rows", "labels", "twice"],
)
def test_files_that_cannot_be_used_say_why(tmp_path, frame, told):
    write(tmp_path / "rows", "a.parquet", frame)
    with pytest.raises(DataError, match=told):
        histories.from_folder(tmp_path / "rows", SPEC, Range())


def test_no_parquet_says_so(tmp_path):
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(DataError, match="There is no Parquet file in"):
            histories.from_folder(folder, SPEC, Range())
    (tmp_path / "a.parquet").write_text("not Parquet")
    with pytest.raises(DataError, match=r"a.parquet is not Parquet"):
        histories.from_folder(tmp_path, SPEC, Range())


def test_an_empty_range_says_so(stored, keyring):
    with pytest.raises(DataError, match="parcels has no data interval from 2024-03-01 to 2024-04-01"):
        histories.from_store(stored, keyring, SPEC, Range(*(datetime(2024, one, 1, tzinfo=UTC) for one in (3, 4))))
    with pytest.raises(DataError, match="no data interval from 2024-01-05 to 2024-01-02"):
        histories.from_store(stored, keyring, SPEC, Range(toy.day(4).start, toy.day(1).start))


def test_an_empty_store_says_so(store, keyring):
    with pytest.raises(DataError, match="has no data interval from"):
        histories.from_store(store, keyring, SPEC, Range())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2013-02-01", datetime(2013, 2, 1, 5, tzinfo=UTC)),
        ("2013-07-01", datetime(2013, 7, 1, 4, tzinfo=UTC)),
        ("2013-02-01T00:00:00+00:00", datetime(2013, 2, 1, tzinfo=UTC)),
    ],
)
def test_a_day_begins_in_the_specs_time_zone(text, expected):
    assert histories.moment(text, replace(SPEC, timezone="America/New_York")) == expected


@pytest.mark.parametrize(("text", "told"), [("yesterday", "expected a day"), ("2013-02-01T10:00", "has no time zone")])
def test_other_moments_are_refused(text, told):
    with pytest.raises(DataError, match=told):
        histories.moment(text, SPEC)
