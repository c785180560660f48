"""Door: bytes by key in a local folder. An object appears by ``link(2)`` or ``rename(2)`` of a file already on disk."""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from include.retraining.errors import StoreUnsafe, Unavailable
from include.retraining.store import (
    CHUNK_BYTES,
    SMALL_BYTES,
    Payload,
    Stored,
    chunks_of,
    copy_hashed,
    digest_of,
    limited,
    missing,
)

TEMPORARY = ".~"
"""How the names of files begin that are no objects yet."""
LINKLESS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
"""What a disk answers that has no hard links, however often it is asked."""
ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


def open_folder(root: Path) -> "FolderStore":
    """Return a store in a local folder, which is made if it is absent."""
    root.mkdir(parents=True, exist_ok=True)
    return FolderStore(root.resolve())


class FolderStore:
    """A local folder, or one on a network disk: what a lost answer left open is read back there as well."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def get(self, key: str, limit_bytes: int = SMALL_BYTES) -> bytes:
        """Return an object's bytes; raises ObjectMissing, and IntegrityError beyond the limit."""
        with self._failures(key):
            return b"".join(limited(self._chunks(key), key, limit_bytes))

    def fetch(self, key: str, path: Path, limit_bytes: int | None = None) -> str:
        """Stream an object into a file and return its sha256; raises ObjectMissing."""
        with self._failures(key), path.open("wb", buffering=0) as sink:
            return copy_hashed(self._chunks(key), sink, key, limit_bytes)

    def put(self, key: str, data: bytes) -> None:
        """Write or overwrite, whole or not at all."""
        with self._failures(key), self._written(key, data) as temporary:
            os.replace(temporary, self._path(key))  # noqa: PTH105 - every call to the disk goes through `os`
            _sync(self._path(key).parent)

    def put_if_absent(self, key: str, data: Payload) -> bool:
        """Return whether the key holds exactly ``data`` afterwards."""
        path = self._path(key)
        with self._failures(key), self._written(key, data) as temporary:
            try:
                os.link(temporary, path)
            except OSError as error:  # it is there, or the answer was lost: what lies there tells
                if not _lies_there(path):
                    self._refuse_linkless(error, key)
                    raise
                if not (self._holds(key, data) or self._holds(key, data)):  # a byte may flip on its way
                    return False
            _sync(path.parent)  # whoever linked it may have been cut off before
        return True

    def list(self, prefix: str) -> Iterator[Stored]:
        """Yield objects whose key starts with ``prefix``, in key order."""
        return (found for found in self._walk(prefix) if not _is_temporary(found.key))

    def leftovers(self, prefix: str) -> Iterator[Stored]:
        """Yield the temporary files of killed writers."""
        return (found for found in self._walk(prefix) if _is_temporary(found.key))

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens if it is absent."""
        with self._failures(key), contextlib.suppress(*ABSENT):
            os.unlink(self._path(key))  # noqa: PTH108

    def now(self) -> datetime:
        """Return the present moment by the disk's clock."""
        with self._failures("its clock"):
            os.utime(self._root)
            return datetime.fromtimestamp(os.stat(self._root).st_mtime, UTC)  # noqa: PTH116

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if not key or key.startswith("/") or {"", ".", ".."} & set(parts) or "\0" in key:
            raise ValueError(f"{key!r} is not an object key.")
        return self._root.joinpath(*parts)

    def _chunks(self, key: str) -> Iterator[bytes]:
        try:
            handle = os.open(self._path(key), os.O_RDONLY)
        except ABSENT:
            missing(key)
        try:
            size = os.fstat(handle).st_size
            while chunk := os.read(handle, CHUNK_BYTES):
                size -= len(chunk)
                yield chunk
        except IsADirectoryError:
            missing(key)
        finally:
            os.close(handle)
        if size:
            raise OSError(f"the read ended {size} bytes early")

    def _walk(self, prefix: str) -> Iterator[Stored]:
        folder = self._root / prefix.rpartition("/")[0]
        with self._failures(prefix):
            paths = [Path(base) / name for base, _, names in os.walk(folder, onerror=_refuse) for name in names]
        for key in sorted(path.relative_to(self._root).as_posix() for path in paths):
            if key.startswith(prefix) and (found := self._stored(key)):
                yield found

    def _stored(self, key: str) -> Stored | None:
        with self._failures(key), contextlib.suppress(FileNotFoundError):
            state = os.stat(self._root / key)  # noqa: PTH116
            return Stored(key, state.st_size, datetime.fromtimestamp(state.st_mtime, UTC))
        return None

    def _holds(self, key: str, data: Payload) -> bool:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
            return copy_hashed(self._chunks(key), nowhere, key) == digest_of(data)

    def _written(self, key: str, data: Payload) -> contextlib.AbstractContextManager[Path]:
        folder = self._path(key).parent
        _make(folder)
        return _temporary(folder, data)

    def _refuse_linkless(self, error: OSError, key: str) -> None:
        if error.errno in LINKLESS:
            raise StoreUnsafe(
                f"{key}: the disk of folder {self._root} (Connection `store`) makes no hard links ({error.strerror}), "
                "so nothing there tells who was first. Use a folder on a disk that does (ext4, XFS, NFS), or S3."
            ) from error

    @contextlib.contextmanager
    def _failures(self, key: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise Unavailable(f"{key}: no answer from folder {self._root} (Connection `store`): {error}") from error


def _is_temporary(key: str) -> bool:
    return key.rpartition("/")[2].startswith(TEMPORARY)


def _lies_there(path: Path) -> bool:
    with contextlib.suppress(*ABSENT):
        os.stat(path)  # noqa: PTH116
        return True
    return False


def _refuse(error: OSError) -> None:
    """Let no part of a listing be left out in silence."""
    if not isinstance(error, ABSENT):
        raise error


@contextlib.contextmanager
def _temporary(folder: Path, data: Payload) -> Iterator[Path]:
    """Give a new file that is on the disk already and removed afterwards; another name may hold it by then."""
    path = folder / f"{TEMPORARY}{secrets.token_hex(8)}"
    try:
        _write(path, data)
        yield path
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108


def _write(path: Path, data: Payload) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        for chunk in chunks_of(data):
            left = memoryview(chunk)
            while left:
                left = left[os.write(handle, left) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def _make(folder: Path) -> None:
    """Make a folder and what lies above it, so that a power cut keeps them."""
    if _lies_there(folder):
        return
    _make(folder.parent)
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder)  # noqa: PTH102
    _sync(folder.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
