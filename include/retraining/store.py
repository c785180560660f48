"""Door: bytes by key. What every store promises, and the store in a local folder; ``s3.py`` holds the other.

Both promise the same: a put-if-absent has exactly one winner, an object is whole or absent, and a write whose answer
was lost is settled by reading back, never by writing again under another name.
"""

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn, Protocol

from include.retraining import keys
from include.retraining.errors import ObjectMissing, StoreUnsafe

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Stored:
    """What a listing says of an object."""

    key: str
    size_bytes: int


class Store(Protocol):
    """Five verbs and a streaming read. Every key is relative, as ``keys.py`` builds it."""

    def get(self, key: str) -> bytes:
        """Return an object's bytes; raises ObjectMissing."""

    def fetch(self, key: str, path: Path) -> str:
        """Stream an object into a file and return its sha256; raises ObjectMissing."""

    def put(self, key: str, data: bytes) -> None:
        """Write or overwrite: for hints, pages and candidates, never for what is promised to be immutable."""

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Return whether the key holds exactly ``data`` afterwards; False: somebody else's bytes lie there."""

    def list(self, prefix: str) -> Iterator[Stored]:
        """Yield objects whose key starts with ``prefix``, in key order."""

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens if it is absent."""


def exists(store: Store, key: str) -> bool:
    """Return whether an object lies under exactly this key."""
    return any(found.key == key for found in store.list(key))


def prove(store: Store) -> None:
    """Prove that a store honours put-if-absent, with a probe of its own that is removed again.

    Raises
    ------
    StoreUnsafe
        It overwrote, or it gave back other bytes than it took.
    """
    key, first, second = keys.probe(secrets.token_hex(8)), b"first", b"second"
    try:
        honest = store.put_if_absent(key, first) and not store.put_if_absent(key, second) and store.get(key) == first
    finally:
        store.delete(key)
    if not honest:
        raise StoreUnsafe(
            "The store accepts If-None-Match and overwrites all the same, so promotions could be lost. "
            "Use a store that honours conditional writes (AWS S3, Ceph, SeaweedFS, MiniStack) or a folder."
        )


def open_folder(root: Path) -> "FolderStore":
    """Return a store in a local folder, which is made if it is absent."""
    root.mkdir(parents=True, exist_ok=True)
    return FolderStore(root.resolve())


class FolderStore:
    """A local folder. An object appears by ``link(2)`` or ``rename(2)`` of a file that is already on disk."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if not key or key.startswith("/") or {"", ".", ".."} & set(parts) or "\0" in key:
            raise ValueError(f"{key!r} is not an object key.")
        return self._root.joinpath(*parts)

    def get(self, key: str) -> bytes:
        """Return an object's bytes; raises ObjectMissing."""
        try:
            return self._path(key).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            missing(key)

    def fetch(self, key: str, path: Path) -> str:
        """Stream an object into a file and return its sha256; raises ObjectMissing."""
        try:
            with self._path(key).open("rb") as source, path.open("wb") as sink:
                return copy_hashed(iter(lambda: source.read(CHUNK_BYTES), b""), sink)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            missing(key)

    def put(self, key: str, data: bytes) -> None:
        """Write or overwrite, whole or not at all."""
        with self._written(key, data) as temporary:
            temporary.replace(self._path(key))
        _sync(self._path(key).parent)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Return whether the key holds exactly ``data`` afterwards."""
        path = self._path(key)
        with self._written(key, data) as temporary:
            try:
                os.link(temporary, path)
            except FileExistsError:
                return path.read_bytes() == data
        _sync(path.parent)
        return True

    def list(self, prefix: str) -> Iterator[Stored]:
        """Yield objects whose key starts with ``prefix``, in key order."""
        folder = self._root / prefix.rpartition("/")[0]
        found = (Path(base) / name for base, _, names in os.walk(folder) for name in names if not name.startswith(".~"))
        for path in sorted(found, key=lambda path: path.relative_to(self._root).as_posix()):
            key = path.relative_to(self._root).as_posix()
            with contextlib.suppress(FileNotFoundError):
                if key.startswith(prefix):
                    yield Stored(key, path.stat().st_size)

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens if it is absent."""
        self._path(key).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _written(self, key: str, data: bytes) -> Iterator[Path]:
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.parent / f".~{secrets.token_hex(8)}"
        try:
            with temporary.open("xb") as sink:
                sink.write(data)
                sink.flush()
                os.fsync(sink.fileno())
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)


def copy_hashed(chunks: Iterator[bytes], sink: BinaryIO) -> str:
    """Write chunks to a file and return their sha256."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
        sink.write(chunk)
    return digest.hexdigest()


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def missing(key: str) -> NoReturn:
    """Raise ObjectMissing for a key."""
    raise ObjectMissing(f"There is no object {key}. Run `python -m include.retraining verify` to see what is missing.")
