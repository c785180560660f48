"""The promise as a machine: people and tasks at once, whatever fails, and what has to hold at every moment.

Actors register, promote, roll back, look and collect on one disk. Each acts on what it last saw of the log, and by a
clock of its own. An operation may meet one fault below the folder door, be killed there, or be stopped at any call
while others go on. What is told to them is noted, and after every step the store is held against it:

I1   the head names a version whose files all exist and hold
I2   numbers have no gap, an entry never changes, every link holds
I3   what was reported as done is in the log for good, what was reported as lost never is
I4   every version that is listed is whole and loads
I5   what is tried again changes nothing that was done
I6   of two moves from one entry exactly one succeeds
I7   whoever looks sees the head as it was at some moment of the look
I8   the hint never names an entry that is not there
I9   nothing that is needed is collected, whoever works at the same time
I10  once nothing fails any more, every operation ends, and what crashes left is collected
I11  the same version registered again is stored once, as it was
I12  a rollback is an entry of its own, and can be rolled back
I13  an entry or a hint that a stranger signed is not taken
I14  clocks that are years off change nothing but what people are told
"""

import contextlib
import importlib.metadata
import os
import queue
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from include.retraining import collecting, keys, promotion_log, records, signing, smoke, snapshots, training, unpickling
from include.retraining import verifying as verifying_room
from include.retraining.errors import BadInput, ObjectMissing, PromotionConflict, Unavailable
from include.retraining.folder import open_folder
from include.retraining.policies import Keep, Retention
from include.retraining.promotion_log import Entry
from include.retraining.registry import ARTIFACT, CARD, MANIFEST, SMOKE, Registry
from tests.retraining import desks, toy
from tests.retraining.disk import POSSIBLE, Disk, Killed, installed

MODEL = "parcels"
KEYRING = signing.Keyring("key-1", {"key-1": "0123456789abcdef" * 4})
POLICY = Retention(collect=True, versions=Keep(0), live_versions=1)
VERSIONS = [f"2024010{number}-{number:012x}" for number in range(1, 4)]
NAMES = ("ann", "bob", "cat")
PATIENCE_S = 60
CALM = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck), print_blob=True)
"""A slow machine proves nothing."""
tally: Counter[str] = Counter()
"""How much has happened in this process, for reports."""
CALLS = {"register": 70, "promote": 110, "roll back": 110, "look": 25, "collect": 150}
"""About so many calls to the disk each operation makes."""
PAIRS = [("collect", "register"), ("collect", "promote"), ("register", "collect"), ("promote", "collect")]
Trouble = tuple[str, int, int] | None
"""A fault or a stop, how far into the operation in hundredths, and a number that chooses among possible faults."""
TROUBLE = st.none() | st.tuples(st.sampled_from(["fault", "stop"]), st.integers(0, 99), st.integers(0, 99))
MEETING = st.tuples(st.sampled_from(["stop", "late"]), st.integers(0, 99), st.just(0))
"""For two who meet: the first is stopped, or the first of its deletions from there on comes late."""
WHO = st.integers(0, 2)


@dataclass
class Operation:
    """What somebody wants, the same in every try."""

    kind: str
    version: str = ""
    base: int = 0
    nonce: str = ""


@dataclass
class Actor:
    """Somebody with a memory of the log, a clock, and at most one operation at a time."""

    name: str
    base: int = 0
    off: timedelta = timedelta()
    doing: Operation | None = None
    """What has not been answered yet, to be tried again."""
    trouble: Trouble = None
    calls: int = 0
    is_dead: bool = False
    is_stopped: bool = False
    head_before: int = 0
    records_before: frozenset[str] = frozenset()
    """What collections had told of before."""
    standing: set[str] = field(default_factory=set)
    """Versions that were registered when it began and have not been collected since."""
    go: threading.Event = field(default_factory=threading.Event)
    told: queue.Queue[Any] = field(default_factory=queue.Queue)


class World:
    """One disk, its actors, and what they were told. Only one of them runs at any moment."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="retraining-promise-"))
        self.registry = Registry(open_folder(self.folder / "store"), KEYRING, MODEL)
        self.actors = {name: Actor(name) for name in NAMES}
        self.active: Actor | None = None
        self.nonces = 0
        self.disk = Disk(self.registry.store._root, self._ask, is_dead=self._is_dead, die=self._die)  # type: ignore[attr-defined]
        self.entries: list[str] = []
        """The sha256 of every entry ever seen, by number."""
        self.done: dict[str, int] = {}
        """Nonce of every move that was reported as done, and its entry."""
        self.lost: set[str] = set()
        self.manifests: dict[str, bytes] = {}
        """Versions reported as registered, and not collected since."""
        register(self.registry, VERSIONS[0])

    def close(self) -> None:
        for actor in self.stopped():
            self.kill(actor)
        shutil.rmtree(self.folder)

    def stopped(self) -> list[Actor]:
        return [actor for actor in self.actors.values() if actor.is_stopped]

    # How operations run.

    def start(self, actor: Actor, operation: Operation, trouble: Trouble) -> None:
        """Run an operation until it ends or is stopped."""
        tally["operations"] += 1
        self._note_deletions()  # what it had begun to collect it may never end
        actor.doing, actor.trouble, actor.calls, actor.is_dead = operation, trouble, 0, False
        actor.head_before, actor.records_before = self.head_on_disk(), self._collections()
        actor.standing = set(self.manifests)
        thread = threading.Thread(target=lambda: actor.told.put(self._answer(actor, operation)), daemon=True)
        self._let(actor, thread.start)

    def resume(self, actor: Actor) -> None:
        """Let go on who was stopped."""
        self._let(actor, actor.go.set)

    def kill(self, actor: Actor) -> None:
        """Kill who was stopped."""
        actor.is_dead = True
        self.resume(actor)

    def _let(self, actor: Actor, begin: Callable[[], None]) -> None:
        self.active, actor.is_stopped = actor, False
        begin()
        told = actor.told.get(timeout=PATIENCE_S)
        self.active = None
        if told == "stopped":
            actor.is_stopped = True
        else:
            self._judge(actor, told)

    def _ask(self, op: str, path: str) -> str | None:
        actor = self.active
        if actor is None or actor.doing is None:
            return None
        actor.calls += 1
        if actor.trouble is None or actor.calls <= actor.trouble[1] * CALLS[actor.doing.kind] // 100:
            return None
        kind, _, choice = actor.trouble
        is_deletion = op == "unlink" and "/versions/" in path and ".~" not in path
        if kind == "late" and not is_deletion:
            return None
        actor.trouble = None
        if kind == "late":
            return "late apply"
        if kind == "fault":
            fault = POSSIBLE[op][choice % len(POSSIBLE[op])].split(" x")[0].replace("power cut", "killed before")
            tally["faults"] += 1
            # Marks keep apart who works and who deletes, so they have to be listed once they lie there: `doctor` asks.
            return None if fault == "stale list" and set(path.split("/")) & {"holds", "sweeps"} else fault
        tally["stops in the middle"] += 1
        actor.go.clear()
        actor.told.put("stopped")
        assert actor.go.wait(PATIENCE_S)
        return "killed before" if actor.is_dead else None

    def _is_dead(self) -> bool:
        return self.active is not None and self.active.is_dead

    def _die(self) -> None:
        assert self.active
        self.active.is_dead = True

    def _answer(self, actor: Actor, operation: Operation) -> Any:
        try:
            return self._do(actor, operation)
        except (Exception, Killed) as error:
            return error

    def _do(self, actor: Actor, operation: Operation) -> Any:
        about = {**desks.promotion(operation.nonce), "actor": actor.name}
        if operation.kind == "register":
            return register(self.registry, operation.version)
        if operation.kind == "promote":
            return self.registry.promote(operation.version, operation.base, desks.AS_OF, about)
        if operation.kind == "roll back":
            return self.registry.roll_back(operation.version, operation.base, desks.AS_OF, about)
        if operation.kind == "collect":
            return collecting.collect(self.registry, POLICY, actor.name, "room")
        return self.registry.head()

    # What is told, against what lies there.

    def _judge(self, actor: Actor, told: Any) -> None:
        operation = actor.doing
        assert operation
        if isinstance(told, Unavailable | Killed):
            return  # nobody knows; it may be tried again
        actor.doing = None
        if isinstance(told, PromotionConflict):
            self._judge_conflict(operation)
        elif isinstance(told, ObjectMissing):  # it was not there yet, or any more, at some moment of the operation
            assert operation.kind in {"promote", "roll back"}, repr(told)
            assert operation.version not in actor.standing, repr(told)
        elif type(told) is BadInput:
            standing = self.registry.standing(operation.base)
            assert operation.kind == "roll back", repr(told)
            assert standing, repr(told)
            assert standing.version == operation.version, repr(told)
        else:
            assert not isinstance(told, BaseException), repr(told)
            self._note(actor, operation, told)

    def _judge_conflict(self, operation: Operation) -> None:
        """0 false conflicts: the number is taken, and not by us."""
        standing = self.registry.entry(operation.base + 1)
        assert standing, "nobody took the number"
        assert standing.content["nonce"] != operation.nonce, "we did"
        assert standing.version != operation.version, "the version is the champion"
        self.lost.add(operation.nonce)
        tally["true conflicts"] += 1

    def _note(self, actor: Actor, operation: Operation, told: Any) -> None:
        if operation.kind == "register":
            key = keys.version(MODEL, operation.version, MANIFEST)
            lies_there = self.registry.store.get(key)
            assert signing.canonical(told) == lies_there
            assert self.manifests.setdefault(operation.version, lies_there) == lies_there, "I11"
        elif operation.kind in {"promote", "roll back"}:
            assert told.number == operation.base + 1
            assert told.version == operation.version
            tally["moves done"] += 1
            if told.content["nonce"] == operation.nonce:
                self.done[operation.nonce] = told.number
        elif operation.kind == "collect":
            tally["objects collected"] += len(told.deleted)
            for stored in told.deleted:
                self._forget(stored.key)
        else:
            number = told.number if told else 0
            assert actor.head_before <= number <= self.head_on_disk(), "I7"
            actor.base = number

    def _collections(self) -> frozenset[str]:
        return frozenset(one.key for one in self.registry.store.list(keys.collections(MODEL)))

    def _note_deletions(self) -> None:
        """Forget what somebody has begun to collect: it may be gone, and may go until the mark has run out."""
        for actor in self.actors.values():
            if actor.doing and actor.doing.kind == "collect":
                for key in self._collections() - actor.records_before:
                    for one in collecting.read_record(self.registry, key)["objects"]:
                        self._forget(one["key"])

    def _forget(self, key: str) -> None:
        for version in VERSIONS:
            if key == keys.version(MODEL, version, MANIFEST):
                self.manifests.pop(version, None)
                for actor in self.actors.values():
                    actor.standing.discard(version)

    def head_on_disk(self) -> int:
        """Return how many entries lie there, by looking at the disk itself."""
        folder = self.folder / "store" / keys.promotions(MODEL)
        return sum(not path.name.startswith(".~") for path in folder.glob("*")) if folder.is_dir() else 0

    def harm_hint(self, how: str) -> None:
        """Delete, garble or outdate the hint, or put there what a stranger signed: an entry that does not exist."""
        store, key = self.registry.store, keys.champion_hint(MODEL)
        ring, number = (KEYRING, 1) if how == "old" else (desks.FOREIGN, 77)
        content = {"format_version": 1, "model": MODEL, "number": number}
        if how == "deleted":
            store.delete(key)
        else:
            data = signing.canonical(signing.sign(content, ring, promotion_log.HINT))
            store.put(key, data[:20] if how == "garbled" else data)

    def let_pass(self, time: timedelta) -> None:
        """Make everything older; what was late has come by then."""
        self.disk.land()
        for path in (self.folder / "store").rglob("*"):
            if path.is_file():
                moment = path.stat().st_mtime - time.total_seconds()
                os.utime(path, (moment, moment))

    def hold_against(self) -> None:
        """Hold the store against what was told: I1 to I4, I6, I8, I9, I11."""
        tally["checks of everything"] += 1
        self._note_deletions()
        log = self.registry.log()
        assert len(log) == self.head_on_disk()
        assert [entry.sha256 for entry in log][: len(self.entries)] == self.entries, "I2"
        self.entries = [entry.sha256 for entry in log]
        found = {entry.content["nonce"]: entry.number for entry in log}
        assert len(found) == len(log), "one move, one entry"
        assert {nonce: found.get(nonce) for nonce in self.done} == self.done, "I3"
        assert not self.lost & found.keys(), "I3"
        self._hold_head_against(log)
        self._hold_versions_against(log)
        assert self.registry._hint() <= len(log), "I8"

    def _hold_head_against(self, log: list[Entry]) -> None:
        head = self.registry.head()
        assert head == (log[-1] if log else None), "I1"
        if head:
            assert self.registry.load_live(head) is not None

    def _hold_versions_against(self, log: list[Entry]) -> None:
        listed = self.registry.versions()
        for version in listed:
            self.registry.load(version)
        for version, manifest in self.manifests.items():
            assert version in listed, f"{version} was registered, and nobody collected it"
            assert self.registry.store.get(keys.version(MODEL, version, MANIFEST)) == manifest, "I11"

    def settle(self) -> None:
        """Let everything end: I10."""
        for actor in self.stopped():
            self.resume(actor)
        self.let_pass(timedelta(hours=1))
        for actor in self.actors.values():
            for _ in range(3):
                if actor.doing and actor.doing.kind != "collect":
                    self.start(actor, actor.doing, None)
            assert actor.doing is None or actor.doing.kind == "collect", f"{actor.doing} does not end"
        self.hold_against()
        self.let_pass(timedelta(days=3))
        collecting.collect(self.registry, POLICY, "ann", "room")  # moves the hint to where the log ends, too
        found = verifying_room.verify(self.registry, POLICY).findings
        assert not found, found
        remains = list(self.registry.store.leftovers(keys.everything(MODEL)))
        assert not remains, remains
        left = list(self.registry.store.list(keys.holds(MODEL)))
        assert not left, left
        self.manifests = {}
        self.hold_against()


class Promise(RuleBasedStateMachine):
    """Whatever happens in whatever order, the promise is kept."""

    def __init__(self) -> None:
        super().__init__()
        tally["histories"] += 1
        self.stack = contextlib.ExitStack()
        self.stack.enter_context(remembered())
        self.world = World()
        self.stack.callback(self.world.close)
        self.stack.enter_context(installed(self.world.disk))
        self.stack.enter_context(clocks(self.world))

    def free(self, choice: int) -> Actor:
        """Return one of those who are not stopped; if all are, one of them goes on first."""
        if len(self.world.stopped()) == len(NAMES):
            self.world.resume(self.world.stopped()[choice % len(NAMES)])
        actors = [actor for actor in self.world.actors.values() if not actor.is_stopped]
        return actors[choice % len(actors)]

    def begin(self, choice: int, kind: str, trouble: Trouble, version: str = "", is_fresh: bool = False) -> None:
        actor = self.free(choice)
        if is_fresh:
            actor.base = self.world.head_on_disk()
        self.world.nonces += 1
        self.world.start(actor, Operation(kind, version, actor.base, f"{actor.name} {self.world.nonces}"), trouble)

    @rule(choice=WHO, version=st.sampled_from(VERSIONS), trouble=TROUBLE)
    def register(self, choice: int, version: str, trouble: Trouble) -> None:
        self.begin(choice, "register", trouble, version)

    @rule(choice=WHO, version=st.sampled_from(VERSIONS), is_fresh=st.booleans(), trouble=TROUBLE)
    def promote(self, choice: int, version: str, is_fresh: bool, trouble: Trouble) -> None:
        self.begin(choice, "promote", trouble, version, is_fresh)

    @rule(choice=WHO, version=st.sampled_from(VERSIONS), is_fresh=st.booleans(), trouble=TROUBLE)
    def roll_back(self, choice: int, version: str, is_fresh: bool, trouble: Trouble) -> None:
        self.begin(choice, "roll back", trouble, version, is_fresh)

    @rule(choice=WHO, trouble=TROUBLE)
    def look(self, choice: int, trouble: Trouble) -> None:
        self.begin(choice, "look", trouble)

    @rule(choice=WHO, trouble=TROUBLE)
    def collect(self, choice: int, trouble: Trouble) -> None:
        self.begin(choice, "collect", trouble)

    @rule(choice=WHO, trouble=TROUBLE)
    def try_again(self, choice: int, trouble: Trouble) -> None:
        """I5: the same operation, after an answer that nobody got."""
        waiting = [actor for actor in self.world.actors.values() if actor.doing and not actor.is_stopped]
        if waiting:
            actor = waiting[choice % len(waiting)]
            assert actor.doing
            self.world.start(actor, actor.doing, trouble)

    @precondition(lambda self: not self.world.stopped())
    @rule(choice=WHO, pair=st.sampled_from(PAIRS), version=st.sampled_from(VERSIONS), trouble=MEETING)
    def meet(self, choice: int, pair: tuple[str, str], version: str, trouble: Trouble) -> None:
        """I9: one comes while another is in the middle, and everything is old enough to be collected."""
        self.world.let_pass(timedelta(days=3))
        for kind, strike in zip(pair, (trouble, None), strict=True):
            self.begin(choice, kind, strike, version, is_fresh=True)

    @precondition(lambda self: self.world.stopped())
    @rule(choice=WHO, is_killed=st.booleans())
    def go_on_or_die(self, choice: int, is_killed: bool) -> None:
        stopped = self.world.stopped()
        (self.world.kill if is_killed else self.world.resume)(stopped[choice % len(stopped)])

    @precondition(lambda self: not self.world.stopped())
    @rule(days=st.sampled_from([0.1, 1.5, 3]))
    def time_passes(self, days: float) -> None:
        """Nobody who works is stopped for longer than a hold is in force: 24 hours."""
        self.world.let_pass(timedelta(days=days))

    @rule(what=st.sampled_from(["late", "clock", "deleted", "garbled", "old", "a stranger's"]), choice=WHO)
    def something_happens(self, what: str, choice: int) -> None:
        """What was late comes; a clock goes wrong by a year (I14); something befalls the hint (I13)."""
        if what == "late":
            self.world.disk.land()
        elif what == "clock":
            self.world.actors[NAMES[choice % len(NAMES)]].off = timedelta(days=366 * (choice - 1))
        elif self.world.head_on_disk():
            self.world.harm_hint(what)

    @invariant()
    def holds(self) -> None:
        self.world.hold_against()

    def teardown(self) -> None:
        with self.stack:
            self.world.settle()


@cache
def files(version: str) -> dict[str, bytes]:
    """Return the files of a small real version."""
    rows = toy.rows()[["weight"]]
    strength = 1.0 + VERSIONS.index(version)
    fitted = Pipeline([("fill", SimpleImputer()), ("model", LogisticRegression(C=strength))])
    fitted.fit(rows, toy.rows()["late"])
    recorded = smoke.record(fitted, smoke.rows(rows, ["weight"], []), ["weight"])
    return {ARTIFACT: training.dump(fitted), SMOKE: signing.canonical(recorded), CARD: version.encode()}


def register(registry: Registry, version: str) -> dict[str, Any]:
    return registry.register(version, files(version), desks.ABOUT)


@contextlib.contextmanager
def clocks(world: World) -> Iterator[None]:
    """Give every actor a local clock of its own."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(UTC) + (world.active.off if world.active else timedelta())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(promotion_log, "datetime", Clock)
        yield


VERSION_OF = cache(importlib.metadata.version)
loaded: dict[bytes, Any] = {}
held: set[tuple[int, bytes]] = set()


@contextlib.contextmanager
def remembered() -> Iterator[None]:
    """Remember what was unpickled and predicted: pure functions of bytes. One reader at a time keeps calls in order."""
    load, check = unpickling.load_artifact, smoke.check

    def load_once(path: Path, *given: Any) -> Any:
        data = path.read_bytes()
        if data not in loaded:
            loaded[data] = load(path, *given)
        return loaded[data]

    def check_once(estimator: Any, recorded: dict[str, Any], what: str) -> None:
        at = (id(estimator), signing.canonical(recorded))
        if at not in held:
            check(estimator, recorded, what)
            held.add(at)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unpickling, "load_artifact", load_once)
        patch.setattr(smoke, "check", check_once)
        patch.setattr("os.fsync", lambda _: None)
        patch.setattr(importlib.metadata, "version", VERSION_OF)
        for room in (collecting, records, snapshots, verifying_room):
            patch.setattr(room, "READERS", 1)
        yield
