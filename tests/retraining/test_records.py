"""What a run works on is pinned once; what it found grows section by section; one record an interval counts."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from itertools import permutations

import pytest

from include.retraining import keys, records, signing
from include.retraining.errors import DataError, IntegrityError, ObjectMissing
from include.retraining.snapshots import Frozen
from tests.retraining import toy
from tests.retraining.desks import objects

ROWS = Frozen("parcels/snapshots/x/rows.parquet", "a" * 64, 10, 60, "20240103T000000Z")
PREFIX = keys.run("parcels", toy.day(3), "manual__1")
KEY = keys.inputs("parcels", toy.day(3), "manual__1")
CONTENT = {
    "model": "parcels",
    "run": "manual__1",
    "as_of": "20240105T000000Z",
    "interval": {"span": keys.span(toy.day(3))},
    "window": {"training": [keys.span(toy.day(0))], "holdout": [keys.span(toy.day(1))]},
    "snapshots": {keys.span(toy.day(0)): asdict(ROWS)},
    "labels": {keys.span(toy.day(0)): asdict(replace(ROWS, completeness=0.9))},
    "form": {"reason": "why"},
}


def test_what_a_run_works_on_reads_back(store):
    found = records.write_inputs(store, KEY, CONTENT)
    assert (found.run_id, found.prefix, found.interval) == ("manual__1", PREFIX, toy.day(3))
    assert found.as_of == toy.day(4).start
    assert (found.intervals("training"), found.intervals("holdout")) == ([toy.day(0)], [toy.day(1)])
    assert found.snapshot(toy.day(0)) == ROWS
    assert found.labels(toy.day(0)).completeness == 0.9
    assert records.read_inputs(store, KEY) == found


def test_a_second_try_finds_what_the_first_pinned(store):
    first = records.write_inputs(store, KEY, CONTENT)
    assert records.write_inputs(store, KEY, {**CONTENT, "as_of": "20240109T000000Z"}) == first


def test_two_runs_whose_ids_make_one_folder_are_told_apart(store):
    key = keys.inputs("parcels", toy.day(3), "manual:1")
    records.write_inputs(store, key, {**CONTENT, "run": "manual:1"})
    assert keys.inputs("parcels", toy.day(3), "manual+1") == key
    with pytest.raises(DataError, match=r"Run 'manual\+1' would share the folder .* with run 'manual:1'. Trigger"):
        records.write_inputs(store, key, {**CONTENT, "run": "manual+1"})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (signing.seal({"format_version": 2}), "has format_version 2, this release reads 1"),
        (signing.seal({}), "has format_version None"),
        (signing.seal({"format_version": 1}).replace(b"1", b"2", 1), "its own sha256 does not match"),
        (b"{}", "its own sha256 does not match"),
        (b"{", "is not JSON"),
    ],
    ids=["newer", "none", "altered", "unsealed", "torn"],
)
def test_inputs_that_this_release_does_not_know_are_refused(store, data, message):
    store.put(KEY, data)
    with pytest.raises(IntegrityError, match=message):
        records.read_inputs(store, KEY)


@pytest.mark.parametrize("field", ["run", "as_of", "interval", "window", "snapshots", "labels"])
@pytest.mark.parametrize("value", [None, {"a": 1}, [["x"]], 7], ids=["none", "object", "list", "number"])
def test_a_sound_seal_around_inputs_that_say_too_little_is_refused(store, field, value):
    store.put(KEY, signing.seal({"format_version": 1, **CONTENT, field: value}))
    with pytest.raises(IntegrityError, match=r"inputs.json does not say what the run works on.*check: format"):
        records.read_inputs(store, KEY)


def test_a_sound_seal_around_no_sections_is_refused(store):
    store.put(keys.record(PREFIX, 1), signing.seal({"format_version": 1}))
    with pytest.raises(IntegrityError, match=r"record-1.json has no sections.*check: format"):
        records.read_sections(store, PREFIX)


def test_missing_inputs_are_told(store):
    with pytest.raises(ObjectMissing, match=r"inputs.json"):
        records.read_inputs(store, KEY)


def test_unknown_fields_are_kept(store):
    assert records.write_inputs(store, KEY, {**CONTENT, "later": [1]}).content["later"] == [1]


def test_a_run_that_has_not_spoken_has_no_sections(store):
    assert records.read_sections(store, PREFIX) == {}


def test_the_record_grows_by_its_sections_and_the_highest_is_current(store):
    for number in range(12):
        records.write_section(store, PREFIX, f"section {number}", {"number": number})
    found = records.read_sections(store, PREFIX)
    assert [found[f"section {number}"]["number"] for number in range(12)] == list(range(12))
    assert len(list(store.list(PREFIX))) == 12


def test_saying_the_same_again_writes_nothing(store):
    records.write_section(store, PREFIX, "decision", {"reasons": ("a", "b"), "loss": 0.1})
    before = objects(store)
    records.write_section(store, PREFIX, "decision", {"loss": 0.1, "reasons": ["a", "b"]})
    assert objects(store) == before


def test_another_finding_replaces_the_section_and_the_old_record_stays(store):
    records.write_section(store, PREFIX, "decision", {"answer": "keep"})
    before = objects(store)
    records.write_section(store, PREFIX, "decision", {"answer": "retrain"})
    assert records.read_sections(store, PREFIX) == {"decision": {"answer": "retrain"}}
    assert before.items() <= objects(store).items()


@pytest.mark.door
def test_tasks_that_speak_at_once_all_are_heard(any_store):
    names = [f"section {number}" for number in range(8)]
    with ThreadPoolExecutor(8) as tasks:
        list(tasks.map(lambda name: records.write_section(any_store, PREFIX, name, {"of": name}), names))
    assert records.read_sections(any_store, PREFIX) == {name: {"of": name} for name in names}


def test_a_damaged_record_is_told(store):
    store.put(keys.record(PREFIX, 1), b"{")
    with pytest.raises(IntegrityError, match=r"record-1.json is not JSON"):
        records.read_sections(store, PREFIX)


def told(store, day: int, run: str, **report) -> None:
    """Write the report of one run of a day."""
    prefix = keys.run("parcels", toy.day(day), run)
    challenger = report.pop("challenger", False)
    store.put(f"{prefix}inputs.json", b"{}")
    if challenger:
        records.write_section(store, prefix, "challenger", {"version": "v"})
    as_of = keys.stamp(toy.day(day).end)
    records.write_section(
        store, prefix, "report", {"run": run, "as_of": as_of, "base": 1, "dry_run": False, "answer": "keep", **report}
    )


def counted(store) -> list[str]:
    return [one["report"]["run"] for one in records.history(store, "parcels", toy.day(9), toy.day(0).start)]


LATER = keys.stamp(toy.day(8).end)
RANKED = {
    "one that succeeded over one that failed with later knowledge": ({"answer": "failed", "as_of": LATER}, {}),
    "one that succeeded over one that was blocked": ({"answer": "blocked", "as_of": LATER}, {}),
    "later knowledge over a later champion": ({"base": 9}, {"as_of": LATER}),
    "a later champion over a retrain": ({"challenger": True}, {"base": 2}),
    "one that retrained over one that did not": ({}, {"challenger": True}),
}


@pytest.mark.parametrize(("less", "more"), RANKED.values(), ids=RANKED)
def test_of_two_runs_of_an_interval_counts(store, less, more):
    for runs in permutations([("a", less), ("b", more)]):
        for name, report in runs:
            told(store, 3, name, **report)
    assert counted(store) == ["b"]


@pytest.mark.parametrize("report", [{"dry_run": True}, {"as_of": None, "base": None}], ids=["dry run", "never pinned"])
def test_runs_that_never_count(store, report):
    told(store, 3, "a", **report)
    told(store, 4, "b", **report)
    told(store, 4, "c")
    assert counted(store) == ["c"]


def test_a_run_without_a_report_does_not_count(store):
    records.write_inputs(store, KEY, CONTENT)
    assert counted(store) == []


def test_history_is_of_earlier_intervals_since_a_moment_oldest_first(store):
    for day in (5, 2, 10, 3, 4):
        told(store, day, f"run {day}")
    found = records.history(store, "parcels", before=toy.day(5), since=toy.day(3).start)
    assert [one["report"]["run"] for one in found] == ["run 3", "run 4"]


def test_a_summary_is_one_line_a_run_and_says_what_was_not_reached(store):
    told(store, 4, "b", champion="v")
    records.write_inputs(store, KEY, CONTENT)
    first, second = records.summaries(store, "parcels")
    assert (first["start"], first["run"]) == ("2024-01-04T00:00:00+00:00", "manual__1")
    assert (first["validation"], first["decision"], first["promoted"]) == ("not reached", "not reached", False)
    assert (second["run"], second["decision"], second["version"]) == ("b", "keep", "v")
    assert signing.canonical(second) == signing.canonical(json.loads(signing.canonical(second)))


def test_a_section_that_changes_takes_what_was_found_after_it_along_but_not_a_promotion(store):
    for name in ("validation", "decision", "challenger", "verdict", "promotion"):
        records.write_section(store, "m/runs/x/y/", name, {"found": 1})
    records.write_section(store, "m/runs/x/y/", "decision", {"found": 2})
    assert records.read_sections(store, "m/runs/x/y/") == {
        "validation": {"found": 1},
        "decision": {"found": 2},
        "promotion": {"found": 1},
    }


@pytest.mark.parametrize("stray", [".DS_Store", "notes/.DS_Store", f"{keys.span(toy.day(3))}/.DS_Store"])
def test_what_a_desktop_left_between_the_runs_is_nobodys_record(store, stray):
    report = {"as_of": "20240105T000000Z", "dry_run": False, "answer": "keep"}
    records.write_section(store, PREFIX, "report", report)
    store.put(f"{keys.runs('parcels')}{stray}", b"x")
    assert records.history(store, "parcels", toy.day(5), toy.day(0).start) == [{"report": report}]
    assert len(records.summaries(store, "parcels")) == 1
