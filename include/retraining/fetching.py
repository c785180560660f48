"""Copies one object to a private file, whose size and hash are checked there: memory stays flat, whatever its size."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from include.retraining import signing
from include.retraining.errors import IntegrityError, ObjectMissing
from include.retraining.store import Store

PRIVATE = "retraining-copy-"
"""How the temporary folders of private copies begin."""
LEFT_AFTER_S = 24 * 3600
COPY = "copy"


@contextlib.contextmanager
def copied(store: Store, key: str, expected: dict[str, Any]) -> Iterator[Path]:
    """Give a private copy of an object that is what its manifest says; it is gone after the block.

    What does not hold is read once more: a byte may have flipped on its way, and only what lies there counts.

    Parameters
    ----------
    store : Store
    key : str
    expected : dict
        ``size_bytes`` and ``sha256``, as a verified manifest names them.

    Raises
    ------
    IntegrityError
        What lies there is missing, or of another size or hash.
    """
    with tempfile.TemporaryDirectory(prefix=PRIVATE) as folder:
        _clear_up(Path(folder))
        path = Path(folder) / COPY
        try:
            _copy(store, key, path, expected)
        except ObjectMissing:
            raise
        except IntegrityError:
            _copy(store, key, path, expected)
        yield path


def _clear_up(new: Path) -> None:
    """Remove the copies of processes that were killed, by the disk's own clock: no download goes on for a day."""
    for left in new.parent.glob(f"{PRIVATE}*"):
        with contextlib.suppress(OSError):  # another process may be quicker, or it is another user's
            if new.stat().st_mtime - left.lstat().st_mtime > LEFT_AFTER_S:
                shutil.rmtree(left)


def _copy(store: Store, key: str, path: Path, expected: dict[str, Any]) -> None:
    digest = store.fetch(key, path, expected["size_bytes"])
    signing.check_bytes((digest, path.stat().st_size), expected, key)
