"""A disk below the folder door that fails on demand: it stands where ``folder.py`` has ``os``.

What befalls one call, and how each kind is told to the door:

================  ====================================================================================================
error before      EIO, nothing was done
reply lost        done, then ETIMEDOUT
late apply        ETIMEDOUT, and done only when so many later calls have passed
409               EBUSY: something else is in the way, nothing was done
412 on one's own  done, then EEXIST: a network disk sent the call twice and tells of the second time
500               ESTALE, nothing was done
503               EAGAIN, for so many calls of this kind in turn
disk full         ENOSPC, nothing was done
truncated         a read ends early, or the file seems shorter than it is
short             fewer bytes are read or written than asked for, as POSIX allows
flipped           one bit of what is read is another
stale list        a walk, or the look at one file, misses what was written last
torn              half of the bytes are written, then the process is killed
killed before     SIGKILL, nothing was done
killed after      done, then SIGKILL
power cut         the process ends, and what no fsync has made certain is undone: names first, then bytes
================  ====================================================================================================
"""

import contextlib
import errno
import os
import shutil
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from include.retraining import folder

ERRORS = {
    "error before": errno.EIO,
    "409": errno.EBUSY,
    "500": errno.ESTALE,
    "503": errno.EAGAIN,
    "disk full": errno.ENOSPC,
}
ALWAYS = ("error before", "500", "503 x1", "503 x2", "503 x3", "killed before", "killed after", "power cut")
WRITES = (*ALWAYS, "reply lost", "late apply", "409")
POSSIBLE = {
    "open": ALWAYS,
    "open folder": ALWAYS,
    "utime": (*ALWAYS, "reply lost"),
    "stat": (*ALWAYS, "stale list"),
    "walk": (*ALWAYS, "stale list"),
    "fstat": (*ALWAYS, "truncated"),
    "read": (*ALWAYS, "truncated", "short", "flipped"),
    "read end": ALWAYS,
    "open new": (*WRITES, "412 on one's own", "disk full"),
    "write": (*ALWAYS, "reply lost", "disk full", "short", "torn"),
    "fsync": (*ALWAYS, "reply lost", "disk full"),
    "fsync folder": (*ALWAYS, "reply lost"),
    "close": ("reply lost", "killed before", "killed after", "power cut"),
    "link": (*WRITES, "412 on one's own", "disk full"),
    "replace": (*WRITES, "disk full"),
    "mkdir": (*WRITES, "412 on one's own", "disk full"),
    "unlink": WRITES,
}
"""What can befall each call."""
NATURE = (
    "A read does nothing, so no reply to it is lost and it cannot come late. Only a write that asks for an absent name "
    "is told 412. A handle is closed whatever the answer is. A walk and the end of a file hold no bytes. What follows "
    "on a late write to a private file is the same as if it never came."
)
"""Why the rest is impossible."""
TWISTS = {"truncated", "short", "flipped", "stale list", "torn"}
Act = Callable[[], Any]


class Killed(BaseException):
    """The process is no more: nothing of it, no ``finally`` either, touches the disk again."""


@dataclass
class Disk:
    """Everything that ``folder.py`` asks of ``os``, below one root."""

    root: Path
    ask: Callable[[str, str], str | None]
    """Is told each call and the path it is about, and answers with what befalls it."""
    is_dead: Callable[[], bool] = lambda: False
    die: Callable[[], None] = lambda: None
    """Ends the process, or says so to ``is_dead``."""
    late_after: int = 3
    flip_at: int = 0
    keeps_undo: bool = False
    calls: int = 0
    _names: dict[int, Path] = field(default_factory=dict)
    _ended: set[int] = field(default_factory=set)
    _late: list[tuple[int, Callable[[], None]]] = field(default_factory=list)
    _undo: list[tuple[Path, Callable[[], None]]] = field(default_factory=list)
    _dirty: dict[Path, int] = field(default_factory=dict)
    _written: list[Path] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    # What the door calls.

    def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        kind = "open new" if flags & os.O_CREAT else "open folder" if Path(path).is_dir() else "open"

        def act() -> int:
            handle = os.open(path, flags, mode)
            self._names[handle] = Path(path)
            if kind == "open new":
                self._keep_undo(Path(path), lambda: Path(path).unlink(missing_ok=True))
            return handle

        return self._do(kind, Path(path), act, late=lambda: lambda: Path(path).touch())

    def fstat(self, handle: int) -> Any:
        def twist(_: str) -> Any:
            found = os.fstat(handle)
            self._ended.add(handle)
            return os.stat_result([*found[:6], found.st_size // 2, *found[7:10]])

        return self._do("fstat", self._names[handle], lambda: os.fstat(handle), twist=twist)

    def read(self, handle: int, size: int) -> bytes:
        at, whole = os.lseek(handle, 0, os.SEEK_CUR), os.fstat(handle).st_size
        if handle in self._ended:
            if at:
                return b""
            size = whole // 2

        def twist(fault: str) -> bytes:
            data = os.read(handle, size)
            if fault == "flipped":
                return _flipped(data, self.flip_at)
            half = data[: max(1, len(data) // 2)]
            if fault == "truncated":
                self._ended.add(handle)
            else:
                os.lseek(handle, len(half) - len(data), os.SEEK_CUR)
            return half

        op = "read" if at < whole else "read end"
        return self._do(op, self._names[handle], lambda: os.read(handle, size), twist=twist)

    def write(self, handle: int, data: bytes) -> int:
        def twist(fault: str) -> int:
            written = os.write(handle, data[: max(1, len(data) // 2)])
            return written if fault == "short" else self._end()

        path = self._names[handle]
        if self.keeps_undo and path not in self._dirty:
            self._dirty[path] = os.dup(handle)
        return self._do("write", path, lambda: os.write(handle, data), twist=twist)

    def fsync(self, handle: int) -> None:
        path = self._names[handle]
        is_folder = stat.S_ISDIR(os.fstat(handle).st_mode)

        def act() -> None:  # the tests' disk is memory, so there is nothing to wait for
            if is_folder:
                self._undo = [(place, undo) for place, undo in self._undo if place != path]
            elif path in self._dirty:
                os.close(self._dirty.pop(path))

        self._do("fsync folder" if is_folder else "fsync", path, act)

    def close(self, handle: int) -> None:
        def act() -> None:
            os.close(handle)
            self._ended.discard(handle)

        self._do("close", self._names[handle], act)

    def link(self, source: Path, target: Path) -> None:
        def act() -> None:
            os.link(source, target)
            self._wrote(target)
            self._keep_undo(target, lambda: target.unlink(missing_ok=True))

        def late() -> Callable[[], None]:
            aside = self._aside(source)
            return lambda: (os.link(aside, target), aside.unlink())

        self._do("link", target, act, late)

    def replace(self, source: Path, target: Path) -> None:
        def act() -> None:
            before = self._aside(target) if self.keeps_undo and target.exists() else None
            os.replace(source, target)
            self._wrote(target)
            self._keep_undo(target, lambda: before.replace(target) if before else target.unlink(missing_ok=True))

        def late() -> Callable[[], None]:
            aside = self._aside(source)
            return lambda: os.replace(aside, target)

        self._do("replace", target, act, late)

    def unlink(self, path: Path) -> None:
        def act() -> None:
            before = self._aside(path) if self.keeps_undo and path.exists() else None
            os.unlink(path)
            if before:
                self._keep_undo(path, lambda: before.replace(path))

        self._do("unlink", path, act, late=lambda: lambda: path.unlink())

    def mkdir(self, path: Path) -> None:
        def act() -> None:
            os.mkdir(path)
            self._keep_undo(path, lambda: shutil.rmtree(path))

        self._do("mkdir", path, act, late=lambda: lambda: os.mkdir(path))

    def utime(self, path: Path) -> None:
        self._do("utime", path, lambda: os.utime(path))

    def stat(self, path: Path) -> Any:
        def twist(_: str) -> Any:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))

        return self._do("stat", path, lambda: os.stat(path), twist=twist)

    def walk(self, top: Path, onerror: Callable[[OSError], None]) -> Iterator[tuple[str, list[str], list[str]]]:
        try:
            found = self._do("walk", top, lambda: list(os.walk(top, onerror=onerror)), twist=lambda _: None)
        except OSError as error:
            onerror(error)
            return
        if found is None:  # a stale one misses the newest, or, where nothing is new, everything
            newest = [path for path in self._written if path.is_relative_to(top)][-1:]
            for base, folders, names in os.walk(top, onerror=onerror):
                yield base, folders, [name for name in names if newest and Path(base) / name not in newest]
            return
        yield from found

    # What befalls the calls.

    def _do(self, op: str, path: Path, act: Act, late: Callable[[], Act] | None = None, twist: Any = None) -> Any:
        with self._lock:
            if self.is_dead():
                raise Killed
            self.calls += 1
            calls = self.calls
        self.land(calls)
        is_inside = path.is_relative_to(self.root)  # else it looks for the folder that holds the store
        fault = self.ask(op, path.relative_to(self.root).as_posix()) if is_inside else None
        if fault is None:
            return act()
        if fault in ERRORS:
            raise OSError(ERRORS[fault], os.strerror(ERRORS[fault]))
        if fault in {"killed before", "power cut"}:
            return self._end()
        if fault in TWISTS:
            return twist(fault)
        if fault == "late apply":
            self._late.append((calls + self.late_after, late()))
        else:
            self._do_in_vain(op, act)
        if fault == "killed after":
            return self._end()
        code = errno.EEXIST if fault == "412 on one's own" else errno.ETIMEDOUT
        raise OSError(code, os.strerror(code))

    def _do_in_vain(self, op: str, act: Act) -> None:
        with contextlib.suppress(OSError):
            done = act()
            if op == "open new":
                os.close(done)

    def _end(self) -> Any:
        self.die()
        raise Killed

    def land(self, calls: int | None = None) -> int:
        """Apply what was late and is due by now, or all of it, and return how many came."""
        with self._lock:
            due = [act for when, act in self._late if calls is None or when <= calls]
            self._late = [(when, act) for when, act in self._late if calls is not None and when > calls]
        for act in due:
            with contextlib.suppress(OSError):  # somebody else was there first, or it is gone
                act()
        return len(due)

    @property
    def has_late(self) -> bool:
        """Return whether something is still to come."""
        return bool(self._late)

    def cut_power(self) -> None:
        """Undo, newest first, what no fsync has made certain."""
        for _, undo in reversed(self._undo):
            with contextlib.suppress(FileNotFoundError):
                undo()
        for handle in self._dirty.values():
            os.truncate(handle, os.fstat(handle).st_size // 2)
            os.close(handle)
        self._undo, self._dirty = [], {}

    def _keep_undo(self, path: Path, undo: Callable[[], None]) -> None:
        if self.keeps_undo:
            self._undo.append((path.parent, undo))

    def _wrote(self, path: Path) -> None:
        self._written.append(path)

    def _aside(self, path: Path) -> Path:
        aside = self.root.parent / f"{self.root.name}-aside"
        aside.mkdir(exist_ok=True)
        kept = aside / f"{self.calls}-{len(self._undo)}-{len(self._late)}"
        os.link(path, kept)
        return kept


@contextlib.contextmanager
def installed(disk: Any) -> Iterator[None]:
    """Put a disk, or ``os`` itself, below the folder door."""
    before, folder.os = folder.os, disk
    try:
        yield
    finally:
        folder.os = before


def _flipped(data: bytes, place: int) -> bytes:
    at = (len(data) // 2, 0, len(data) - 1, len(data) // 3)[place % 4]
    return data[:at] + bytes([data[at] ^ (1 << place % 8)]) + data[at + 1 :]
