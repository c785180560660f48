"""Versions and the promotion log: nothing is used before it is verified, and of racing promotions exactly one wins."""

import io
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Barrier

import joblib
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.retraining import keys, registry, signing, training
from include.retraining.errors import IntegrityError, ObjectMissing, PromotionConflict, StoreUnsafe
from include.retraining.registry import ARTIFACT, CARD, MANIFEST, Registry
from include.retraining.store import FolderStore, open_folder
from tests.retraining import toy
from tests.retraining.proxy import once

AS_OF = datetime(2024, 2, 1, tzinfo=UTC)
ABOUT = {"candidate": "logistic_regression", "libraries": registry.library_versions(), "asked_by": "ann"}
RING = signing.Keyring("key-1", {"key-1": "s" * 40})


@pytest.fixture(scope="module")
def artifact() -> bytes:
    """Return a fitted candidate's bytes."""
    rows = pd.concat([toy.rows(number) for number in range(4)], ignore_index=True)
    return training.dump(training.fit(toy.spec().candidates[0], rows, toy.spec()))


@pytest.fixture
def desk(store, keyring) -> Registry:
    """Return the registry of one model, in a folder."""
    return Registry(store, keyring, "parcels")


@pytest.fixture
def version(desk, artifact) -> str:
    """Return a registered version."""
    return register(desk, "20240201-000000000001", artifact)


def register(desk: Registry, version: str, artifact: bytes = b"x", card: bytes = b"# card") -> str:
    desk.register(version, {ARTIFACT: artifact, CARD: card}, ABOUT)
    return version


def promotion(nonce: str = "nonce") -> dict[str, str]:
    about = {"action": "promote", "reason": "better", "actor": "ann", "verdict_sha256": "v" * 64, "run": "parcels/r/"}
    return {**about, "nonce": nonce}


def promoted(desk: Registry, count: int) -> list[str]:
    """Promote so many versions one after the other, and return them."""
    versions = [f"20240201-{number:012d}" for number in range(1, count + 1)]
    for number, version in enumerate(versions):
        register(desk, version)
        desk.promote(version, number, AS_OF + number * toy.DAY, promotion(f"nonce {number}"))
    return versions


def objects(store) -> dict[str, bytes]:
    return {found.key: store.get(found.key) for found in store.list("")}


def test_a_version_is_registered_with_its_manifest_and_loads(desk, version):
    manifest = desk.manifest(version)
    assert (manifest["model"], manifest["version"], manifest["format_version"]) == ("parcels", version, 1)
    assert set(manifest["files"]) == {ARTIFACT, CARD}
    assert desk.versions() == [version]
    assert desk.file(version, CARD) == b"# card"
    assert type(desk.load(version)).__name__ == "Pipeline"


def test_a_version_without_its_manifest_does_not_exist(desk, version, store):
    store.delete(keys.version("parcels", version, MANIFEST))
    assert desk.versions() == []
    with pytest.raises(ObjectMissing, match=MANIFEST):
        desk.load(version)


def test_registering_again_keeps_the_first_manifest(desk, version, artifact):
    before = objects(desk.store)
    again = desk.register(version, {ARTIFACT: artifact, CARD: b"# another owner"}, {**ABOUT, "asked_by": "bob"})
    assert again["asked_by"] == "ann"
    assert objects(desk.store) == before


def test_a_lost_artifact_is_put_back_by_the_same_training(desk, version, artifact):
    desk.store.delete(keys.version("parcels", version, ARTIFACT))
    register(desk, version, artifact)
    assert desk.load(version)


def test_the_same_version_with_another_artifact_is_refused(desk, version):
    before = objects(desk.store)
    with pytest.raises(IntegrityError, match=r"model.joblib holds other bytes than this training made.*Run `verify`"):
        register(desk, version, b"other")
    assert objects(desk.store) == before


def test_a_store_that_overwrites_gets_no_first_version(tmp_path, keyring):
    class Overwriting(FolderStore):
        def put_if_absent(self, key, data):
            self.put(key, data)
            return True

    desk = Registry(Overwriting(tmp_path), keyring, "parcels")
    with pytest.raises(StoreUnsafe, match="accepts If-None-Match and overwrites"):
        register(desk, "20240201-000000000001")
    assert objects(desk.store) == {}


def flip(data: bytes) -> bytes:
    return data[:50] + bytes([data[50] ^ 1]) + data[51:]


def unsigned(data: bytes) -> bytes:
    return signing.canonical({name: held for name, held in json.loads(data).items() if name != "signature"})


def resigned(**changes) -> object:
    def change(data: bytes) -> bytes:
        return signing.canonical(signing.sign({**json.loads(data), **changes}, RING))

    return change


DAMAGES = {
    "flipped artifact": (ARTIFACT, flip, "model.joblib: the sha256 is .*, its manifest says"),
    "truncated artifact": (ARTIFACT, lambda data: data[:-1], "model.joblib has .* bytes, its manifest says"),
    "empty artifact": (ARTIFACT, lambda _: b"", "model.joblib has 0 bytes"),
    "altered manifest": (MANIFEST, lambda data: data.replace(b'"ann"', b'"bob"'), "signature does not match"),
    "unsigned manifest": (MANIFEST, unsigned, "manifest.json is not signed"),
    "torn manifest": (MANIFEST, lambda data: data[:-9], "manifest.json is not JSON"),
    "manifest of a foreign key": (MANIFEST, resigned(), "manifest.json: the signature does not match"),
}


@pytest.mark.parametrize(("name", "damage", "message"), DAMAGES.values(), ids=DAMAGES)
def test_what_was_altered_is_found_before_it_is_used(desk, version, monkeypatch, name, damage, message):
    monkeypatch.setattr(signing, "load_artifact", lambda *_: pytest.fail("it was unpickled"))
    key = keys.version("parcels", version, name)
    desk.store.put(key, damage(desk.store.get(key)))
    with pytest.raises(IntegrityError, match=message):
        desk.load(version)
    with pytest.raises(IntegrityError):
        desk.file(version, ARTIFACT)


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("is_signed", [False, True])
def test_a_payload_never_runs_even_with_our_signature(desk, version, tmp_path, is_signed):
    sink, marker = io.BytesIO(), tmp_path / "it-ran"
    joblib.dump(Touch(marker), sink)
    if is_signed:
        version = register(desk, "20240201-00000000000f", sink.getvalue())
    desk.store.put(keys.version("parcels", version, ARTIFACT), sink.getvalue())
    with pytest.raises(IntegrityError, match=r"names pathlib\.\w+, which no artifact" if is_signed else "its manifest"):
        desk.load(version)
    assert not marker.exists()


def test_a_manifest_that_was_copied_is_refused(desk, version):
    """Also a candidate's, which is signed with the same key."""
    for content in ({"version": version, "model": "letters"}, {"version": version}, {"model": "parcels"}):
        data = signing.canonical(signing.sign(content, desk.keyring))
        desk.store.put(keys.version("parcels", version, MANIFEST), data)
        with pytest.raises(IntegrityError, match=r"manifest.json describes .*: it was copied there"):
            desk.manifest(version)


@pytest.mark.parametrize(("written", "message"), [("1.8.2", "written by scikit-learn 1.8.2, here is"), (None, None)])
def test_an_artifact_loads_in_the_release_that_wrote_it(written, message):
    libraries = registry.library_versions() | ({"scikit-learn": written} if written else {})
    if message is None:
        registry.check_libraries({"libraries": libraries}, "m/x")
        return
    with pytest.raises(IntegrityError, match=f"m/x was {message}.*Install the former, or retrain with force"):
        registry.check_libraries({"libraries": libraries}, "m/x")


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


def test_a_promotion_against_an_outdated_champion_conflicts_and_changes_nothing(desk):
    first, second = promoted(desk, 2)
    late, before = register(desk, "20240201-00000000000a"), objects(desk.store)
    with pytest.raises(
        PromotionConflict, match=rf"moved to {second} \(entry 2\) while this run compared {late}.*trigger"
    ):
        desk.promote(late, 1, AS_OF, promotion("late"))
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
            return Registry(any_store, keyring, "parcels").promote(version, 1, AS_OF, promotion(version)).number == 2
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
        desk = Registry(open_folder(Path(folder)), RING, "parcels")
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
        lambda desk: desk.promote("20240201-000000000003", 2, AS_OF, promotion()),
    ],
)
def test_a_gap_in_the_log_is_told(desk, ask):
    promoted(desk, 3)
    desk.store.delete(keys.promotion("parcels", 2))
    before = objects(desk.store)
    with pytest.raises(IntegrityError, match=r"promotions/00000002.json is gone.*; the log has no gaps. Restore it"):
        ask(desk)
    assert objects(desk.store) == before


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
    desk.store.put(key, signing.canonical(signing.sign(other, desk.keyring)))
    with pytest.raises(IntegrityError, match=r"00000003.json does not continue entry 2: one of the two was replaced"):
        desk.log()


def test_a_version_that_is_not_registered_cannot_be_promoted(desk):
    with pytest.raises(ObjectMissing, match="There is no object parcels/versions/20240201-00000000000b/manifest.json"):
        desk.promote("20240201-00000000000b", 0, AS_OF, promotion())
    assert desk.log() == []
