"""Whoever relies on objects and whoever deletes them never work at the same time."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier

import pytest

from include.retraining import holds, keys
from include.retraining.errors import Unavailable
from tests.retraining.shelves import Wrapped

MODEL = "parcels"


def test_a_sweep_waits_for_whoever_holds(any_store):
    with (
        holds.hold(any_store, MODEL, "pull scheduled__1"),
        pytest.raises(Unavailable, match=r"parcels is being worked on \(parcels/holds/.*nothing was deleted"),
        holds.sweep(any_store, MODEL, "maintenance"),
    ):
        pytest.fail("it swept")
    with holds.sweep(any_store, MODEL, "maintenance"):
        assert len(list(any_store.list(keys.sweeps(MODEL)))) == 1
    assert list(any_store.list("")) == []


def test_whoever_would_hold_waits_for_a_sweep(any_store):
    with (
        holds.sweep(any_store, MODEL, "maintenance"),
        pytest.raises(Unavailable, match=r"Maintenance is deleting what parcels no longer needs .*Try again"),
        holds.hold(any_store, MODEL, "promote"),
    ):
        pytest.fail("it held")
    assert list(any_store.list("")) == []


def test_holds_do_not_exclude_each_other_and_sweeps_do(store):
    with holds.hold(store, MODEL, "one"), holds.hold(store, MODEL, "two"):
        assert len(holds.live(store, keys.holds(MODEL), holds.HOLD_LEASE)) == 2
    with (
        holds.sweep(store, MODEL, "one"),
        pytest.raises(Unavailable, match="nothing was deleted"),
        holds.sweep(store, MODEL, "two"),
    ):
        pytest.fail("two swept")


def test_another_model_is_another_matter(store):
    with holds.hold(store, MODEL, "pull"), holds.sweep(store, "letters", "maintenance"):
        assert holds.live(store, keys.holds("letters"), holds.HOLD_LEASE) == []


@pytest.mark.parametrize(("key", "lease"), [(keys.hold, holds.HOLD_LEASE), (keys.sweep, holds.SWEEP_LEASE)])
def test_what_a_killed_process_left_runs_out(store, tmp_path, key, lease):
    store.put(key(MODEL, "killed"), b"{}")
    path = tmp_path / "store" / key(MODEL, "killed")
    left = time.time() - lease.total_seconds()
    os.utime(path, (left + 60, left + 60))
    with pytest.raises(Unavailable), ExitStack() as entered:
        entered.enter_context(holds.sweep(store, MODEL, "x") if key is keys.hold else holds.hold(store, MODEL, "x"))
    os.utime(path, (left - 60, left - 60))
    with holds.sweep(store, MODEL, "x") if key is keys.hold else holds.hold(store, MODEL, "x"):
        pass


@pytest.mark.parametrize("enter", [holds.hold, holds.sweep])
def test_a_mark_whose_answer_is_lost_keeps_nobody_away(store, enter):
    """The write came through; whoever wrote it was told otherwise and gave up."""

    class Lossy(Wrapped):
        def put(self, key, data):
            self.store.put(key, data)
            raise Unavailable("the answer was lost")

    with pytest.raises(Unavailable, match="the answer was lost"), enter(Lossy(store), MODEL, "x"):
        pytest.fail("it went on")
    assert list(store.list("")) == []


def test_a_failure_inside_lets_go(store):
    with pytest.raises(ZeroDivisionError), holds.hold(store, MODEL, "x"):
        raise ZeroDivisionError
    assert list(store.list("")) == []


def test_whoever_comes_first_a_hold_and_a_sweep_never_overlap(any_store):
    """A hundred meetings of two threads; both may give way, never neither."""
    inside: set[str] = set()
    overlaps = []

    def enter(kind: str, barrier: Barrier) -> bool:
        barrier.wait()
        try:
            with (holds.hold if kind == "hold" else holds.sweep)(any_store, MODEL, kind):
                inside.add(kind)
                time.sleep(0.001)
                overlaps.append(len(inside))
                inside.discard(kind)
        except Unavailable:
            return False
        return True

    for _ in range(50):
        barrier = Barrier(2)
        with ThreadPoolExecutor(2) as pair:
            list(pair.map(lambda kind, barrier=barrier: enter(kind, barrier), ("hold", "sweep")))
    assert set(overlaps) <= {1}
