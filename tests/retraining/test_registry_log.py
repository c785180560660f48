"""The promotion log: of racing promotions exactly one wins, and nobody is misled about the champion."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Barrier

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.retraining import keys, signing
from include.retraining.errors import BadInput, IntegrityError, ObjectMissing, PromotionConflict
from include.retraining.folder import FolderStore, open_folder
from include.retraining.registry import MANIFEST, Registry
from tests.retraining import toy
from tests.retraining.desks import AS_OF, LATER, objects, promoted, promotion, register, unsigned
from tests.retraining.proxy import once


@pytest.fixture
def desk(store, keyring) -> Registry:
    """Return the registry of one model, in a folder."""
    return Registry(store, keyring, "parcels")


def test_the_log_says_who_when_and_why_and_links_to_what_was_before(desk):
    first, second = promoted(desk, 2)
    entries = desk.log()
    assert [entry.version for entry in entries] == [first, second]
    assert [entry.content["previous_version"] for entry in entries] == [None, first]
    assert [entry.content["previous_sha256"] for entry in entries] == [None, entries[0].sha256]
    assert entries[1].content["manifest_sha256"] == signing.sha256(
        desk.store.get(keys.version("parcels", second, MANIFEST))
    )
    assert desk.head() == entries[1]


def test_an_empty_log_has_no_champion(desk):
    assert (desk.head(), desk.log(), desk.live_at(AS_OF, 0)) == (None, [], None)


@pytest.mark.parametrize(("seconds", "live"), [(-1, None), (0, 1), (86399, 1), (86400, 2), (10**8, 2)])
def test_who_was_live_is_the_highest_entry_in_effect(desk, seconds, live):
    promoted(desk, 2)
    found = desk.live_at(AS_OF + timedelta(seconds=seconds), 2)
    assert (found.number if found else None) == live


def test_as_the_log_stood_earlier_nobody_later_was_live(desk):
    promoted(desk, 3)
    assert desk.live_at(AS_OF + 99 * toy.DAY, 1).number == 1


def test_a_promotion_that_is_tried_again_is_the_same_promotion(desk):
    (version,) = promoted(desk, 1)
    before = objects(desk.store)
    assert desk.promote(version, 0, AS_OF, promotion("nonce 0")).number == 1
    assert objects(desk.store) == before


@pytest.mark.parametrize("action", [Registry.promote, Registry.roll_back])
@pytest.mark.parametrize("seconds", [-1, 0])
def test_no_entry_takes_effect_before_the_one_it_follows(desk, action, seconds):
    """Else who was live at a moment that has passed would change."""
    first, _ = promoted(desk, 2)
    since, before = AS_OF + toy.DAY + timedelta(seconds=seconds), objects(desk.store)
    if seconds < 0:
        with pytest.raises(BadInput, match=r"entry 2 made 20240201-0+2 the champion from 20240202T000000Z: .*trigger"):
            action(desk, first, 2, since, promotion("late"))
        assert objects(desk.store) == before
    else:
        assert action(desk, first, 2, since, promotion("late")).effective_from == since
        assert desk.live_at(since - timedelta(seconds=1), 3).number == 1


def test_a_promotion_against_an_outdated_champion_conflicts_and_changes_nothing(desk):
    first, second = promoted(desk, 2)
    late, before = register(desk, "20240201-00000000000a"), objects(desk.store)
    with pytest.raises(
        PromotionConflict, match=rf"moved to {second} \(entry 2\) while {late} was held against.*trigger"
    ):
        desk.promote(late, 1, LATER, promotion("late"))
    assert objects(desk.store) | {keys.champion_hint("parcels"): b""} == before | {keys.champion_hint("parcels"): b""}
    assert desk.head().version == second
    assert first != second


@pytest.mark.door
def test_of_promotions_racing_on_one_base_exactly_one_wins(any_store, keyring):
    desk = Registry(any_store, keyring, "parcels")
    promoted(desk, 1)
    versions = [register(desk, f"20240301-{number:012d}") for number in range(8)]
    barrier = Barrier(len(versions))

    def race(version: str) -> bool:
        barrier.wait()
        try:
            return Registry(any_store, keyring, "parcels").promote(version, 1, LATER, promotion(version)).number == 2
        except PromotionConflict:
            return False

    with ThreadPoolExecutor(len(versions)) as racers:
        won = list(racers.map(race, versions))
    assert won.count(True) == 1
    assert [entry.number for entry in desk.log()] == [1, 2]
    assert desk.head().version == versions[won.index(True)]


@pytest.mark.door
@pytest.mark.parametrize("theirs", [False, True], ids=["won", "lost"])
def test_a_promotion_whose_reply_was_lost_is_told_as_it_is(proxied, keyring, theirs):
    store, server = proxied
    desk = Registry(store, keyring, "parcels")
    mine, other = register(desk, "20240301-000000000001"), register(desk, "20240301-000000000002")
    if theirs:
        desk.promote(other, 0, AS_OF, promotion("theirs"))
    server.fault = once("swallow")
    if theirs:
        with pytest.raises(PromotionConflict, match="moved to 20240301-000000000002"):
            desk.promote(mine, 0, AS_OF, promotion("mine"))
    else:
        assert desk.promote(mine, 0, AS_OF, promotion("mine")).version == mine
    assert desk.head().version == (other if theirs else mine)


@settings(max_examples=15)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=8))
def test_whatever_bases_are_tried_the_log_has_no_gap_and_only_the_head_is_extended(bases):
    with TemporaryDirectory() as folder:
        desk = Registry(open_folder(Path(folder)), signing.Keyring("key-1", {"key-1": "s" * 40}), "parcels")
        for number, base in enumerate(bases):
            head = desk.head().number if desk.head() else 0
            version = register(desk, f"20240301-{number:012d}")
            if base == head:
                assert desk.promote(version, base, AS_OF, promotion(version)).number == head + 1
            else:
                with pytest.raises((PromotionConflict, IntegrityError)):
                    desk.promote(version, base, AS_OF, promotion(version))
        numbers = [entry.number for entry in desk.log()]
        assert numbers == list(range(1, len(numbers) + 1))


HINTS = [
    b"",
    b"garbage",
    b"[]",
    b"{}",
    b'{"number": "x"}',
    b'{"number": null}',
    b'{"number": -3}',
    b'{"number": 1e999}',
]
HINTS += [json.dumps({"number": number}).encode() for number in (0, 1, 2, 3, 4, 99)]


@pytest.mark.parametrize("hint", HINTS, ids=lambda hint: hint.decode() or "empty")
def test_no_hint_misleads_about_the_champion(desk, hint):
    versions = promoted(desk, 3)
    desk.store.put(keys.champion_hint("parcels"), hint)
    assert (desk.head().number, desk.head().version) == (3, versions[-1])


def test_without_a_hint_the_log_is_read_from_its_start(desk):
    promoted(desk, 3)
    desk.store.delete(keys.champion_hint("parcels"))
    assert desk.head().number == 3


@pytest.mark.parametrize(
    "ask",
    [
        Registry.log,
        lambda desk: desk.live_at(AS_OF, 3),
        lambda desk: desk.promote("20240201-000000000003", 2, LATER, promotion()),
    ],
)
def test_a_gap_in_the_log_is_told(desk, ask):
    promoted(desk, 3)
    desk.store.delete(keys.promotion("parcels", 2))
    before = objects(desk.store)
    with pytest.raises(IntegrityError, match=r"promotions/00000002.json is gone.*; the log has no gaps. Restore it"):
        ask(desk)
    assert objects(desk.store) == before


@pytest.mark.parametrize(
    "gone",
    [[keys.promotion("parcels", 3)], [keys.promotion("parcels", 2), keys.champion_hint("parcels")]],
    ids=["told by the hint", "told by the listing"],
)
def test_hint_and_listing_each_tell_a_gap(desk, gone):
    promoted(desk, 3)
    for key in gone:
        desk.store.delete(key)
    with pytest.raises(IntegrityError, match=f"{gone[0]} is gone"):
        desk.log()


@pytest.mark.parametrize("turn", range(1, 6))
def test_a_promotion_that_lands_while_the_log_is_read_is_no_gap(desk, tmp_path, turn):
    """It lands at each call in turn that reading the log makes."""
    promoted(desk, 2)
    later = register(desk, "20240301-00000000000a")

    class Busy(FolderStore):
        asked = 0

        def get(self, key: str, *limit: int) -> bytes:
            self.asked += 1
            if self.asked == turn:
                desk.promote(later, 2, LATER, promotion("theirs"))
            return super().get(key, *limit)

    numbers = [entry.number for entry in replace(desk, store=Busy(tmp_path / "store")).log()]
    assert numbers in ([1, 2], [1, 2, 3])


def test_an_entry_that_was_copied_to_another_number_is_refused(desk):
    """An old promotion that is replayed as a new one."""
    promoted(desk, 2)
    desk.store.put(keys.promotion("parcels", 3), desk.store.get(keys.promotion("parcels", 1)))
    with pytest.raises(IntegrityError, match=r"00000003.json is entry 1 of parcels: it was copied there"):
        desk.head()


def test_an_entry_of_another_model_is_refused(desk, keyring):
    promoted(replace(desk, model="letters"), 1)
    desk.store.put(keys.promotion("parcels", 1), desk.store.get(keys.promotion("letters", 1)))
    with pytest.raises(IntegrityError, match="is entry 1 of letters: it was copied there"):
        desk.head()


@pytest.mark.parametrize(
    ("damage", "message"),
    [(unsigned, "is not signed"), (lambda data: data.replace(b'"ann"', b'"bob"'), "signature does not match")],
    ids=["unsigned", "altered"],
)
def test_a_damaged_entry_names_no_champion(desk, damage, message):
    promoted(desk, 2)
    key = keys.promotion("parcels", 2)
    desk.store.put(key, damage(desk.store.get(key)))
    with pytest.raises(IntegrityError, match=f"{key}.*{message}"):
        desk.head()


def test_an_entry_replaced_by_another_of_ours_breaks_the_chain(desk):
    promoted(desk, 3)
    key = keys.promotion("parcels", 2)
    other = {**json.loads(desk.store.get(key)), "reason": "another"}
    desk.store.put(key, signing.canonical(signing.sign(other, desk.keyring, other["kind"])))
    with pytest.raises(IntegrityError, match=r"00000003.json does not continue entry 2: one of the two was replaced"):
        desk.log()


def test_a_version_that_is_not_registered_cannot_be_promoted(desk):
    with pytest.raises(ObjectMissing, match=r"no object parcels/versions/20240201-00000000000b/manifest.json"):
        desk.promote("20240201-00000000000b", 0, AS_OF, promotion())
    assert desk.log() == []


@pytest.mark.parametrize("key", [keys.champion_hint("parcels"), keys.promotion("parcels", 3)])
def test_an_object_beyond_all_measure_is_not_held_in_memory(desk, tmp_path, key):
    """A hint is a cache and is searched without; an entry is refused."""
    promoted(desk, 2)
    with (tmp_path / "store" / key).open("wb") as huge:
        huge.truncate(1 << 40)
    if key == keys.champion_hint("parcels"):
        assert desk.head().number == 2
    else:
        with pytest.raises(
            IntegrityError, match=r"has more than the 16777216 bytes that are the most .*Restore"
        ) as caught:
            desk.head()
        assert caught.value.check == "size"


@pytest.mark.parametrize("folder", [keys.promotions, keys.versions])
@pytest.mark.parametrize("stray", [".DS_Store", "1.json", "notes.txt"])
def test_what_a_desktop_left_beside_the_log_is_no_entry_and_no_version(desk, folder, stray):
    versions = promoted(desk, 2)
    desk.store.put(f"{folder('parcels')}{stray}", b"x")
    assert [entry.version for entry in desk.log()] == versions == desk.versions()
    assert desk.head().number == 2
