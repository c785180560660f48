"""What every store promises: bytes by key. ``folder.py`` and ``s3.py`` are the two doors that keep the promise.

A put-if-absent has exactly one winner, an object is whole or absent, and a write whose answer was lost is settled by
reading back, never by writing again under another name.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, NoReturn, Protocol, TypeVar

from include.retraining.errors import IntegrityError, ObjectMissing, Unavailable

CHUNK_BYTES = 1 << 20
SMALL_BYTES = 16 << 20
"""What a get holds in memory at most, unless a manifest says how much there is: no JSON of ours comes near it."""
T = TypeVar("T")
Payload = bytes | Path
"""What is written: bytes, or a file that is streamed."""


@dataclass(frozen=True)
class Stored:
    """What a listing says of an object."""

    key: str
    size_bytes: int
    modified_at: datetime
    """When it was written, by the store's own clock."""


class Store(Protocol):
    """Five verbs, a streaming read and the store's clock. Every key is relative, as ``keys.py`` builds it.

    Whatever does not answer raises Unavailable: the same call may be made again.
    """

    def get(self, key: str, limit_bytes: int = SMALL_BYTES) -> bytes:
        """Return an object's bytes.

        Raises ObjectMissing, and IntegrityError as soon as there are more than ``limit_bytes``.
        """

    def fetch(self, key: str, path: Path, limit_bytes: int | None = None) -> str:
        """Stream an object into a file and return its sha256.

        Raises ObjectMissing, and IntegrityError as soon as there are more than ``limit_bytes``.
        """

    def put(self, key: str, data: bytes) -> None:
        """Write or overwrite: for hints, pages and candidates, never for what is promised to be immutable."""

    def put_if_absent(self, key: str, data: Payload) -> bool:
        """Return whether the key holds exactly ``data`` afterwards; False: somebody else's bytes lie there."""

    def list(self, prefix: str) -> Iterator[Stored]:
        """Yield objects whose key starts with ``prefix``, in key order."""

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens if it is absent."""

    def now(self) -> datetime:
        """Return the present moment by the clock that stamps ``modified_at``."""

    def leftovers(self, prefix: str) -> Iterator[Stored]:
        """Yield what killed writers left below a prefix: no object, invisible to ``list``, removed by ``delete``."""


def exists(store: Store, key: str) -> bool:
    """Return whether an object lies under exactly this key."""
    return any(found.key == key for found in store.list(key))


def read(store: Store, key: str, check: Callable[[bytes], T], limit_bytes: int = SMALL_BYTES) -> T:
    """Return what ``check`` makes of an object's bytes, of which there may be ``limit_bytes``.

    Bytes that are refused are read once more: one may have flipped on its way, and only what lies there counts.
    """
    try:
        return check(store.get(key, limit_bytes))
    except ObjectMissing:
        raise
    except IntegrityError:
        return check(store.get(key, limit_bytes))


def copy_hashed(chunks: Iterator[bytes], sink: BinaryIO, what: str, limit_bytes: int | None = None) -> str:
    """Write chunks to a file and return their sha256; raises IntegrityError beyond the limit."""
    digest = hashlib.sha256()
    for chunk in chunks if limit_bytes is None else limited(chunks, what, limit_bytes):
        digest.update(chunk)
        _write(sink, chunk, what)
    return digest.hexdigest()


def _write(sink: BinaryIO, chunk: bytes, what: str) -> None:
    """Write to a file of our own; a full disk here must not be taken for a store that does not answer."""
    try:
        left = memoryview(chunk)
        while left:
            left = left[sink.write(left) :]
    except OSError as error:
        raise Unavailable(
            f"{what} cannot be copied to {sink.name} of this machine: {error.strerror}. Free space, or set TMPDIR."
        ) from error


def limited(chunks: Iterator[bytes], what: str, limit_bytes: int) -> Iterator[bytes]:
    """Yield chunks; raises IntegrityError as soon as they are more than the limit."""
    size, told = 0, "are the most of anything without a manifest" if limit_bytes == SMALL_BYTES else "its manifest says"
    for chunk in chunks:
        size += len(chunk)
        if size > limit_bytes:
            raise IntegrityError(f"{what} has more than the {limit_bytes} bytes that {told}. Restore it.", "size")
        yield chunk


def chunks_of(data: Payload) -> Iterator[bytes]:
    """Yield a payload in pieces."""
    if isinstance(data, bytes):
        yield data
        return
    with data.open("rb") as source:
        yield from iter(lambda: source.read(CHUNK_BYTES), b"")


def digest_of(data: Payload, algorithm: str = "sha256") -> str:
    """Return a payload's digest, in hex, without holding a file in memory."""
    digest = hashlib.new(algorithm, usedforsecurity=False)
    for chunk in chunks_of(data):
        digest.update(chunk)
    return digest.hexdigest()


def missing(key: str) -> NoReturn:
    """Raise ObjectMissing for a key."""
    raise ObjectMissing(
        f"There is no object {key}. Run `python -m include.retraining verify` to see what is missing.", "presence"
    )
