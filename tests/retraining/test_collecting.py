"""Deleting while others work: nothing needed goes, whatever is cut off, and a signed record tells what went."""

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest

from include.retraining import challengers, collecting, holds, intake, keys, records, signing
from include.retraining.errors import BadInput, IntegrityError, ObjectMissing, Unavailable
from include.retraining.folder import open_folder
from include.retraining.policies import Keep, Retention
from include.retraining.registry import Registry
from include.retraining.verifying import verify
from tests.conftest import ROOT, SECRET
from tests.retraining import desks, shelves, toy
from tests.retraining.shelves import MODEL, POLICY, VERSIONS, Aged, Interrupted, Killed, Mortal

LONG_AGO = timedelta(days=40)
GONE, KEPT = VERSIONS[0], VERSIONS[3]
"""A version that nobody needs, and the champion."""


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    """Fill a folder once for all tests of this file."""
    folder = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _: None)
        desk = Registry(open_folder(folder), signing.Keyring("key-1", {"key-1": SECRET}), MODEL)
        shelves.fill(desk)
        shelves.left_by_crashes(desk)
    return folder


@pytest.fixture
def desk(template, tmp_path, keyring) -> Registry:
    """Return a registry in a folder that has been lived in for long."""
    found = Registry(Aged(open_folder(Path(shutil.copytree(template, tmp_path / "store")))), keyring, MODEL)
    found.store.age(LONG_AGO)
    return found


def on(desk: Registry, store) -> Registry:
    """Return the same registry over a store that does harm."""
    return Registry(store, desk.keyring, desk.model)


def collect(desk: Registry, policy: Retention = POLICY) -> collecting.Collection:
    return collecting.collect(desk, policy, "ann", "room")


def listed(desk: Registry) -> set[str]:
    return {found.key for found in desk.store.list("")}


def damage(desk: Registry) -> tuple[str, ...]:
    return tuple(finding.key for finding in verify(desk, POLICY).damage)


def findings(desk: Registry) -> tuple[str, ...]:
    return tuple(finding.key for finding in verify(desk, POLICY).findings)


class TestAlone:
    def test_a_dry_run_tells_and_writes_nothing(self, desk):
        before = desks.objects(desk.store)
        told = collecting.describe(collecting.survey(desk, POLICY))
        assert desks.objects(desk.store) == before
        assert "versions     free    older than 30 days" in told
        assert "the champion or one of the last 2 live versions" in told
        assert told.endswith("To free: 35 objects, 43824 bytes.")

    def test_what_is_freed_goes_and_everything_else_is_as_it_was(self, desk):
        before, plan = desks.objects(desk.store), collecting.survey(desk, POLICY)
        freed = {key for fate in plan.freed for key in fate.group.keys}
        done = collect(desk)
        left = desks.objects(desk.store)
        assert left.pop(done.record)
        assert left == {key: data for key, data in before.items() if key not in freed}
        assert done.sentence == f"Deleted 35 objects of 43824 bytes, as {done.record} tells."
        assert desk.versions() == VERSIONS[2:]
        assert desk.load_live(desk.head())
        assert findings(desk) == ()

    def test_a_second_collection_finds_nothing_and_leaves_no_record(self, desk):
        collect(desk)
        before = desks.objects(desk.store)
        done = collect(desk)
        assert (done.deleted, done.record, done.sentence) == ((), None, "Nothing had to be deleted.")
        assert desks.objects(desk.store) == before

    def test_the_record_tells_who_what_and_why_and_is_signed(self, desk):
        done = collect(desk)
        content = collecting.read_record(desk, done.record)
        schema = json.loads((ROOT / "include" / "retraining" / "schemas" / "collection.json").read_text())
        jsonschema.validate(content, schema)
        assert (content["actor"], content["reason"], content["model"]) == ("ann", "room", MODEL)
        assert content["retention"]["live_versions"] == 2
        assert content["bytes"] == sum(one["size_bytes"] for one in content["objects"]) == 43824
        assert {one["key"] for one in content["objects"]} == {one.key for one in done.deleted}
        whole = next(one for one in content["objects"] if one["key"] == keys.version(MODEL, GONE, "manifest.json"))
        assert whole["reason"] == "older than 30 days"
        desk.store.put(done.record, desk.store.get(done.record).replace(b'"ann"', b'"bob"'))
        with pytest.raises(IntegrityError, match="signature does not match"):
            collecting.read_record(desk, done.record)

    def test_a_record_under_another_key_is_refused(self, desk):
        done = collect(desk)
        other = keys.collection(MODEL, toy.START, "0" * 64)
        desk.store.put(other, desk.store.get(done.record))
        with pytest.raises(IntegrityError, match="another collection's record"):
            collecting.read_record(desk, other)

    def test_the_champions_hint_is_moved_to_where_the_log_ends(self, desk):
        desk.store.delete(keys.champion_hint(MODEL))
        collect(desk)
        assert json.loads(desk.store.get(keys.champion_hint(MODEL)))["number"] == 4

    def test_the_record_lies_there_before_the_first_deletion(self, desk):
        seen: list[int] = []
        records_ = keys.collections(MODEL)
        store = Interrupted(
            desk.store, "delete", f"{MODEL}/candidates/", lambda: seen.append(len(list(desk.store.list(records_))))
        )
        collect(on(desk, store))
        assert seen == [1]

    def test_one_sweep_takes_so_many_objects_and_the_next_one_the_rest(self, desk, monkeypatch):
        monkeypatch.setattr(collecting, "MOST_OBJECTS", 10)
        first = collect(desk)
        assert len(first.deleted) <= 10
        assert f"{35 - len(first.deleted)} more objects are left for the next time." in first.sentence
        assert damage(desk) == ()
        while collect(desk).deleted:
            pass
        assert desk.versions() == VERSIONS[2:]

    def test_a_sweep_that_takes_too_long_stops_by_the_stores_clock(self, desk):
        """As one does that was stopped, and wakes up when its mark has long run out."""
        store = Sleepy(desk.store)
        done = collect(on(desk, store))
        assert 0 < len(done.deleted) < 35
        assert "are left for the next time" in done.sentence
        assert KEPT in desk.versions()
        assert collect(desk).deleted
        assert damage(desk) == ()

    @pytest.mark.parametrize("took", [timedelta(seconds=70), timedelta(seconds=110)])
    def test_a_long_look_at_what_is_needed_leaves_as_much_time_to_delete(self, desk, took):
        """The mark is written again before the first deletion, and the first one stands till the end."""
        late = lambda: desk.store.age(took, keys.sweeps(MODEL))  # noqa: E731
        done = collect(on(desk, Interrupted(desk.store, "get", f"{MODEL}/promotions/", late)))
        assert len(done.deleted) == 35
        assert not list(desk.store.list(keys.sweeps(MODEL)))
        assert damage(desk) == ()

    @pytest.mark.parametrize("prefix", [f"{MODEL}/versions/", f"{MODEL}/promotions/"])
    @pytest.mark.parametrize("is_removed", [False, True], ids=["run out", "removed"])
    def test_a_look_that_outlasts_its_mark_deletes_nothing(self, desk, prefix, is_removed):
        """Somebody may have come and gone in the meantime, and pinned what would be deleted."""

        def come_and_go() -> None:
            if is_removed:
                for one in [*desk.store.list(keys.sweeps(MODEL))]:
                    desk.store.delete(one.key)
            desk.store.age(holds.SWEEP_LEASE, keys.sweeps(MODEL))
            pull(desk)

        before = told_of(desk)
        with pytest.raises(Unavailable, match=r"had no mark in force all the while.*Nothing was deleted"):
            collect(on(desk, Interrupted(desk.store, "get", prefix, come_and_go)))
        assert before <= told_of(desk)
        assert damage(desk) == ()

    def test_a_model_without_anything_has_nothing_to_free(self, store, keyring):
        empty = Registry(store, keyring, "letters")
        assert collect(empty).sentence == "Nothing had to be deleted."
        assert listed(empty) == set()

    def test_another_models_objects_are_never_looked_at(self, desk):
        other = Registry(desk.store, desk.keyring, "parcels_abroad")
        desks.promoted(other, 1)
        desk.store.age(LONG_AGO)
        collect(desk)
        assert len([key for key in listed(desk) if key.startswith("parcels_abroad/")]) == 6


class Sleepy(shelves.Wrapped):
    """A store whose user falls asleep for six minutes after five deletions."""

    deleted = 0

    def delete(self, key: str) -> None:
        self.deleted += 1
        self.store.delete(key)

    def now(self):
        return self.store.now() + (timedelta(minutes=6) if self.deleted >= 5 else timedelta(0))


class TestRefusing:
    @pytest.mark.parametrize(
        "harm",
        [
            lambda desk: desk.store.delete(keys.promotion(MODEL, 2)),
            lambda desk: desk.store.delete(keys.promotion(MODEL, 4)),
            lambda desk: desk.store.put(keys.promotion(MODEL, 3), desk.store.get(keys.promotion(MODEL, 1))),
            lambda desk: desk.store.put(keys.promotion(MODEL, 2), desks.flip(desk.store.get(keys.promotion(MODEL, 2)))),
            lambda desk: desk.store.delete(keys.version(MODEL, KEPT, "manifest.json")),
            lambda desk: desk.store.put(keys.version(MODEL, GONE, "manifest.json"), b"{}"),
        ],
        ids=["gap", "cut", "replayed", "altered", "champion gone", "manifest unsigned"],
    )
    def test_while_it_is_not_known_what_is_needed_nothing_is_deleted(self, desk, harm):
        harm(desk)
        before = desks.objects(desk.store)
        with pytest.raises(IntegrityError):
            collect(desk)
        assert desks.objects(desk.store) == before

    def test_an_open_run_whose_inputs_do_not_hold_stops_it(self, desk):
        inputs = shelves.ran(desk, "manual__open", has_report=False)
        desk.store.put(inputs.key, desks.flip(desk.store.get(inputs.key)))
        with pytest.raises(IntegrityError):
            collect(desk)
        assert GONE in desk.versions()

    def test_a_live_version_that_maintenance_took_stops_nothing(self, desk):
        """Somebody asks for more live versions than were kept."""
        collect(desk)
        collecting.survey(desk, Retention(versions=Keep(30, 1), live_versions=4))

    def test_somebody_at_work_stops_it_and_nothing_is_written(self, desk):
        before = desks.objects(desk.store)
        with holds.hold(desk.store, MODEL, "pull"), pytest.raises(Unavailable, match="nothing was deleted"):
            collect(desk)
        assert desks.objects(desk.store) == before


class TestOpenRuns:
    def test_while_one_goes_on_its_rows_and_every_version_stay(self, desk):
        inputs = shelves.ran(desk, "manual__open", days=4, has_report=False)
        desk.store.age(timedelta(days=6))
        done = collect(desk)
        gone = {one.key for one in done.deleted}
        pinned = [*inputs.content["snapshots"].values(), *inputs.content["labels"].values()]
        assert gone.isdisjoint(one["key"] for one in pinned)
        assert desk.versions() == VERSIONS
        assert done.plan.notes
        assert damage(desk) == ()

    def test_one_that_has_reported_lately_keeps_its_rows_and_no_version(self, desk):
        """It failed, say, and somebody will clear it."""
        inputs = shelves.ran(desk, "manual__failed", days=4)
        desk.store.age(timedelta(days=6))
        gone = {one.key for one in collect(desk).deleted}
        assert gone.isdisjoint(one["key"] for one in inputs.content["snapshots"].values())
        assert desk.versions() == VERSIONS[2:]

    def test_one_that_is_given_up_needs_nothing_any_more(self, desk):
        shelves.ran(desk, "manual__lost", days=4, has_report=False)
        desk.store.age(timedelta(days=7), keys.runs(MODEL))
        collect(desk)
        assert desk.versions() == VERSIONS[2:]


def pull(desk: Registry) -> str:
    """Choose the oldest snapshots, which nobody needed any more, and pin a run on them: as a pull does."""
    with holds.hold(desk.store, MODEL, "pull manual__late"):
        return shelves.ran(desk, "manual__late", days=4, has_report=False).key


def register_again(desk: Registry) -> str:
    """Train what was trained long ago: the same inputs make the same version."""
    inputs = records.read_inputs(desk.store, next(iter(desk.store.list(keys.runs(MODEL)))).key)
    return shelves.registered(desk, GONE, inputs, days=1)


def promote(desk: Registry) -> None:
    about = {**desks.promotion("late"), "run": None}
    desk.promote(GONE, 4, toy.START + 9 * toy.DAY, about)


def roll_back(desk: Registry) -> None:
    about = {**desks.promotion("late"), "run": None}
    desk.roll_back(GONE, 4, toy.START + 9 * toy.DAY, about)


ACTIONS = [pull, register_again, promote, roll_back]
CALLS = [
    ("put", f"{MODEL}/sweeps/"),
    ("list", f"{MODEL}/sweeps/"),
    ("list", f"{MODEL}/holds/"),
    ("list", f"{MODEL}/"),
    ("get", f"{MODEL}/promotions/"),
    ("get", f"{MODEL}/versions/"),
    ("put_if_absent", f"{MODEL}/collections/"),
    ("delete", f"{MODEL}/candidates/"),
    ("delete", f"{MODEL}/versions/"),
    ("delete", f"{MODEL}/runs/"),
    ("delete", f"{MODEL}/snapshots/"),
    ("delete", f"{MODEL}/sweeps/"),
]


class TestRaces:
    @pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
    @pytest.mark.parametrize(("verb", "prefix"), CALLS, ids=[f"{verb} {prefix}" for verb, prefix in CALLS])
    @pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.__name__)
    def test_whoever_comes_in_between_gives_way_or_keeps_what_it_took(self, desk, action, verb, prefix, after):
        """The other acts at one call of the sweep: it meets the mark, or the sweep meets what it wrote."""
        outcome: list[str] = []

        def act() -> None:
            try:
                action(desk)
                outcome.append("done")
            except (Unavailable, ObjectMissing) as error:
                outcome.append(type(error).__name__)

        try:
            collect(on(desk, Interrupted(desk.store, verb, prefix, act, after)))
        except Unavailable:
            outcome.append("the sweep gave way")
        assert outcome
        whole(desk, action, outcome[0] == "done")

    def test_while_a_pull_chooses_the_sweep_gives_way(self, desk):
        """The other way round: the sweep comes at a call of whoever holds."""
        for verb, prefix in [
            ("list", f"{MODEL}/sweeps/"),
            ("put_if_absent", f"{MODEL}/runs/"),
            ("put", f"{MODEL}/hints/"),
        ]:
            given: list[str] = []

            def sweep(given: list[str] = given) -> None:
                try:
                    collect(desk)
                except Unavailable:
                    given.append("way")

            pull(on(desk, Interrupted(desk.store, verb, prefix, sweep)))
            assert given == ["way"]
        whole(desk, pull, is_done=True)

    @pytest.mark.door
    def test_threads_that_pull_register_promote_and_sweep_all_at_once(self, any_store, keyring):
        desk = Registry(Aged(any_store), keyring, MODEL)
        shelves.fill(desk)
        desk.store.age(LONG_AGO)

        def tried(action: Callable[[Registry], object]) -> bool:
            for _ in range(12):
                try:
                    action(desk)
                except Unavailable:
                    continue
                except (ObjectMissing, BadInput):
                    return False
                return True
            return False

        with ThreadPoolExecutor(8) as pool:
            done = list(pool.map(tried, [pull, register_again, collect, promote, collect, roll_back, collect, pull]))
        assert done.count(True)
        assert damage(desk) == ()
        assert desk.load_live(desk.head())


def whole(desk: Registry, action: Callable[[Registry], object], is_done: bool) -> None:
    """What was done holds, what gave way left nothing, and the champion serves."""
    assert damage(desk) == ()
    head = desk.head()
    assert desk.load_live(head)
    if is_done and action is pull:
        inputs = records.read_inputs(desk.store, keys.inputs(MODEL, toy.day(3), "manual__late"))
        assert all(desk.store.get(one["key"]) for one in inputs.content["snapshots"].values())
    if is_done and action is register_again:
        assert GONE not in desk.versions() or desk.load(GONE)
    assert head.number == (5 if is_done and action in {promote, roll_back} else 4)
    assert head.version == (GONE if head.number == 5 else KEPT)


class TestCleared:
    """A run that reported long ago is cleared: nothing tells that it goes on."""

    def test_it_fails_where_its_inputs_are_gone_and_the_champion_stays(self, desk):
        folder = keys.run(MODEL, toy.day(4), "scheduled__5")
        assert records.read_inputs(desk.store, f"{folder}inputs.json")
        collect(desk)
        with pytest.raises(ObjectMissing, match=r"no object parcels/runs/.*scheduled__5/inputs.json"):
            records.read_inputs(desk.store, f"{folder}inputs.json")
        assert intake.find_inputs(desk.store, MODEL, "scheduled__5") is None, "so it would be pinned anew"
        assert desk.head().version == KEPT

    def test_what_it_writes_is_young_and_stays(self, desk):
        folder = keys.run(MODEL, toy.day(4), "scheduled__5")
        records.write_section(desk.store, folder, "evaluation", {"champion": None})
        collect(desk)
        assert records.read_sections(desk.store, folder)["evaluation"] == {"champion": None}

    def test_a_candidate_that_is_stored_meanwhile_gives_way(self, desk):
        about = {"version": "20240201-0000000000aa"}
        outcome: list[str] = []

        def store() -> None:
            try:
                challengers._store(desk, about, {"model.joblib": b"new"})
            except Unavailable:
                outcome.append("gave way")

        collect(on(desk, Interrupted(desk.store, "delete", f"{MODEL}/candidates/", store, after=True)))
        assert outcome == ["gave way"]
        assert not [key for key in listed(desk) if "0000000000aa" in key]


class TestKilled:
    def test_before_each_write_a_plain_retry_ends_it_and_everything_holds(self, desk):
        """The dead process leaves its mark: whoever retries waits until its lease has run out."""
        before, whole_run = desks.objects(desk.store), Mortal(desk.store, write=10**9)
        collect(on(desk, whole_run))
        kept = told_of(desk)
        assert whole_run.writes == 1 + 1 + 35 + 1, "the mark, the record, what is deleted, the mark"
        for write in range(1, whole_run.writes + 1):
            put_back(desk, before)
            with pytest.raises(Killed):
                collect(on(desk, Mortal(desk.store, write)))
            assert damage(desk) == (), write
            assert desk.load_live(desk.head()), write
            desk.store.age(holds.SWEEP_LEASE, keys.sweeps(MODEL))
            collect(desk)
            assert findings(desk) == (), write
            assert told_of(desk) == kept, write

    def test_until_its_lease_has_run_out_a_killed_sweep_is_respected(self, desk):
        with pytest.raises(Killed):
            collect(on(desk, Mortal(desk.store, write=20)))
        with pytest.raises(Unavailable, match="Maintenance is deleting"):
            pull(desk)
        with pytest.raises(Unavailable, match="is being worked on"):
            collect(desk)
        desk.store.age(holds.SWEEP_LEASE, keys.sweeps(MODEL))
        assert pull(desk)


def told_of(desk: Registry) -> set[str]:
    """Return every key but those of marks and of records of collections."""
    return {key for key in listed(desk) if key.split("/")[1] not in {"sweeps", "collections"}}


def put_back(desk: Registry, before: dict[str, bytes]) -> None:
    """Bring a store back to what it held long ago."""
    there = listed(desk)
    for key in there - set(before):
        desk.store.delete(key)
    for key in set(before) - there:
        desk.store.put(key, before[key])
    desk.store.written.clear()
    desk.store.age(LONG_AGO)


class TestForm:
    def test_a_form_means_one_model_or_all(self):
        assert collecting.read_form({}, ["a", "b"]) == ["a", "b"]
        assert collecting.read_form({"model": "b", "dry_run": False, "reason": None}, ["a", "b"]) == ["b"]

    @pytest.mark.parametrize(
        ("form", "words"),
        [
            ({"modle": "a"}, "unknown fields"),
            ({"dry_run": "no"}, "expected true or false"),
            ({"model": "c"}, "expected 'all' or one of"),
        ],
    )
    def test_a_wrong_form_is_refused(self, form, words):
        with pytest.raises(BadInput, match=words):
            collecting.read_form(form, ["a", "b"])

    @pytest.mark.parametrize(
        ("kind", "form", "collects", "dry"),
        [
            ("scheduled", {}, True, False),
            ("scheduled", {}, False, True),
            ("manual", {}, True, True),
            ("manual", {"dry_run": False}, False, False),
            ("manual", {"dry_run": True}, True, True),
            ("backfill", {}, True, True),
        ],
    )
    def test_the_schedule_obeys_the_spec_and_a_person_the_form(self, kind, form, collects, dry):
        assert collecting.is_dry(kind, form, Retention(collect=collects)) == dry


def test_signing_with_a_retired_key_still_names_what_was_deleted(desk):
    done = collect(desk)
    keyring = signing.Keyring("key-2", {"key-2": "t" * 40, **desk.keyring.secrets})
    assert {one.key for one in done.deleted} == collecting.collected(Registry(desk.store, keyring, MODEL))
