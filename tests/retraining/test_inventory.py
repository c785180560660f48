"""A listing as groups: what belongs together, what exists, and in which order it is deleted."""

from datetime import timedelta

import pytest

from include.retraining import inventory, keys
from include.retraining.store import Stored
from tests.retraining import toy

MODEL, DAY, AS_OF = "parcels", toy.day(3), toy.day(3).end
ROWS = keys.snapshot_rows(MODEL, DAY, AS_OF, "a" * 64)
LABELS = keys.label_rows(MODEL, DAY, AS_OF, "b" * 64)
RUN = keys.run(MODEL, DAY, "manual__1")


def stored(key: str, days_old: int = 0) -> Stored:
    return Stored(key, 7, toy.START - days_old * toy.DAY)


def only(*names: str) -> inventory.Group:
    (group,) = inventory.take(MODEL, map(stored, names))
    return group


@pytest.mark.parametrize(
    ("kind", "listed", "order"),
    [
        ("snapshots", [ROWS, keys.rows_manifest(ROWS)], [1, 0]),
        ("labels", [LABELS, keys.rows_manifest(LABELS)], [1, 0]),
        (
            "validations",
            [keys.data_docs_page(MODEL, DAY, "a" * 64, "s" * 64), keys.validation(MODEL, DAY, "a" * 64, "s" * 64)],
            [1, 0],
        ),
        ("versions", [keys.version(MODEL, "v", name) for name in ("card.md", "manifest.json", "z.json")], [1, 2, 0]),
        ("candidates", [keys.candidate(MODEL, "v", name) for name in ("manifest.json", "model.joblib")], [0, 1]),
        ("runs", [keys.record(RUN, 10), keys.record(RUN, 9), f"{RUN}inputs.json"], [2, 1, 0]),
    ],
)
def test_the_head_goes_first_and_the_current_record_last(kind, listed, order):
    """So that a reader meets a whole group or none, and never an earlier record as the current one."""
    group = only(*listed)
    assert (group.kind, group.is_complete) == (kind, True)
    assert group.keys == tuple(listed[place] for place in order)


@pytest.mark.parametrize(
    "key",
    [
        ROWS,
        LABELS,
        keys.version(MODEL, "v", "model.joblib"),
        keys.candidate(MODEL, "v", "model.joblib"),
        keys.data_docs_page(MODEL, DAY, "a" * 64, "s" * 64),
        keys.prediction_rows(MODEL, DAY, "v", None),
    ],
)
def test_without_its_head_nothing_exists(key):
    assert not only(key).is_complete


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (keys.record(RUN, 1), "runs"),
        (keys.promotion(MODEL, 1), "promotions"),
        (keys.champion_hint(MODEL), "hints"),
        (keys.run_hint(MODEL, "manual__1"), "run hints"),
        (keys.hold(MODEL, "t"), "holds"),
        (keys.sweep(MODEL, "t"), "sweeps"),
        (keys.collection(MODEL, AS_OF, "c" * 64), "collections"),
        (f"{keys.quarantines(MODEL)}{keys.span(DAY)}/{'a' * 12}.parquet", "quarantine"),
        (keys.calibration(MODEL, DAY, "v", "l" * 64), "calibrations"),
    ],
)
def test_what_has_no_head_exists_by_itself(key, kind):
    assert (only(key).kind, only(key).is_complete) == (kind, True)


@pytest.mark.parametrize(
    "key",
    [
        f"{MODEL}/stray",
        f"{MODEL}/snapshots/notes.txt",
        f"{MODEL}/labels/yesterday/x.parquet",
        f"{RUN}record-0.json",
        f"{RUN}record-x.json",
        f"{MODEL}/promotions/1.json",
        f"{MODEL}/hints/other.json",
        f"{keys.version(MODEL, 'v')}deep/model.joblib",
    ],
)
def test_a_key_that_is_not_built_here_is_unknown(key):
    assert only(key).kind == inventory.UNKNOWN


def test_what_is_nobodys_is_not_placed():
    """A console marks folders by objects whose keys end in a slash; desktops leave files of their own."""
    folders = [keys.runs(MODEL), keys.snapshots(MODEL, DAY), keys.promotions(MODEL), keys.everything(MODEL), RUN]
    nobodys = [f"{folder}{name}" for folder in folders for name in ("", ".DS_Store", "Thumbs.db", "notes.json")]
    wanted = [ROWS, keys.record(RUN, 1), keys.promotion(MODEL, 1)]
    found = list(inventory.placed(MODEL, map(stored, [*nobodys, *wanted])))
    assert [(place, one.key) for place, one in found] == [(keys.place(MODEL, key), key) for key in wanted]


def test_leftovers_of_killed_writers_are_a_kind_of_their_own():
    (group,) = inventory.take(MODEL, [], [stored(f"{MODEL}/runs/.~0123")])
    assert group.kind == inventory.LEFTOVERS


def test_a_group_is_as_old_as_its_youngest_object():
    (group,) = inventory.take(MODEL, [stored(ROWS, 5), stored(keys.rows_manifest(ROWS), 3)])
    assert (group.size_bytes, group.newest - group.oldest) == (14, timedelta(days=2))
    assert group.newest == toy.START - 3 * toy.DAY


def test_objects_of_two_intervals_or_digests_are_two_groups():
    other = keys.snapshot_rows(MODEL, toy.day(4), AS_OF, "a" * 64)
    again = keys.snapshot_rows(MODEL, DAY, AS_OF, "c" * 64)
    assert len(inventory.take(MODEL, map(stored, [ROWS, other, again]))) == 3
