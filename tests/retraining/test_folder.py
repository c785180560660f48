"""The folder door when the disk misbehaves: the truth is read back, and nothing is half-written."""

import errno
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include.retraining import folder
from include.retraining.errors import IntegrityError, StoreUnsafe, Unavailable

LOST = OSError(5, "Input/output error")


class Disk:
    """The operating system's calls, of which one can be made to fail once, before or after it was done."""

    def __init__(self, call: str, error: OSError, is_applied: bool) -> None:
        self.left, self.call, self.error, self.is_applied = 1, call, error, is_applied

    def __getattr__(self, name: str):
        real = getattr(os, name)
        if name != self.call or not callable(real):
            return real

        def call(*arguments, **named):
            if not self.left:
                return real(*arguments, **named)
            self.left -= 1
            if self.is_applied:
                real(*arguments, **named)
            raise self.error

        return call


@pytest.mark.parametrize("error", [LOST, FileExistsError(17, "File exists")])
def test_a_link_that_was_made_though_its_answer_was_lost_is_ours(store, monkeypatch, error):
    """Network disks repeat a call whose answer was lost, and then say that the file exists."""
    monkeypatch.setattr(folder, "os", Disk("link", error, is_applied=True))
    assert store.put_if_absent("m/log/1", b"mine")
    assert store.get("m/log/1") == b"mine"


def test_a_link_that_was_not_made_is_told_and_can_be_tried_again(store, monkeypatch):
    monkeypatch.setattr(folder, "os", Disk("link", LOST, is_applied=False))
    with pytest.raises(Unavailable, match=r"m/log/1: no answer from folder .*Input/output error"):
        store.put_if_absent("m/log/1", b"mine")
    assert store.put_if_absent("m/log/1", b"mine")


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS])
def test_a_disk_without_hard_links_is_refused_with_what_to_do(store, monkeypatch, number):
    """As FAT, some network shares and some container mounts are; a retry would find the same."""
    monkeypatch.setattr(folder, "os", Disk("link", OSError(number, "Not permitted"), is_applied=False))
    with pytest.raises(StoreUnsafe, match=r"m/log/1: the disk of folder .* makes no hard links \(Not.*, or S3"):
        store.put_if_absent("m/log/1", b"mine")
    assert list(store.list("")) == []


@pytest.mark.door
def test_a_full_disk_of_ours_is_not_taken_for_the_stores(any_store, tmp_path):
    any_store.put("m/a", b"whole")
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    with pytest.raises(Unavailable, match=r"m/a cannot be copied to .*full of this machine: No space left on device"):
        any_store.fetch("m/a", full)


@pytest.mark.parametrize("call", ["open", "fstat", "read"])
def test_a_read_that_fails_is_told(store, monkeypatch, call):
    store.put("m/a", b"whole")
    monkeypatch.setattr(folder, "os", Disk(call, LOST, is_applied=False))
    with pytest.raises(Unavailable, match="m/a: no answer from folder"):
        store.get("m/a")
    assert store.get("m/a") == b"whole"


def test_a_read_that_ends_early_is_never_taken_for_the_object(store, monkeypatch, tmp_path):
    store.put("m/a", b"x" * 1000)

    class Short(Disk):
        def __getattr__(self, name):
            return (lambda *_: b"") if name == "read" else getattr(os, name)

    monkeypatch.setattr(folder, "os", Short("", LOST, is_applied=False))
    for read in (store.get, lambda key: store.fetch(key, tmp_path / "copy")):
        with pytest.raises(Unavailable, match="ended 1000 bytes early"):
            read("m/a")


def test_a_listing_that_cannot_be_read_is_not_an_empty_one(store, monkeypatch):
    store.put("m/a", b"x")

    class Closed(Disk):
        def __getattr__(self, name):
            return (lambda folder_, onerror: onerror(LOST) or []) if name == "walk" else getattr(os, name)

    monkeypatch.setattr(folder, "os", Closed("", LOST, is_applied=False))
    with pytest.raises(Unavailable, match="m/: no answer from folder"):
        list(store.list("m/"))


def test_what_a_killed_writer_left_is_told_apart_and_can_be_removed(store, tmp_path):
    store.put("m/a", b"x")
    left = tmp_path / "store" / "m" / ".~0123"
    left.write_bytes(b"half")
    assert [found.key for found in store.list("m/")] == ["m/a"]
    assert [(found.key, found.size_bytes) for found in store.leftovers("m/")] == [("m/.~0123", 4)]
    store.delete("m/.~0123")
    assert not left.exists()


def test_ages_are_told_by_the_disks_own_clock(store, tmp_path):
    store.put("m/a", b"x")
    path = tmp_path / "store" / "m" / "a"
    os.utime(path, (path.stat().st_mtime - 3600,) * 2)
    [found] = store.list("m/")
    assert timedelta(hours=1) <= store.now() - found.modified_at < timedelta(hours=1, minutes=1)
    assert [one.name for one in (tmp_path / "store").iterdir()] == ["m"], "looking at the clock leaves nothing"


def test_a_file_is_streamed_and_compared_without_being_read_into_memory(store, tmp_path):
    source = tmp_path / "large"
    source.write_bytes(os.urandom(3 << 20))
    assert store.put_if_absent("m/large", source)
    assert store.put_if_absent("m/large", source), "the same bytes: a try whose answer was lost"
    other = tmp_path / "other"
    other.write_bytes(source.read_bytes()[:-1] + b"?")
    assert not store.put_if_absent("m/large", other)


def test_a_download_stops_at_what_the_manifest_says(store, tmp_path):
    store.put("m/a", b"x" * (5 << 20))
    with pytest.raises(IntegrityError, match="m/a has more than the 10 bytes that its manifest says") as caught:
        store.fetch("m/a", tmp_path / "copy", limit_bytes=10)
    assert caught.value.check == "size"
    assert (tmp_path / "copy").stat().st_size == 0


def test_folders_are_made_so_that_a_power_cut_keeps_them(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(folder, "_sync", lambda path: synced.append(Path(path).relative_to(tmp_path).as_posix()))
    folder.open_folder(tmp_path / "s").put("m/a/b", b"x")
    assert synced == ["s", "s/m", "s/m/a"]


def test_the_clock_has_a_zone(any_store):
    assert abs(any_store.now() - datetime.now(UTC)) < timedelta(seconds=30)
