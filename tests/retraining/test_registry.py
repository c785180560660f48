"""Versions: registered once, manifest last, and nothing is used before it is verified."""

import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import joblib
import pytest

from include.retraining import keys, libraries, signing, unpickling, verifying
from include.retraining.errors import IntegrityError, ObjectMissing, StoreUnsafe
from include.retraining.folder import FolderStore
from include.retraining.registry import ARTIFACT, CARD, MANIFEST, SMOKE, Registry
from tests.retraining.desks import ABOUT, flip, objects, register, resigned, trained, unsigned


@pytest.fixture(scope="module")
def artifact() -> bytes:
    """Return a fitted candidate's bytes."""
    return trained()[ARTIFACT]


@pytest.fixture
def desk(store, keyring) -> Registry:
    """Return the registry of one model, in a folder."""
    return Registry(store, keyring, "parcels")


@pytest.fixture
def version(desk, artifact) -> str:
    """Return a registered version."""
    return register(desk, "20240201-000000000001", artifact)


def test_a_version_is_registered_with_its_manifest_and_loads(desk, version):
    manifest = desk.manifest(version)
    assert (manifest["model"], manifest["version"], manifest["format_version"]) == ("parcels", version, 1)
    assert set(manifest["files"]) == {ARTIFACT, CARD, SMOKE}
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
    again = desk.register(version, {**trained(), CARD: b"# another owner"}, {**ABOUT, "asked_by": "bob"})
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


def test_a_registration_that_was_cut_short_holds_up_nobody_whose_card_differs(desk):
    """Killed after the card and before the manifest; the next run names another owner."""
    version = "20240201-000000000001"
    for name, data in {**trained(), CARD: b"# owner A"}.items():
        desk.store.put_if_absent(keys.version("parcels", version, name), data)
    register(desk, version, card=b"# owner B")
    assert desk.file(version, CARD) == b"# owner A", "what lies there is named by the manifest"
    assert verifying.verify(desk).damage == ()


@pytest.mark.door
def test_of_several_that_register_at_once_with_their_own_cards_one_card_stands(any_store, keyring):
    desk = Registry(any_store, keyring, "parcels")
    for number in range(5):
        version, barrier = f"20240201-{number:012d}", Barrier(4)

        def act(owner: int, version: str = version, barrier: Barrier = barrier) -> None:
            barrier.wait()
            register(desk, version, card=f"# owner {owner}".encode())

        with ThreadPoolExecutor(4) as people:
            list(people.map(act, range(4)))
        assert desk.file(version, CARD).startswith(b"# owner")
    assert verifying.verify(desk).damage == ()


def test_a_store_that_overwrites_gets_no_first_version(tmp_path, keyring):
    class Overwriting(FolderStore):
        def put_if_absent(self, key, data):
            self.put(key, data)
            return True

    desk = Registry(Overwriting(tmp_path), keyring, "parcels")
    with pytest.raises(StoreUnsafe, match="accepts If-None-Match and overwrites"):
        register(desk, "20240201-000000000001")
    assert objects(desk.store) == {}


DAMAGES = {
    "flipped artifact": (ARTIFACT, flip, "model.joblib: the sha256 is .*, its manifest says"),
    "truncated artifact": (ARTIFACT, lambda data: data[:-1], "model.joblib has .* bytes, its manifest says"),
    "empty artifact": (ARTIFACT, lambda _: b"", "model.joblib has 0 bytes"),
    "altered manifest": (MANIFEST, lambda data: data.replace(b'"ann"', b'"bob"'), "signature does not match"),
    "unsigned manifest": (MANIFEST, unsigned, "manifest.json is not signed"),
    "torn manifest": (MANIFEST, lambda data: data[:-9], "manifest.json is not JSON"),
    "manifest of a foreign key": (MANIFEST, resigned, "manifest.json: the signature does not match"),
}


@pytest.mark.parametrize(("name", "damage", "message"), DAMAGES.values(), ids=DAMAGES)
def test_what_was_altered_is_found_before_it_is_used(desk, version, monkeypatch, name, damage, message):
    monkeypatch.setattr(unpickling, "load_artifact", lambda *_: pytest.fail("it was unpickled"))
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
    with pytest.raises(
        IntegrityError, match=r"names pathlib\.[\w.]+, which no artifact" if is_signed else "its manifest"
    ):
        desk.load(version)
    assert not marker.exists()


def test_a_manifest_that_was_copied_is_refused(desk, version):
    known = {"format_version": 1}
    for content in ({"version": version, "model": "letters"}, {"version": version}, {"model": "parcels"}):
        data = signing.canonical(signing.sign({**known, **content}, desk.keyring, "version"))
        desk.store.put(keys.version("parcels", version, MANIFEST), data)
        with pytest.raises(IntegrityError, match=r"manifest.json describes .*: it was copied there"):
            desk.manifest(version)


def test_a_candidates_manifest_is_no_versions_though_the_same_key_signs_both(desk, version):
    key = keys.version("parcels", version, MANIFEST)
    content = signing.sign(json.loads(desk.store.get(key)), desk.keyring, "candidate")
    desk.store.put(key, signing.canonical(content))
    with pytest.raises(IntegrityError, match="was signed as a candidate, expected a version"):
        desk.load(version)


@pytest.mark.parametrize("written", ["1.8.2", "2.0.0"])
def test_an_artifact_of_another_release_is_not_loaded(desk, artifact, written):
    about = {**ABOUT, "libraries": {**libraries.versions(), "scikit-learn": written}}
    desk.register("20240201-00000000000e", trained(), about)
    with pytest.raises(
        IntegrityError, match=rf"was written by scikit-learn {written}, here is .*Install the former where tasks run"
    ):
        desk.load("20240201-00000000000e")


def test_a_patch_release_of_the_library_loads(desk, artifact):
    here = libraries.versions()
    minor = here["scikit-learn"].rpartition(".")[0]
    desk.register("20240201-00000000000d", trained(), {"libraries": {**here, "scikit-learn": f"{minor}.99"}})
    assert desk.load("20240201-00000000000d")
