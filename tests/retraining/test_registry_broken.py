"""Each object of the catalogue is refused by name, nothing of it runs, and the store stays as it was."""

import json
import os
import shutil
from pathlib import Path

import pytest

from include.retraining import cli, connections, keys
from include.retraining.errors import IntegrityError
from include.retraining.folder import open_folder
from include.retraining.registry import CARD, Registry
from tests.conftest import SECRET, connection_env
from tests.retraining import broken
from tests.retraining.broken import ASKS, ENTRY, MODEL, OTHER, SECOND, Scene
from tests.retraining.catalogue import ART, CAR, CASES, DEEP, HERE, MAN, SMO
from tests.retraining.desks import ABOUT, LATER, flip, objects, promotion, trained


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    """Return the folder of a store in which everything holds."""
    folder = tmp_path_factory.mktemp("sound")
    broken.healthy(folder)
    return folder


@pytest.fixture
def scene(sound, tmp_path) -> Scene:
    """Return a copy of that store, and the file that a payload would make."""
    shutil.copytree(sound, tmp_path / "store")
    return Scene(open_folder(tmp_path / "store"), tmp_path / "it-ran")


def seen(desk: Registry) -> object:
    """Return the champion, or why nobody can tell."""
    try:
        return desk.head()
    except IntegrityError as error:
        return str(error)


@pytest.mark.parametrize("name", CASES)
def test_a_broken_object_is_refused_and_nothing_moves(scene, name):
    case, champion, sound = CASES[name], scene.desk.head(), objects(scene.store)
    case.damage(scene)
    before, found = objects(scene.store), seen(scene.desk)
    changed = {key for key in {*before, *sound} if before.get(key) != sound.get(key)}
    assert changed
    assert found == champion or any("/promotions/" in key or "hints/champion" in key for key in changed)
    for ask in case.asks:
        with pytest.raises(IntegrityError, match=case.message) as refused:
            ASKS[ask](scene)
        assert refused.value.check == case.check, ask
    assert not scene.marker.exists()
    assert objects(scene.store) == before
    assert seen(scene.desk) == found


def laid_out(data: bytes) -> bytes:
    return json.dumps(json.loads(data), indent=2).encode()


HINT = keys.champion_hint(MODEL)
SOUND = {
    "signed by a key that is retired": lambda scene: None,
    "laid out in another way": broken.written(MAN, laid_out),
    "laid out in other characters": broken.written(MAN, lambda data: data.decode().encode("utf-16")),
    "without a hint": broken.removed(HINT),
    "with an old hint": broken.hint(1),
    "with a hint of no bytes": broken.written(HINT, lambda _: b""),
    "with a garbled hint": broken.written(HINT, flip),
    "with a hint of brackets": broken.written(HINT, lambda _: DEEP),
    "with a hint that nobody signed": broken.written(HINT, lambda _: b'{"model": "parcels", "number": 9}'),
    "with a stranger's hint": broken.written(HINT, lambda data: broken.by(broken.STRANGER, data)),
    "with another model's hint": broken.copied(keys.champion_hint(OTHER), HINT),
    "with an entry as hint": broken.copied(ENTRY, HINT),
}


@pytest.mark.parametrize("damage", SOUND.values(), ids=SOUND)
def test_what_is_sound_is_taken(scene, damage):
    """So that the catalogue does not show that everything is refused."""
    damage(scene)
    assert scene.desk.load_live(scene.desk.standing(2))
    assert scene.desk.head().version == broken.THIRD
    assert len(scene.desk.log()) == 3


PATCHES = {
    "scikit-learn": f"{HERE['scikit-learn'].rpartition('.')[0]}.99",
    "numpy": f"{HERE['numpy'].partition('.')[0]}.99.0",
    "pandas": "0.1",
}


@pytest.mark.parametrize("name", PATCHES)
def test_a_release_that_reads_the_same_is_taken(scene, name):
    broken.manifest(libraries={**HERE, name: PATCHES[name]})(scene)
    assert scene.desk.load(SECOND)


@pytest.mark.parametrize("key", [ART, CAR, SMO], ids=lambda key: key.rpartition("/")[2])
def test_of_an_object_without_end_no_more_is_read_than_its_manifest_says(scene, tmp_path, monkeypatch, key):
    with (tmp_path / "store" / key).open("r+b") as held:
        held.truncate(10 << 30)
    taken, read = [], os.read
    monkeypatch.setattr("os.read", lambda *given: taken.append(data := read(*given)) or data)
    with pytest.raises(IntegrityError, match=r"more than the .* bytes that its manifest says"):
        scene.desk.file(SECOND, key.rpartition("/")[2])
    assert sum(map(len, taken)) < 8 << 20


ELSEWHERE = {
    "nothing": "",
    "the folder": ".",
    "the folder above": "..",
    "a sibling": "../x",
    "another model": f"../../{OTHER}/versions/{SECOND}",
    "that model in two ways": f"{SECOND}/../../../{OTHER}/versions/{SECOND}",
    "a file of the machine": "../../../../../../etc/passwd",
    "an absolute path": "/etc/passwd",
    "an absolute path in a version": f"{SECOND}//etc/passwd",
    "a drive": "C:\\x",
    "a sibling in backslashes": "..\\x",
    "a NUL": "\0",
    "a NUL in a version": f"{SECOND}\0.json",
    "the end of a line": f"{SECOND}\n",
    "percent signs": "%2e%2e%2fx",
    "a home": "~root",
    "a hidden file": ".git",
    "an option": "--json",
    "letters that look alike": "\uff12\uff10",
    "a name without end": "x" * 5000,
}
CALLS = {
    "manifest": Registry.manifest,
    "load": Registry.load,
    "file": lambda desk, name: desk.file(name, CARD),
    "fetched": lambda desk, name: desk.fetched(name).__enter__(),
    "register": lambda desk, name: desk.register(name, {**trained(), CARD: b"x"}, ABOUT),
    "promote": lambda desk, name: desk.promote(name, 3, LATER, promotion()),
    "roll_back": lambda desk, name: desk.roll_back(name, 3, LATER, promotion()),
    "a file's name": lambda desk, name: desk.file(SECOND, name),
}


@pytest.mark.door
def test_no_name_leads_out_of_its_place(sound, any_store, keyring):
    for key, data in objects(open_folder(sound)).items():
        any_store.put(key, data)
    scene = Scene(any_store, sound)
    names = {name: {"sha256": "a" * 64, "size_bytes": 1} for name in ELSEWHERE.values()}
    scene.sign(MAN, {**scene.content(MAN), "files": names}, "version")
    before = objects(any_store)
    for name in ELSEWHERE.values():
        for call in CALLS.values():
            with pytest.raises(IntegrityError, match=r"is no version of parcels|does not name") as refused:
                call(scene.desk, name)
            assert refused.value.check == "format"
    assert objects(any_store) == before


COMMANDS = (
    lambda name: ["versions", name],
    lambda name: ["promotions", name],
    lambda name: ["runs", name],
    lambda name: ["verify", name],
    lambda name: ["reproduce", name, SECOND],
    lambda name: ["reproduce", "flight_delays", name],
    lambda name: ["rollback", name, "--reason", "why"],
    lambda name: ["rollback", "flight_delays", "--reason", "why", f"--to={name}"],
)


@pytest.mark.door
@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_no_name_on_the_command_line_leads_anywhere(kind, tmp_path, request, monkeypatch, capsys):
    store = connections.Settings("store", "fs", extra={"path": str(tmp_path / "store")})
    store = store if kind == "folder" else request.getfixturevalue("s3_settings")
    monkeypatch.setenv("AIRFLOW_CONN_STORE", connection_env(store))
    signing_key = connections.Settings("signing", "generic", login="key-1", password=SECRET)
    monkeypatch.setenv("AIRFLOW_CONN_SIGNING", connection_env(signing_key))
    connections.open_store().put("secret/promotions/00000001.json", b"{}")
    before = objects(connections.open_store())
    for name in (name for name in ELSEWHERE.values() if not name.startswith("-")):
        for command in COMMANDS:
            assert cli.main(command(name)) == 1, command(name)
            told = capsys.readouterr()
            assert told.out == ""
            assert told.err.startswith(("SpecError: ", "BadInput: ", "IntegrityError: "))
    assert objects(connections.open_store()) == before
