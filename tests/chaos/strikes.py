"""Who is killed, how and when: drawn from a seed, carried out on the processes of real runs."""

import contextlib
import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

import psutil

from tests.chaos.deployment import Deployment, Try, kill
from tests.retraining.proxy import Order, Proxy

TASKS = (
    "pull_snapshot",
    "validate_snapshot",
    "evaluate_champion",
    "decide",
    "train_candidate",
    "select_challenger",
    "compare_with_champion",
    "promote",
    "report",
)
PROCESS, MACHINE = "task alone", "task and supervisor"
BEFORE, TORN, AFTER = "before a write", "half a write sent", "after a write, unanswered"
WRITES = (BEFORE, TORN, AFTER)
SCHEDULER, ALL_OF_SCHEDULER, S3 = "scheduler alone", "scheduler and all it started", "S3 server"
OF_TASKS = (PROCESS, MACHINE, *WRITES)
PATIENCE_S = 900


@dataclass(frozen=True)
class Strike:
    """One planned kill.

    Parameters
    ----------
    task : str
        Strikes while this task runs.
    how : str
        Who is killed, or at which point of a write the task is.
    moment : float
        Share, 0 to 1, of the seconds that the task usually takes, or of the writes that it usually makes.
    """

    task: str
    how: str
    moment: float


@dataclass
class Kill:
    """One strike that was carried out."""

    strike: Strike
    run: str
    victim: Try
    pid: int | None
    at: float
    task_s: float | None = None
    """Seconds until the task's success."""
    run_s: float | None = None
    """Seconds until the run's success."""
    has_hit: bool = False
    """Whether the process was running the task as Airflow tells it too, and Airflow had to try again."""


def draw(chance: random.Random, rounds: int) -> list[Strike]:
    """Return a deck in which every task comes once a round and each way to kill about as often as any other."""
    ways = [PROCESS, MACHINE, BEFORE, PROCESS, TORN, AFTER]
    chance.shuffle(ways)
    tasks = [task for _ in range(rounds) for task in chance.sample(TASKS, len(TASKS))]
    return [Strike(task, ways[n % len(ways)], chance.uniform(0.02, 0.95)) for n, task in enumerate(tasks)]


def draw_servers(chance: random.Random) -> list[Strike]:
    """Return kills of scheduler and store, each while some task runs."""
    ways = [SCHEDULER, ALL_OF_SCHEDULER, SCHEDULER, S3, S3, S3]
    chance.shuffle(ways)
    busy = ("pull_snapshot", "validate_snapshot", "train_candidate", "select_challenger", "compare_with_champion")
    return [Strike(chance.choice(busy), how, chance.uniform(0.02, 0.95)) for how in ways]


@dataclass
class Usual:
    """What tasks usually take and write, learnt from tries that nobody disturbed."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    writes: dict[str, list[int]] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)
    """Writes by the id of the try."""

    def learn(self, tries: list[Try]) -> None:
        """Take down what the tries of a run took that succeeded at once."""
        for one in tries:
            if one.number == 1 and one.state == "success" and one.start and one.end:
                self.seconds.setdefault(one.task, []).append(_epoch(one.end) - _epoch(one.start))
                self.writes.setdefault(one.task, []).append(self.seen[one.id])

    def moment_of(self, strike: Strike) -> float:
        """Return after how many seconds of the task a strike comes."""
        return strike.moment * statistics.median(self.seconds.get(strike.task, [1.0]))

    def writes_before(self, strike: Strike) -> int:
        """Return how many writes of the task come before the one that is struck."""
        return int(strike.moment * statistics.median(self.writes.get(strike.task, [3])))


@dataclass
class Storm:
    """Carries strikes out while runs go on, and keeps what it did."""

    world: Deployment
    usual: Usual = field(default_factory=Usual)
    kills: list[Kill] = field(default_factory=list)
    missed: int = 0
    _run: str = ""
    _pending: list[Strike] = field(default_factory=list)
    _seen: dict[str, Try] = field(default_factory=dict)
    _due: dict[str, tuple[float, Strike]] = field(default_factory=dict)
    _left: dict[str, tuple[int, Strike]] = field(default_factory=dict)
    """Tries that are to be killed in one of their next writes, and how many writes come before it."""
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def follow(self, run: str, strikes: list[Strike]) -> tuple[str, list[Strike]]:
        """Strike while a run goes on; return its final state, and the strikes for which there was no occasion."""
        self._run, self._pending = run, list(strikes)
        self.world.between.server.fault = self._in_a_write
        deadline, asked, state = time.monotonic() + PATIENCE_S, 0.0, "queued"
        while state not in {"success", "failed"}:
            assert time.monotonic() < deadline, f"{run} is {state} after {PATIENCE_S} s: {self.world.tries(run)}"
            self._look()
            if time.monotonic() - asked > 1:
                state, asked = self.world.run(run)["state"], time.monotonic()
            time.sleep(0.1)
        return state, self._unused()

    def _look(self) -> None:
        """Aim at the tasks that have just begun, and kill those whose moment has come."""
        running = self.world.tasks()
        for id_ in running.keys() - self._seen.keys():
            self._aim(id_)
        for id_, (moment, strike) in list(self._due.items()):
            if id_ not in running:
                del self._due[id_]
                self._miss(strike)
            elif time.monotonic() >= moment:
                del self._due[id_]
                self._strike(strike, self._seen[id_], running[id_])

    def _aim(self, id_: str) -> None:
        with self._lock:
            one = self._who(id_)
            if one is None:
                return
            strike = next((found for found in self._pending if found.task == one.task), None)
            if strike is None or any(
                aimed.task == one.task for _, aimed in [*self._due.values(), *self._left.values()]
            ):
                return
            self._pending.remove(strike)
            if strike.how in WRITES:
                self._left[id_] = (self.usual.writes_before(strike), strike)
            else:
                self._due[id_] = (time.monotonic() + self.usual.moment_of(strike), strike)

    def _who(self, id_: str) -> Try | None:
        """Return which try a process belongs to; asks Airflow about one that is not known yet."""
        if id_ not in self._seen:
            self._seen.update({one.id: one for one in self.world.tries(self._run) if one.state == "running"})
        return self._seen.get(id_)

    def _strike(self, strike: Strike, victim: Try, process: psutil.Process) -> None:
        at = time.time()
        if strike.how == S3:
            self.world.kill_s3()
        elif strike.how in {SCHEDULER, ALL_OF_SCHEDULER}:
            self.world.kill_scheduler(with_workers=strike.how == ALL_OF_SCHEDULER)
        elif not self._kill_task(strike, process):
            return self._miss(strike)
        self.kills.append(Kill(strike, self._run, victim, process.pid, at))
        print(f"{self._run}  {victim.task} try {victim.number}: {strike.how}", flush=True)
        return None

    @staticmethod
    def _kill_task(strike: Strike, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.NoSuchProcess):
            supervisor = process.parent()
            if strike.how == MACHINE and supervisor and "LocalExecutor" in " ".join(supervisor.cmdline()):
                kill(supervisor, process)  # first whoever would tell of the other's end
                return True
            if strike.how != MACHINE:
                kill(process)
                return True
        return False

    def _in_a_write(self, request: Proxy) -> Order:
        """Kill whoever writes, if this is the write in which it is to be killed."""
        if request.command != "PUT":
            return None
        with self._lock:
            id_, process = self._writer(request.client_address[1])
            if id_ is None or process is None or (one := self._who(id_)) is None:
                return None
            self.usual.seen[id_] += 1
            if id_ not in self._left:  # it may write before it was looked at
                self._aim(id_)
            before, strike = self._left.get(id_, (-1, None))
            if strike is None:
                return None
            self._left[id_] = (before - 1, strike)
            if before:
                return None
            del self._left[id_]
        return self._kill_writer(request, strike, one, process)

    def _kill_writer(self, request: Proxy, strike: Strike, one: Try, process: psutil.Process) -> Order:
        def now() -> None:
            self._strike(strike, one, process)

        if strike.how == AFTER:
            return lambda answer: (now(), answer)[1]
        now()
        return "torn" if strike.how == TORN else 503

    def _writer(self, port: int) -> tuple[str | None, psutil.Process | None]:
        """Return the task that has a connection from a port."""
        for id_, process in self.world.tasks().items():
            with contextlib.suppress(psutil.Error):
                if any(one.laddr and one.laddr.port == port for one in process.net_connections("tcp")):
                    return id_, process
        return None, None

    def _miss(self, strike: Strike) -> None:
        self.missed += 1
        self._pending.append(_sooner(strike))

    def _unused(self) -> list[Strike]:
        with self._lock:
            aimed = [strike for _, strike in [*self._due.values(), *self._left.values()]]
            unused = [*self._pending, *map(_sooner, aimed)]
            self._pending, self._due, self._left = [], {}, {}
        return unused

    def settle(self, run: str) -> None:
        """Complete the kills of a run that has succeeded: how long it took, and whether Airflow had to try again."""
        tries = self.world.tries(run)
        self.usual.learn(tries)
        end, last = self.world.run(run)["end_date"], {one.place: one for one in tries}
        for one in self._of(run):
            done = last[one.victim.place]
            one.run_s = _epoch(end) - one.at
            one.task_s = _epoch(str(done.end)) - one.at
            is_ours = one.victim.pid == one.pid
            one.has_hit = is_ours and done.number > one.victim.number and done.state == "success"

    def _of(self, run: str) -> Iterator[Kill]:
        return (one for one in self.kills if one.run == run)


def _sooner(strike: Strike) -> Strike:
    return replace(strike, moment=strike.moment / 2)


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
