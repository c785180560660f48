"""Snapshots and labels: frozen as Parquet with a signed manifest, found again by what was known when."""

import contextlib
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import datetime

import pandas as pd

from include.retraining import fetching, inventory, keys, labelling, signing
from include.retraining import store as stores
from include.retraining.errors import IntegrityError
from include.retraining.parted import Parted, Rows, parts_of
from include.retraining.signing import Keyring
from include.retraining.spec import ModelSpec
from include.retraining.store import Payload, Store
from include.retraining.windows import Interval

FORMAT_VERSION = 1
FROZEN = "snapshot or labels"
"""What their manifests are signed as."""
READERS = 8
"""Parallel reads of a window: each is mostly waiting."""


@dataclass(frozen=True)
class Frozen:
    """Where rows lie and what their bytes must hash to: what ``inputs.json`` pins."""

    key: str
    sha256: str
    size_bytes: int
    rows: int
    as_of: str
    completeness: float = 1.0
    """Share of keys whose label is known or void, 0 to 1; 1 for snapshots."""
    known: int | None = None
    """Labels that are known; None for snapshots and where an earlier release did not count."""
    sequence: int = 0
    """How many objects of the same interval and as-of were there before: a refresh supersedes what it replaces."""
    rest_of: str | None = None
    """The sha256 of what these rows are the rest of, where validation set some aside; no run begins with a rest."""


def freeze_snapshot(
    store: Store, keyring: Keyring, spec: ModelSpec, interval: Interval, as_of: datetime, frame: pd.DataFrame
) -> Frozen:
    """Store the features and observed columns of one interval, manifest last; the same rows make the same object."""
    data = _parquet(frame[list(spec.stored)])
    digest = signing.sha256(data)
    key = keys.snapshot_rows(spec.name, interval, as_of, digest)
    sequence = len(_siblings(store, keys.snapshots(spec.name, interval), as_of, digest))
    frozen = Frozen(key, digest, len(data), len(frame), keys.stamp(as_of), sequence=sequence)
    return _freeze(store, keyring, frozen, data)


def freeze_labels(
    store: Store, keyring: Keyring, spec: ModelSpec, interval: Interval, as_of: datetime, frame: pd.DataFrame
) -> Frozen:
    """Store keys, labels and their status (known, void, unknown) of one interval as known at the as-of."""
    labels = labelling.label_frame(frame, spec)
    data = _parquet(labels)
    digest = signing.sha256(data)
    key = keys.label_rows(spec.name, interval, as_of, digest)
    sequence = len(_siblings(store, keys.labels(spec.name, interval), as_of, digest))
    counts = (len(data), len(labels), keys.stamp(as_of), labelling.completeness(labels), labelling.known(labels))
    return _freeze(store, keyring, Frozen(key, digest, *counts, sequence), data)


def freeze_rest(store: Store, keyring: Keyring, spec: ModelSpec, whole: Frozen, rest: Rows) -> Frozen:
    """Store what is left of a snapshot or of labels after validation has set rows aside, beside the whole."""
    data: Payload = rest.path if isinstance(rest, Parted) else _parquet(rest)
    size_bytes = len(data) if isinstance(data, bytes) else data.stat().st_size
    interval, digest = keys.interval_of(spec.name, whole.key), stores.digest_of(data)
    as_of, is_labels = keys.parse_stamp(whole.as_of), whole.known is not None
    key = (keys.label_rows if is_labels else keys.snapshot_rows)(spec.name, interval, as_of, digest)
    found = Frozen(key, digest, size_bytes, len(rest), whole.as_of, sequence=whole.sequence, rest_of=whole.sha256)
    if is_labels:
        statuses = pd.concat(parts_of(rest, ["status"]))
        found = replace(found, completeness=labelling.completeness(statuses), known=labelling.known(statuses))
    return _freeze(store, keyring, found, data)


def newest(store: Store, keyring: Keyring, prefix: str, as_of: datetime) -> Frozen | None:
    """Return the newest object of one interval that was known at the as-of, from its signed manifest, or None."""
    known = [key for key in _manifests(store, prefix) if _stamp_of(key, prefix) <= keys.stamp(as_of)]
    latest = max((_stamp_of(key, prefix) for key in known), default="")
    found = [_manifest(store, keyring, key) for key in known if _stamp_of(key, prefix) == latest]
    whole = [one for one in found if one.rest_of is None]
    return max(whole, key=lambda one: (one.sequence, one.sha256), default=None)


def find(store: Store, keyring: Keyring, prefix: str, sha256: str) -> Frozen | None:
    """Return the object of one interval that holds exactly these bytes, from its signed manifest, or None."""
    found = (_manifest(store, keyring, key) for key in _manifests(store, prefix) if f"-{sha256[:12]}" in key)
    return next((one for one in found if one.sha256 == sha256), None)


def read(store: Store, frozen: Frozen) -> pd.DataFrame:
    """Return the rows after checking their hash; raises IntegrityError, naming the object."""
    return stores.read(store, frozen.key, lambda data: _rows(frozen, data), frozen.size_bytes)


@contextlib.contextmanager
def opened(store: Store, frozen: Frozen, rows_at_once: int) -> Iterator[Rows]:
    """Give the rows after checking their hash: a frame, or from a private file if there are more than may be at once.

    Raises
    ------
    IntegrityError
        They are not what was frozen; the message names the object.
    """
    if frozen.rows <= rows_at_once:
        yield read(store, frozen)
        return
    with fetching.copied(store, frozen.key, asdict(frozen)) as path:
        yield _parted(frozen, Parted(path, rows_at_once))


def read_many(store: Store, frozen: list[Frozen]) -> list[pd.DataFrame]:
    """Return the rows of several objects, in order."""
    with ThreadPoolExecutor(READERS) as readers:
        return list(readers.map(lambda one: read(store, one), frozen))


def _rows(frozen: Frozen, data: bytes) -> pd.DataFrame:
    signing.check_bytes((signing.sha256(data), len(data)), asdict(frozen), frozen.key)
    with _parquet_of(frozen):
        return pd.read_parquet(io.BytesIO(data))


def _parted(frozen: Frozen, rows: Parted) -> Parted:
    with _parquet_of(frozen):
        len(rows)
    return rows


@contextlib.contextmanager
def _parquet_of(frozen: Frozen) -> Iterator[None]:
    try:
        yield
    except (ValueError, OSError) as error:
        raise IntegrityError(f"{frozen.key} is not Parquet: {error}. Restore the original.", "format") from None


def _freeze(store: Store, keyring: Keyring, frozen: Frozen, data: Payload) -> Frozen:
    manifest = signing.sign({"format_version": FORMAT_VERSION, **asdict(frozen)}, keyring, FROZEN)
    for key, content in ((frozen.key, data), (keys.rows_manifest(frozen.key), signing.canonical(manifest))):
        if not store.put_if_absent(key, content):
            _refuse_other_bytes(store, keyring, key, frozen)
    return frozen


def _refuse_other_bytes(store: Store, keyring: Keyring, key: str, frozen: Frozen) -> None:
    """Accept a manifest that a retired key signed; anything else under a content address is damage."""
    if key.endswith(".json"):
        found = stores.read(store, key, lambda data: signing.verify(data, keyring, key, FROZEN))
        if found["sha256"] == frozen.sha256:
            return
    raise IntegrityError(f"{key} holds other bytes than its name says. Remove it, then run again.", "hash")


def _manifest(store: Store, keyring: Keyring, key: str) -> Frozen:
    content = stores.read(store, key, lambda data: signing.verify(data, keyring, key, FROZEN))
    if keys.rows_manifest(str(content.get("key"))) != key:
        raise IntegrityError(f"{key} describes {content.get('key')}: it was copied there. Remove it.", "identity")
    return Frozen(**{name: content[name] for name in Frozen.__dataclass_fields__ if name in content})


def _siblings(store: Store, prefix: str, as_of: datetime, digest: str) -> list[str]:
    """Return the manifests of other bytes that were frozen of the same interval at the same as-of."""
    listed = _manifests(store, f"{prefix}{keys.stamp(as_of)}-")
    return [key for key in listed if f"-{digest[:12]}" not in key]


def _manifests(store: Store, prefix: str) -> list[str]:
    listed = inventory.placed(prefix.partition("/")[0], store.list(prefix))
    return [stored.key for place, stored in listed if place.part in keys.HEADS]


def _stamp_of(key: str, prefix: str) -> str:
    return key[len(prefix) :].partition("-")[0]


def _parquet(frame: pd.DataFrame) -> bytes:
    sink = io.BytesIO()
    frame.reset_index(drop=True).to_parquet(sink, compression="zstd", index=False)
    return sink.getvalue()
