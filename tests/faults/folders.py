"""Injects one fault into one call of a step in a folder, recovers by running the step again, and says what is wrong."""

import contextlib
import gc
import hashlib
import itertools
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from include.retraining.errors import PromotionConflict, Unavailable
from include.retraining.folder import FolderStore, open_folder
from tests.faults import sequence
from tests.faults.matrix import kind_of
from tests.faults.sequence import RIVAL, STEPS, TRIES, Clock, Run
from tests.retraining.disk import Disk, Killed, installed

SIGKILLED = {"killed before", "killed after", "torn"}
Hit = tuple[str, str]
"""The call and the kind of key that a fault struck."""
Site = tuple[Hit, int]
"""Which of the like calls to strike, from 0: threads shuffle calls of different kinds, never those of one kind."""


class Strike:
    """Answers the disk: what befalls which call. 503 goes on for some calls of the same kind."""

    def __init__(self, site: Site, fault: str, tell: Callable[[Hit], None] = lambda _: None) -> None:
        (self.wanted, self.number), self.fault, self.tell = site, fault.split(" x")[0], tell
        self.left = int(fault.rpartition(" x")[2]) if " x" in fault else 1
        self.seen, self.hit = 0, None

    def __call__(self, op: str, path: str) -> str | None:
        here = (op, kind_of(path))
        self.seen += here == self.wanted
        if self.hit is None and self.seen > self.number:
            self.hit = here
            self.tell(here)
        if here != self.hit or not self.left:
            return None
        self.left -= 1
        return self.fault or None


class Room:
    """Where injections happen: states to start from as hard links, and what was already found to hold."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="retraining-faults-"))
        self.root = self.folder / "store"
        self.proven: dict[Any, list[str]] = {}
        self.states: dict[Any, tuple[list[str], list[str], Path]] = {}

    def close(self) -> None:
        shutil.rmtree(self.folder)

    def start(self, run: Run, step: int) -> FolderStore:
        """Put everything back as it was before a step."""
        if (run.variant, step) not in self.states:
            self._keep(run, step)
        folders, names, kept = self.states[run.variant, step]
        for path in (self.root, Path(f"{self.root}-aside")):
            shutil.rmtree(path, ignore_errors=True)
        for name in folders:
            os.mkdir(self.root / name)
        for name in names:
            os.link(f"{kept}/{name}", f"{self.root}/{name}")
        Clock.ticks = itertools.count()
        return open_folder(self.root)

    def _keep(self, run: Run, step: int) -> None:
        kept = self.folder / f"kept-{len(self.states)}"
        for key, data in run.states[step].items():
            (kept / key).parent.mkdir(parents=True, exist_ok=True)
            (kept / key).write_bytes(data)
        folders = sorted(path.relative_to(kept).as_posix() for path in [kept, *kept.rglob("*")] if path.is_dir())
        self.states[run.variant, step] = (folders, sorted(run.states[step]), kept)

    def digest(self) -> str:
        """Return a digest of all that lies there; what killed processes left counts without its random names."""
        found = []
        for base, _, names in os.walk(self.root):
            for name in names:
                path = f"{base}/{name}"
                with open(path, "rb") as source:
                    found.append(re.sub(r"\b[0-9a-f]{16}\b", "*", path) + hashlib.sha256(source.read()).hexdigest())
        return hashlib.sha256("\n".join(sorted(found)).encode()).hexdigest()

    def remembered(self, what: Any, check: Callable[[], Iterator[str]]) -> list[str]:
        """Return what a check of the stored bytes finds; of the same bytes it would find the same again."""
        if what not in self.proven:
            self.proven[what] = list(check())
        return self.proven[what]


def calls_of(room: Room, run: Run, step: int) -> list[Hit]:
    """Return every call of a step, in order."""
    seen: list[Hit] = []
    store = room.start(run, step)
    with installed(Disk(room.root, lambda op, path: seen.append((op, kind_of(path))))):
        assert sequence.told(lambda: run.step(step, store)) == run.returned[step]
    return seen


def inject(room: Room, run: Run, step: int, site: Site, fault: str, variation: int = 0) -> tuple[Hit | None, list[str]]:
    """Let a fault befall one call of one step, recover, and return what it struck and everything that is wrong."""
    store, found = room.start(run, step), []
    strike = Strike(site, fault)
    disk = Disk(room.root, strike, late_after=16**variation, flip_at=variation, keeps_undo=fault == "power cut")
    if fault in SIGKILLED:
        answer, strike.hit = killed(disk, lambda: run.step(step, store), site, fault)
        disk = Disk(room.root, lambda *_: None)
        next(Clock.ticks)
    else:
        dead: list[bool] = []
        disk.is_dead, disk.die = lambda: bool(dead), lambda: dead.append(True)
        answer = attempt(disk, lambda: run.step(step, store))
        if dead:
            disk.cut_power()
            disk = Disk(room.root, lambda *_: None)
    if strike.hit is None:
        return None, []
    for _ in range(TRIES - 1):
        if not isinstance(answer, Unavailable | Killed) and not sequence.is_believed(answer, strike.hit, fault):
            break
        found += midway(room, run, step, store)
        answer = attempt(disk, lambda: run.step(step, store))
    found += [] if answer == run.returned[step] else [f"{STEPS[step]} ended with {answer!r}"]
    return strike.hit, found or finish(room, run, step, store, disk)


def overtaken(room: Room, run: Run, site: Site, fault: str | None) -> tuple[Hit | None, bool, list[str]]:
    """Let somebody else promote at one call of our promotion, or after a fault there and before the next try.

    Returns
    -------
    hit : tuple or None
        The call, and the kind of key it was about.
    is_ours : bool
        Whether our promotion is the one that counts.
    wrong : list of str
    """
    step = len(STEPS) - 1
    store, rival = room.start(run, step), []

    def promote_theirs() -> None:
        with installed(os):
            rival.append(sequence.told(lambda: sequence.install(open_folder(room.root), RIVAL, 1)))

    strike = Strike(site, fault or "", lambda _: None if fault else promote_theirs())
    disk, dead = Disk(room.root, strike), []
    disk.is_dead, disk.die = lambda: bool(dead), lambda: dead.append(True)
    answer = attempt(disk, lambda: run.step(step, store))
    if fault:
        promote_theirs()
        dead.clear()
    for _ in range(TRIES - 1):
        if isinstance(answer, Unavailable | Killed):
            answer = attempt(disk, lambda: run.step(step, store))
    disk.land()
    is_ours, is_theirs = answer == run.returned[step], rival == [None]
    wrong = list(guarded(sequence.problems_midway(store, (2, 2))))
    if is_ours == is_theirs or not (is_ours or answer is PromotionConflict):
        wrong.append(f"we are told {answer!r}, they are told {rival!r}")
    return strike.hit, is_ours, wrong


def finish(room: Room, run: Run, step: int, store: FolderStore, disk: Disk) -> list[str]:
    """Run the steps that follow, let come what is late, and return what is wrong in the end."""

    def go_on() -> Iterator[str]:
        for number in range(step + 1, len(STEPS)):
            answer = attempt(disk, lambda number=number: run.step(number, store))
            if answer != run.returned[number]:
                yield f"{STEPS[number]}, which followed, ended with {answer!r}"
                return
        disk.land()
        yield from room.remembered((run.variant, "end", room.digest()), lambda: guarded(sequence.problems(store, run)))

    if disk.has_late:
        return list(go_on())
    return room.remembered((run.variant, step, room.digest()), go_on)


def midway(room: Room, run: Run, step: int, store: FolderStore) -> list[str]:
    """Return what a reader would stumble over before the step is tried again."""
    before, after = (sum("/promotions/" in key for key in run.states[number]) for number in (step, step + 1))
    check = lambda: guarded(sequence.problems_midway(store, (before, after)))  # noqa: E731
    return room.remembered((run.variant, step, "midway", room.digest()), check)


def guarded(check: Iterator[str]) -> Iterator[str]:
    """Yield what a check finds, and how it failed if it did."""
    try:
        yield from check
    except Exception as error:
        yield f"a reader is told {error!r}"


def attempt(disk: Disk, ask: Callable[[], Any]) -> Any:
    """Return what a step returns or how it failed."""
    with installed(disk):
        try:
            return ask()
        except PromotionConflict:
            return PromotionConflict
        except (Exception, Killed) as error:
            return error


@contextlib.contextmanager
def swept_up() -> Iterator[None]:
    """Let a process that is killed leave its private copies where they are removed: every later copy looks at them."""
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="killed-") as folder:
        tempfile.tempdir = folder
        try:
            yield
        finally:
            tempfile.tempdir = before


def killed(disk: Disk, ask: Callable[[], Any], site: Site, fault: str) -> tuple[Any, Hit | None]:
    """Run a step in a process of its own, which ends by SIGKILL at the call."""
    reader, writer = os.pipe()
    disk.ask = Strike(site, fault, lambda hit: os.write(writer, "|".join(hit).encode()))
    with swept_up():
        child = os.fork()
        if not child:
            disk.die = lambda: os.kill(os.getpid(), signal.SIGKILL)
            gc.disable()  # it would touch, and so copy, all that the processes share
            with contextlib.suppress(BaseException):
                attempt(disk, ask)
            os._exit(0)
        os.close(writer)
        _, status = os.waitpid(child, 0)
    with os.fdopen(reader) as source:
        hit = tuple(source.read().split("|"))
    if not os.WIFSIGNALED(status):
        return None, None
    assert os.WTERMSIG(status) == signal.SIGKILL
    return Killed(), hit
