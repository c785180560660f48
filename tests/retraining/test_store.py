"""What every store promises, asked of a folder and of a bucket on a real S3 server alike."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from include.retraining import folder, probes
from include.retraining import store as stores
from include.retraining.errors import IntegrityError, ObjectMissing, StoreUnsafe, Unavailable

pytestmark = pytest.mark.door
WRITERS = 8
ODD = ["a b", "plus+and&amp", "ünïcode", "percent%20", "it's (1)~", "question?", "x" * 200]


def test_what_is_put_is_got_until_it_is_deleted(any_store):
    any_store.put("m/a", b"one")
    any_store.put("m/a", b"two")
    assert any_store.get("m/a") == b"two"
    any_store.delete("m/a")
    any_store.delete("m/a")  # silent about what is not there
    assert list(any_store.list("m/")) == []


def test_bytes_come_back_whole(any_store, tmp_path):
    for number, data in enumerate([b"", b"\0\xff" * 3, b"x" * (3 << 20)]):
        key, copy = f"m/{number}", tmp_path / f"copy-{number}"
        assert any_store.put_if_absent(key, data)
        assert any_store.get(key) == data
        assert any_store.fetch(key, copy) == hashlib.sha256(data).hexdigest()
        assert copy.read_bytes() == data


@pytest.mark.parametrize("size", [0, 9, 10, 11, 3 << 20])
def test_no_more_is_read_than_is_expected(any_store, size):
    any_store.put("m/a", b"x" * size)
    if size <= 10:
        assert any_store.get("m/a", 10) == b"x" * size
    else:
        with pytest.raises(IntegrityError, match=r"m/a has more than the 10 bytes that .*Restore it") as caught:
            any_store.get("m/a", 10)
        assert caught.value.check == "size"
    assert any_store.get("m/a") == b"x" * size


def test_a_missing_object_is_told_by_its_key(any_store, tmp_path):
    any_store.put("m/a", b"x")
    for key in ("m/none", "m", "m/a/below"):
        for read in (any_store.get, lambda name: any_store.fetch(name, tmp_path / "copy")):
            with pytest.raises(ObjectMissing, match=rf"There is no object {key}\. Run `python -m include.retraining"):
                read(key)


def test_put_if_absent_keeps_the_first(any_store):
    assert any_store.put_if_absent("m/log/1", b"first")
    assert any_store.put_if_absent("m/log/1", b"first"), "the same bytes: a try whose answer was lost"
    assert not any_store.put_if_absent("m/log/1", b"second")
    assert any_store.get("m/log/1") == b"first"


def test_of_writers_racing_for_a_key_exactly_one_wins(any_store):
    for key in ("m/log/1", "m/log/2", "m/log/3"):
        won = race(any_store, key)
        assert won.count(True) == 1
        assert any_store.get(key) == f"writer {won.index(True)}".encode()


def race(store, key: str) -> list[bool]:
    barrier = Barrier(WRITERS)

    def write(writer: int) -> bool:
        barrier.wait()
        return store.put_if_absent(key, f"writer {writer}".encode())

    with ThreadPoolExecutor(WRITERS) as writers:
        return list(writers.map(write, range(WRITERS)))


def test_odd_keys_are_only_keys(any_store):
    for key in ODD:
        assert any_store.put_if_absent(f"m/{key}", b"x")
        assert [found.key for found in any_store.list(f"m/{key}")] == [f"m/{key}"]
        any_store.delete(f"m/{key}")
    assert list(any_store.list("")) == []


def test_a_listing_is_by_prefix_in_key_order_with_sizes(any_store):
    for key in ("m/b", "m/a/2", "m/a/10", "m/a-x", "n/a", "m/a.json"):
        any_store.put(key, key.encode())
    assert [(found.key, found.size_bytes) for found in any_store.list("m/a")] == [
        ("m/a-x", 5),
        ("m/a.json", 8),
        ("m/a/10", 6),
        ("m/a/2", 5),
    ]
    assert list(any_store.list("m/none/")) == []
    assert stores.exists(any_store, "m/a.json")
    assert not stores.exists(any_store, "m/a"), "an object exists under its whole key only"


def test_an_honest_store_is_proven_and_nothing_is_left_of_the_proof(any_store):
    probes.prove(any_store)
    assert list(any_store.list("")) == []


class Overwriting(folder.FolderStore):
    """Takes the condition and overwrites, as some servers do."""

    def put_if_absent(self, key, data):
        self.put(key, data)
        return True


class Forgetful(folder.FolderStore):
    """Says that it wrote, and gives back other bytes."""

    def get(self, key, limit_bytes=stores.SMALL_BYTES):
        return super().get(key, limit_bytes)[:-1]


@pytest.mark.parametrize(
    ("liar", "message"),
    [
        (Overwriting, r"accepts If-None-Match and overwrites.*Use a store that honours"),
        (Forgetful, r"says that it wrote, and gives back 4 other bytes.*Use another store"),
    ],
)
def test_a_lying_store_is_refused(liar, message, tmp_path):
    store = liar(tmp_path)
    with pytest.raises(StoreUnsafe, match=message):
        probes.prove(store)
    assert list(store.list("")) == []


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../out", "m/../../out", "m/./a", "m//a", "m/a/", "m/\0"])
def test_no_key_leaves_the_folder(tmp_path, key):
    store = folder.open_folder(tmp_path / "inside")
    for touch in (store.get, store.delete, lambda name: store.put(name, b"x")):
        with pytest.raises(ValueError, match="is not an object key"):
            touch(key)
    assert [path.name for path in tmp_path.rglob("*")] == ["inside"]


def test_a_write_that_fails_leaves_nothing_behind(store, tmp_path, monkeypatch):
    monkeypatch.setattr(folder.os, "fsync", lambda _: (_ for _ in ()).throw(OSError("No space left on device")))
    for write in (store.put, store.put_if_absent):
        with pytest.raises(Unavailable, match=r"m/a: no answer from folder .*No space left"):
            write("m/a", b"x")
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []


def test_a_torn_write_is_never_listed(store, tmp_path):
    """What a killed writer leaves lies under a hidden name."""
    store.put("m/a", b"x")
    (tmp_path / "store" / "m" / ".~0123").write_bytes(b"half")
    assert [found.key for found in store.list("m/")] == ["m/a"]
