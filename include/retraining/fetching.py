"""Copies one object to a private file, whose size and hash are checked there: memory stays flat, whatever its size."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from include.retraining import signing
from include.retraining.errors import IntegrityError, ObjectMissing
from include.retraining.store import Store

PRIVATE = "retraining-"
"""How the temporary folders of private copies begin."""
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
        path = Path(folder) / COPY
        try:
            _copy(store, key, path, expected)
        except ObjectMissing:
            raise
        except IntegrityError:
            _copy(store, key, path, expected)
        yield path


def _copy(store: Store, key: str, path: Path, expected: dict[str, Any]) -> None:
    digest = store.fetch(key, path, expected["size_bytes"])
    signing.check_bytes((digest, path.stat().st_size), expected, key)
