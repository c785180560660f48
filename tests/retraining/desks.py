"""Registries for tests: versions of a few bytes, promoted one after the other, and what can befall them."""

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pandas as pd

from include.retraining import libraries, signing, smoke, training
from include.retraining.registry import ARTIFACT, CARD, SMOKE, Registry
from include.retraining.spec import ModelSpec
from include.retraining.store import Store
from tests.retraining import toy

AS_OF = datetime(2024, 2, 1, tzinfo=UTC)
LATER = AS_OF + 9 * toy.DAY
ABOUT = {"candidate": "logistic_regression", "libraries": libraries.versions(), "asked_by": "ann"}
FOREIGN = signing.Keyring("key-1", {"key-1": "f" * 40})


@cache
def trained() -> dict[str, bytes]:
    """Return the files of a fitted candidate: its artifact, and rows with what it predicts for them."""
    spec, rows = toy.spec(), pd.concat([toy.rows(number) for number in range(4)], ignore_index=True)
    return files_of(spec, training.fit(spec.candidates[0], rows, spec), rows)


def files_of(spec: ModelSpec, fitted: Any, rows: pd.DataFrame) -> dict[str, bytes]:
    """Return the files of a version: its artifact, and rows with what it predicts for them."""
    recorded = smoke.record(fitted, smoke.rows(rows, spec.numeric, spec.categorical), spec.numeric)
    return {ARTIFACT: training.dump(fitted), SMOKE: signing.canonical(recorded)}


def register(desk: Registry, version: str, artifact: bytes | None = None, card: bytes = b"# card") -> str:
    files = trained() if artifact is None else {**trained(), ARTIFACT: artifact}
    desk.register(version, {**files, CARD: card}, ABOUT)
    return version


def promotion(nonce: str = "nonce") -> dict[str, str]:
    about = {"reason": "better", "actor": "ann", "verdict_sha256": "v" * 64, "run": "parcels/r/"}
    return {**about, "nonce": nonce}


def promoted(desk: Registry, count: int) -> list[str]:
    """Promote so many versions one after the other, and return them."""
    versions = [f"20240201-{number:012d}" for number in range(1, count + 1)]
    for number, version in enumerate(versions):
        register(desk, version)
        desk.promote(version, number, AS_OF + number * toy.DAY, promotion(f"nonce {number}"))
    return versions


def objects(store: Store) -> dict[str, bytes]:
    """Return everything that a store holds."""
    return {found.key: store.get(found.key) for found in store.list("")}


def flip(data: bytes) -> bytes:
    return data[:50] + bytes([data[50] ^ 1]) + data[51:]


def unsigned(data: bytes) -> bytes:
    return signing.canonical({name: held for name, held in json.loads(data).items() if name != "signature"})


def resigned(data: bytes) -> bytes:
    """Return content signed under our key's id by somebody who has not our secret."""
    return signing.canonical(signing.sign(content := json.loads(data), FOREIGN, content["kind"]))
