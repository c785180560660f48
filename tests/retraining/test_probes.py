"""An honest store passes every probe; one that overwrites, loses or lies is named by the probe that it fails."""

from datetime import timedelta

import pytest

from include.retraining import folder, intake, keys, probes, s3
from include.retraining.errors import StoreUnsafe, Unavailable
from include.retraining.folder import TEMPORARY
from include.retraining.registry import Registry
from include.retraining.store import exists
from tests.retraining.desks import objects, register
from tests.retraining.proxy import is_listing, is_read, stale, without
from tests.retraining.shelves import Aged

VERSION = "20240201-000000000001"


def writes_nothing(request):
    """Say 200 to every write and do nothing."""
    return 200 if request.command == "PUT" else None


def gives_back_half(request):
    def halve(answer):
        status, headers, data = answer
        return status, headers, data[: len(data) // 2] if status == 200 else data

    return halve if is_read(request) else None


def forgets_to_delete(request):
    return 204 if request.command == "DELETE" else None


LIARS = {
    "ignores the condition": (lambda: without("If-None-Match"), {"put-if-absent", "one winner of 8"}),
    "writes nothing": (lambda: writes_nothing, {"put-if-absent", "one winner of 8", "newest bytes", "listed at once"}),
    "gives back half": (lambda: gives_back_half, {"put-if-absent", "one winner of 8", "newest bytes"}),
    "gives back what was": (lambda: stale(is_read), {"newest bytes", "deleted is absent"}),
    "lists what was": (lambda: stale(is_listing), {"listed at once", "deleted is absent"}),
    "forgets to delete": (lambda: forgets_to_delete, {"deleted is absent"}),
}


@pytest.mark.door
def test_an_honest_store_passes_and_nothing_is_left(any_store):
    found = [probes.look(probe.check, lambda probe=probe: probe.ask(any_store)) for probe in probes.PROBES]
    assert {one.check: one.state for one in found} == dict.fromkeys((one.check for one in found), probes.OK)
    assert list(any_store.list("")) == []


@pytest.mark.door
@pytest.mark.parametrize("lie", LIARS)
def test_a_liar_is_named_by_what_it_fails_and_gets_no_version(lying, keyring, lie):
    fault, expected = LIARS[lie]
    store = s3.open_s3(lying.settings)
    lying.server.fault = fault()
    answers = {probe.check: probe.ask(store) for probe in probes.PROBES if probe.is_required}
    assert {check for check, (state, _) in answers.items() if state == probes.FAILED} == expected
    assert all("Use a" in told for state, told in answers.values() if state == probes.FAILED), "it says what to do"
    lying.server.fault = fault()
    with pytest.raises(StoreUnsafe):
        register(Registry(store, keyring, "parcels"), VERSION)
    lying.server.fault = lambda _: None
    assert [key for key in objects(store) if not key.startswith("doctor/")] == []


@pytest.mark.door
def test_a_store_that_does_not_answer_is_not_called_unsafe(lying, keyring):
    """Nothing was found out, so the task is tried again; what had been written for the proof is removed."""
    store = s3.open_s3(lying.settings)
    lying.server.fault = lambda request: 503 if is_read(request) else None
    with pytest.raises(Unavailable):
        register(Registry(store, keyring, "parcels"), VERSION)
    lying.server.fault = lambda _: None
    assert objects(store) == {}


class Rewriting(folder.FolderStore):
    """Takes a write that was sent twice for somebody else's."""

    def put_if_absent(self, key, data):
        return not exists(self, key) and super().put_if_absent(key, data)


class Shuffling(folder.FolderStore):
    """Lists in no order."""

    def list(self, prefix):
        return reversed([*super().list(prefix)])


class OnePage(folder.FolderStore):
    """Lists one page and says that this is all."""

    def list(self, prefix):
        return iter([*super().list(prefix)][: probes.PAGE])


class Plain(folder.FolderStore):
    """Knows no letter beyond ASCII."""

    def put_if_absent(self, key, data):
        return super().put_if_absent(key.encode("ascii", "replace").decode().replace("?", "_"), data)


class Once(folder.FolderStore):
    """Never takes a deleted key again."""

    def put_if_absent(self, key, data):
        return data != b"y" and super().put_if_absent(key, data)


@pytest.mark.parametrize(
    ("liar", "check", "words"),
    [
        (Rewriting, "put-if-absent", "sent twice is taken for somebody else's"),
        (Shuffling, "1,001 keys in order", "Of 1001 objects 1001 are listed, or not in order"),
        (OnePage, "1,001 keys in order", "Of 1001 objects 1000 are listed"),
        (Plain, "whole bytes, odd keys", "is not read or not listed as it was written"),
        (Once, "deleted is absent", "cannot be written again"),
    ],
)
def test_smaller_lies_are_found_too(liar, check, words, tmp_path):
    store = liar(tmp_path)
    state, told = next(probe for probe in probes.PROBES if probe.check == check).ask(store)
    assert (state, words in told) == (probes.FAILED, True), told


def test_a_probe_that_breaks_off_leaves_nothing_and_has_failed(store, monkeypatch):
    def broken(prefix):
        raise RuntimeError("no such thing")

    monkeypatch.setattr(store, "list", broken)
    found = probes.look("listed at once", lambda: probes.lists_at_once(store), is_required=True)
    assert (found.state, found.is_required) == (probes.FAILED, True)
    assert found.told == "RuntimeError: no such thing. This was not expected; please report it."
    monkeypatch.undo()
    assert list(store.list("")) == []


@pytest.mark.parametrize(("apart", "state"), [(timedelta(0), "ok"), (timedelta(minutes=14), "ok")])
@pytest.mark.parametrize("sign", [1, -1])
def test_clocks_may_be_some_minutes_apart(store, apart, state, sign):
    assert probes.tells_time(store, intake.now_utc() + sign * apart)[0] == state


@pytest.mark.parametrize("sign", [1, -1])
def test_clocks_that_are_far_apart_are_a_warning(store, sign):
    state, told = probes.tells_time(store, intake.now_utc() + sign * timedelta(minutes=16))
    assert state == probes.WARNING
    assert "0:1" in told
    assert "Set one of the clocks" in told


def test_what_killed_checks_left_goes_after_a_day_and_nothing_else(store):
    aged = Aged(store)
    for key in (keys.probe("killed"), f"{keys.probe('')}{TEMPORARY}0", "parcels/doctor/x"):
        aged.put(key, b"x")
    aged.age(timedelta(hours=25))
    aged.put(keys.probe("young"), b"x")
    assert probes.clears_up(aged) == (probes.OK, "2 objects of killed checks were removed.")
    assert set(objects(store)) == {keys.probe("young"), "parcels/doctor/x"}
    assert probes.clears_up(aged) == (probes.OK, "Earlier checks left nothing.")
