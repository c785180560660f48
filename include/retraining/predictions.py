"""Door: what a version predicted for an interval, kept to be judged once labels are known. The first write stands."""

import io
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from include.retraining import inventory, keys, signing
from include.retraining import store as stores
from include.retraining.errors import IntegrityError, ObjectMissing
from include.retraining.promotion_log import check_format
from include.retraining.signing import Keyring
from include.retraining.store import Store
from include.retraining.windows import Interval

FORMAT_VERSION = 1
PREDICTIONS = "predictions"
"""What their manifests are signed as."""


@dataclass(frozen=True)
class Predicted:
    """Where predictions lie, what their bytes must hash to, and what they were made of."""

    key: str
    sha256: str
    size_bytes: int
    rows: int
    """How many rows of the snapshot have a prediction."""
    unusable: int
    """How many have none, since a feature of theirs is no number."""
    version: str
    entry: int
    """Number of the log entry by which the version was live."""
    snapshot_sha256: str
    as_of: str
    classes: tuple[str, ...] = ()
    """What the columns stand for; none unless the version is multiclass."""
    correction_sha256: str | None = None
    """Digest of the correction that was in force; None if there was none."""


def write(store: Store, keyring: Keyring, key: str, frame: pd.DataFrame, about: dict[str, Any]) -> Predicted:
    """Store predictions, their manifest last, and return what stands there now: whoever came first.

    Parameters
    ----------
    store, keyring
    key : str
        Of ``keys.prediction_rows``.
    frame : pd.DataFrame
        As ``predicting.table`` makes it.
    about : dict
        The other fields of ``Predicted``, and ``actor`` and ``reason``, which the manifest keeps.

    Raises
    ------
    IntegrityError
        Other bytes lie there that no manifest names.
    """
    sink = io.BytesIO()
    frame.to_parquet(sink, compression="zstd", index=False)
    data = sink.getvalue()
    if not store.put_if_absent(key, data):
        return _standing(store, keyring, key)
    found = {"key": key, "sha256": signing.sha256(data), "size_bytes": len(data), "rows": len(frame)}
    manifest = signing.sign({"format_version": FORMAT_VERSION, **about, **found}, keyring, PREDICTIONS)
    store.put_if_absent(keys.rows_manifest(key), signing.canonical(manifest))
    return read_manifest(store, keyring, keys.rows_manifest(key))


def find(store: Store, keyring: Keyring, model: str, interval: Interval, version: str) -> Predicted | None:
    """Return what a version predicted for an interval, from its signed manifest, or None.

    Of predictions with a correction and without one, which only two runs at once can leave, the former count.
    """
    listed = inventory.placed(model, store.list(keys.predictions(model, interval)))
    heads = [one.key for place, one in listed if place.part in keys.HEADS and _version(place.group) == version]
    return read_manifest(store, keyring, min(heads)) if heads else None  # "raw" follows every hex digit


def read(store: Store, predicted: Predicted) -> pd.DataFrame:
    """Return predictions after checking their hash; raises IntegrityError, naming the object."""
    return stores.read(store, predicted.key, lambda data: _rows(predicted, data), predicted.size_bytes)


def read_manifest(store: Store, keyring: Keyring, key: str) -> Predicted:
    """Return what a manifest says; raises IntegrityError if it is missing, unsigned, altered or another's."""
    content = stores.read(store, key, lambda data: signing.verify(data, keyring, key, PREDICTIONS))
    check_format(content, FORMAT_VERSION, key)
    if keys.rows_manifest(str(content.get("key"))) != key:
        raise IntegrityError(f"{key} describes {content.get('key')}: it was copied there. Remove it.", "identity")
    known = {name: content[name] for name in Predicted.__dataclass_fields__ if name in content}
    try:
        return Predicted(**{**known, "classes": tuple(known.get("classes", ()))})
    except TypeError:
        raise IntegrityError(f"{key} does not say whose predictions these are. Restore it.", "format") from None


def told(predicted: Predicted) -> dict[str, Any]:
    """Return what is told of predictions as plain values."""
    return {**asdict(predicted), "classes": list(predicted.classes)}


def _standing(store: Store, keyring: Keyring, key: str) -> Predicted:
    try:
        return read_manifest(store, keyring, keys.rows_manifest(key))
    except ObjectMissing:
        raise IntegrityError(
            f"{key} holds other bytes than were predicted now, and no manifest names them: a crash left them, or "
            "another run is writing. If this is said again in a minute, remove it, then run again.",
            "presence",
        ) from None


def _version(group: str) -> str:
    return group.rpartition("-")[0]


def _rows(predicted: Predicted, data: bytes) -> pd.DataFrame:
    expected = {"sha256": predicted.sha256, "size_bytes": predicted.size_bytes}
    signing.check_bytes((signing.sha256(data), len(data)), expected, predicted.key)
    try:
        return pd.read_parquet(io.BytesIO(data))
    except (ValueError, OSError) as error:
        raise IntegrityError(f"{predicted.key} is not Parquet: {error}. Restore the original.", "format") from None
