"""The run tab's source: a run is found by its hint or by looking, and read defensively."""

import json

import pytest

from include.retraining import keys, signing
from include.retraining.ui.runs import Story, find, story

MODEL = "flight_delays"
INTERVAL = keys.parse_span("20130208T050000Z--20130209T050000Z")
RUN = "scheduled__2013-02-09T05:00:00+00:00"


@pytest.fixture
def pinned(store) -> str:
    """Pin a run as ``pull_snapshot`` does, and return its folder."""
    store.put(keys.inputs(MODEL, INTERVAL, RUN), json.dumps({"run": RUN}).encode())
    return keys.run(MODEL, INTERVAL, RUN)


def write(store, prefix, number, sections):
    store.put(keys.record(prefix, number), signing.seal({"format_version": 1, "sections": sections}))


def test_a_run_is_found_by_its_hint_without_looking_through_others(store, pinned, monkeypatch):
    store.put(keys.run_hint(MODEL, RUN), json.dumps({"inputs": keys.inputs(MODEL, INTERVAL, RUN)}).encode())
    monkeypatch.setattr(store, "list", None)
    assert find(store, MODEL, RUN) == pinned


@pytest.mark.parametrize(
    "hint",
    [
        None,
        b"{",
        b"{}",
        b'{"inputs": "flight_delays/promotions/00000001.json"}',
        b'{"inputs": "other/runs/x/inputs.json"}',
        b'{"inputs": "flight_delays/runs/gone/x/inputs.json"}',
        b'{"inputs": "../secret"}',
    ],
)
def test_a_run_is_found_without_a_good_hint(store, pinned, hint):
    if hint is not None:
        store.put(keys.run_hint(MODEL, RUN), hint)
    try:
        assert find(store, MODEL, RUN) == pinned
    except ValueError as error:
        pytest.fail(f"a hint is never the truth: {error}")


def test_run_ids_that_look_the_same_as_keys_are_told_apart(store, pinned):
    twin = RUN.replace("+", "_")
    assert keys.safe(twin) == keys.safe(RUN)
    assert find(store, MODEL, twin) is None


def test_the_highest_record_is_the_current_one(store, pinned):
    for number in (1, 2, 10):
        write(store, pinned, number, {"decision": {"answer": "keep", "sentences": [f"Record {number}."]}})
    store.put(f"{pinned}record-x.json", b"nonsense")
    assert story(store, pinned).sentences == ("Record 10.",)


def test_a_whole_story(store, pinned):
    page = keys.data_docs_page(MODEL, INTERVAL, "a" * 64, "f" * 64)
    validation = {"outcome": "warn", "sentence": "Warning: …", "page": page}
    decision = {"answer": "keep", "sentences": ["It is fine.", "It is young."]}
    write(store, pinned, 1, {"validation": validation, "decision": decision})
    assert story(store, pinned) == Story(
        "Keep the champion",
        ("It is fine.", "It is young."),
        "Warning: …",
        "20130208T050000Z--20130209T050000Z",
        f"{'a' * 12}-{'f' * 12}.html",
    )


def test_the_report_has_the_last_word(store, pinned):
    report = {"answer": "blocked", "sentences": ["Refused.", "The champion goes on serving."]}
    write(store, pinned, 1, {"decision": {"answer": "keep"}, "report": report})
    assert story(store, pinned).decision == "Blocked"
    assert story(store, pinned).sentences == ("Refused.", "The champion goes on serving.")


@pytest.mark.parametrize(
    "sections",
    [{}, {"validation": None}, {"validation": {}, "decision": []}, {"validation": {"page": "x/y"}}, {"report": {}}, []],
)
def test_missing_parts_are_not_reached(store, pinned, sections):
    write(store, pinned, 1, sections)
    assert story(store, pinned) == Story()


def test_no_record_yet(store, pinned):
    assert story(store, pinned) == Story()
