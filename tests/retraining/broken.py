"""A healthy store, the ways to break it, and the calls that have to refuse what was broken."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from include.retraining import keys, records, signing, snapshots, training
from include.retraining.folder import open_folder
from include.retraining.registry import ARTIFACT, CARD, MANIFEST, SMOKE, Registry
from include.retraining.store import Store
from tests.retraining import toy
from tests.retraining.desks import ABOUT, AS_OF, LATER, objects, promoted, promotion, trained

RING = signing.Keyring("key-2", {"key-1": "r" * 40, "key-2": "s" * 40})
MODEL, OTHER = "parcels", "letters"
FIRST, SECOND, THIRD, NEW = (f"20240201-{number:012d}" for number in (1, 2, 3, 4))
PINNED = keys.inputs(MODEL, toy.day(5), "manual__1")
"""Three versions went live one after the other; the second is the one that gets broken."""
PREFIX = PINNED.removesuffix("inputs.json")
STRANGER = signing.Keyring("key-9", {"key-9": "t" * 40})

VERSION_ASKS = ("load", "load_live", "promote", "roll_back")
MANIFEST_ASKS = ("manifest", "file", *VERSION_ASKS)
SIGNED_ASKS = ("load", "promote", "roll_back")
"""Of a manifest that was signed again: for the champion's there is the chain as well."""


@dataclass(frozen=True)
class Case:
    """One broken object."""

    asks: tuple[str, ...]
    """Calls of ``ASKS``, each of which has to refuse it."""
    check: str
    """The check that refuses it."""
    message: str
    damage: Callable[["Scene"], None]


@dataclass(frozen=True)
class Scene:
    """A store that a case breaks, and the file that a payload would make."""

    store: Store
    marker: Path

    @property
    def desk(self) -> Registry:
        return Registry(self.store, RING, MODEL)

    @property
    def inputs(self) -> records.Inputs:
        return records.read_inputs(self.store, PINNED)

    def content(self, key: str) -> dict[str, Any]:
        return dict(json.loads(self.store.get(key)))

    def sign(self, key: str, content: dict[str, Any], kind: str) -> None:
        self.store.put(key, signing.canonical(signing.sign(content, RING, kind)))

    def frozen(self) -> snapshots.Frozen:
        """Return where the first day's rows lie, and their hash."""
        return self.inputs.snapshot(toy.day(0))


ASKS: dict[str, Callable[[Scene], object]] = {
    "load": lambda scene: scene.desk.load(SECOND),
    "load_live": lambda scene: scene.desk.load_live(scene.desk.standing(2)),
    "load_head": lambda scene: scene.desk.load_live(scene.desk.head()),
    "manifest": lambda scene: scene.desk.manifest(SECOND),
    "file": lambda scene: scene.desk.file(SECOND, CARD),
    "promote": lambda scene: scene.desk.promote(SECOND, 3, LATER, promotion("again")),
    "promote_first": lambda scene: scene.desk.promote(FIRST, 3, LATER, promotion("again")),
    "roll_back": lambda scene: scene.desk.roll_back(SECOND, 3, LATER, promotion("back")),
    "register": lambda scene: scene.desk.register(SECOND, {**trained(), CARD: b"# card"}, ABOUT),
    "load_new": lambda scene: scene.desk.load(NEW),
    "promote_new": lambda scene: scene.desk.promote(NEW, 3, LATER, promotion("new")),
    "roll_back_new": lambda scene: scene.desk.roll_back(NEW, 3, LATER, promotion("new")),
    "head": lambda scene: scene.desk.head(),
    "log": lambda scene: scene.desk.log(),
    "entry": lambda scene: scene.desk.entry(2),
    "live_at": lambda scene: scene.desk.live_at(AS_OF, 3),
    "inputs": lambda scene: scene.inputs,
    "find_inputs": lambda scene: records.find_inputs(scene.store, MODEL, "manual__1"),
    "sections": lambda scene: records.read_sections(scene.store, PREFIX),
    "rows": lambda scene: snapshots.read(scene.store, scene.frozen()),
    "newest": lambda scene: snapshots.newest(scene.store, RING, keys.snapshots(MODEL, toy.day(0)), toy.day(9).end),
}


@cache
def another() -> bytes:
    """Return a second artifact, of the same form and with other numbers."""
    rows = pd.concat([toy.rows(number) for number in range(4, 8)], ignore_index=True)
    return training.dump(training.fit(toy.spec().candidates[0], rows, toy.spec()))


def healthy(folder: Path) -> dict[str, bytes]:
    """Return the objects of a store in which everything holds; its versions were signed by a key that is retired."""
    store, retired = open_folder(folder), signing.Keyring("key-1", {"key-1": "r" * 40})
    promoted(Registry(store, retired, MODEL), 3)
    promoted(Registry(store, retired, OTHER), 2)
    inputs = toy.pin(store, retired, toy.spec(), [toy.rows(number) for number in range(6)])
    records.write_section(store, inputs.prefix, "report", {"answer": "keep"})
    return objects(store)


def version_key(name: str, version: str = SECOND, model: str = MODEL) -> str:
    return keys.version(model, version, name)


ENTRY, NEXT = keys.promotion(MODEL, 2), keys.promotion(MODEL, 4)


def written(key: str, change: Callable[[bytes], bytes]) -> Callable[[Scene], None]:
    """Break the bytes under a key."""
    return lambda scene: scene.store.put(key, change(scene.store.get(key)))


def copied(key: str, to: str) -> Callable[[Scene], None]:
    return lambda scene: scene.store.put(to, scene.store.get(key))


def removed(*gone: str) -> Callable[[Scene], None]:
    return lambda scene: [scene.store.delete(key) for key in gone] and None


def _edit(content: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return content with changes; a change to ``...`` leaves the field out."""
    return {name: held for name, held in {**content, **changes}.items() if held is not ...}


def manifest(**changes: Any) -> Callable[[Scene], None]:
    """Sign the manifest again with changes, as somebody who holds our key could."""
    key = version_key(MANIFEST)
    return lambda scene: scene.sign(key, _edit(scene.content(key), changes), "version")


def artifact_entry(**changes: Any) -> Callable[[Scene], None]:
    """Sign the manifest again with another entry for its artifact."""
    expected = {"sha256": signing.sha256(trained()[ARTIFACT]), "size_bytes": len(trained()[ARTIFACT])}
    return lambda scene: manifest(
        files={**scene.content(version_key(MANIFEST))["files"], ARTIFACT: _edit(expected, changes)}
    )(scene)


def entry(source: int = 2, to: str = ENTRY, /, **changes: Any) -> Callable[[Scene], None]:
    """Sign an entry again with changes."""
    key = keys.promotion(MODEL, source)
    return lambda scene: scene.sign(to, _edit(scene.content(key), changes), "promotion log entry")


def hint(number: int) -> Callable[[Scene], None]:
    content = {"format_version": 1, "model": MODEL, "number": number}
    return lambda scene: scene.sign(keys.champion_hint(MODEL), content, "champion hint")


def signature(**changes: Any) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        content = json.loads(data)
        return signing.canonical({**content, "signature": _edit(content["signature"], changes)})

    return change


def by(keyring: signing.Keyring, data: bytes) -> bytes:
    return signing.canonical(signing.sign(content := json.loads(data), keyring, content["kind"]))


def version(**files: bytes) -> Callable[[Scene], None]:
    """Register a new version with our signature on whatever it holds."""
    named = {name.replace("_", "."): data for name, data in files.items()}
    return lambda scene: scene.desk.register(NEW, {**trained(), CARD: b"# card", **named}, ABOUT) and None


def recorded(**changes: Any) -> Callable[[Scene], None]:
    """Register a new version whose stored rows or predictions are others, signed by us."""
    content = _edit(json.loads(trained()[SMOKE]), changes)
    return version(smoke_json=signing.canonical(content))


@cache
def estimators() -> dict[str, bytes]:
    """Return artifacts of allowed classes that predict what they should not."""
    spec, rows = toy.spec(), pd.concat([toy.rows(number) for number in range(4)], ignore_index=True)
    nothing, three = (training.fit(spec.candidates[0], rows, spec) for _ in range(2))
    nothing.named_steps["model"].intercept_[:] = float("nan")
    model = three.named_steps["model"]
    model.coef_, model.intercept_, model.classes_ = (
        held.repeat(3, axis=0) for held in (model.coef_, model.intercept_, model.classes_[:1])
    )
    return {
        "nan": training.dump(nothing),
        "three": training.dump(three),
        "step": training.dump(nothing[0]),
        "dict": training.dump({}),
    }
