"""A private copy is what the manifest says, or there is none; whatever its size, it is never in memory."""

import os
import tempfile
import time
import tracemalloc
from pathlib import Path

import pytest

from include.retraining import fetching, signing
from include.retraining.errors import IntegrityError, ObjectMissing
from tests.retraining.shelves import Wrapped


def said(data: bytes) -> dict[str, object]:
    return {"size_bytes": len(data), "sha256": signing.sha256(data)}


class Flipping(Wrapped):
    """A store whose first download has a flipped byte."""

    def __init__(self, store) -> None:
        super().__init__(store)
        self.downloads = 0

    def fetch(self, key, path, limit_bytes=None):
        self.downloads += 1
        if self.downloads > 1:
            return self.store.fetch(key, path, limit_bytes)
        path.write_bytes(b"y" * limit_bytes)
        return signing.sha256(path.read_bytes())


@pytest.fixture(autouse=True)
def private(tmp_path, monkeypatch) -> Path:
    """Return a temporary folder of this test's own."""
    folder = tmp_path / "private"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.door
def test_a_copy_holds_the_bytes_and_is_gone_afterwards(any_store, private):
    any_store.put("m/a", b"bytes")
    with fetching.copied(any_store, "m/a", said(b"bytes")) as path:
        assert path.read_bytes() == b"bytes"
        assert path.is_relative_to(private)
    assert list(private.iterdir()) == []


@pytest.mark.parametrize(("there", "check"), [(b"other", "hash"), (b"byte", "size"), (b"bytes and more", "size")])
def test_anything_else_is_refused_by_name(store, private, there, check):
    store.put("m/a", there)
    with pytest.raises(IntegrityError) as caught, fetching.copied(store, "m/a", said(b"bytes")):
        pytest.fail("it was given")
    assert caught.value.check == check
    assert list(private.iterdir()) == []


def test_what_is_missing_is_told(store):
    with pytest.raises(ObjectMissing, match="m/a"), fetching.copied(store, "m/a", said(b"bytes")):
        pytest.fail("it was given")


def test_a_byte_that_flips_on_its_way_is_read_once_more(store):
    store.put("m/a", b"bytes")
    flipping = Flipping(store)
    with fetching.copied(flipping, "m/a", said(b"bytes")) as path:
        assert path.read_bytes() == b"bytes"
    assert flipping.downloads == 2


def test_what_a_killed_process_left_goes_a_day_later(store, private):
    store.put("m/a", b"bytes")
    for name, hours in ((f"{fetching.PRIVATE}old", 25), (f"{fetching.PRIVATE}young", 23), ("another", 25)):
        (private / name).mkdir()
        (private / name / fetching.COPY).write_bytes(b"model")
        moment = time.time() - hours * 3600
        os.utime(private / name, (moment, moment))
    with fetching.copied(store, "m/a", said(b"bytes")):
        pass
    assert {one.name for one in private.iterdir()} == {f"{fetching.PRIVATE}young", "another"}


def test_a_large_object_is_never_in_memory(store):
    data = b"x" * (32 << 20)
    store.put("m/a", data)
    expected = said(data)
    tracemalloc.start()
    with fetching.copied(store, "m/a", expected):
        peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
