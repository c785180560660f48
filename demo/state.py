"""What the demo remembers between two starts, and the lock that keeps two demos apart."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from demo.plan import Goal, first_goal
from demo.processes import ServiceError


def read_goal(path: Path, days: int) -> Goal:
    """Return what this demo has to reach: an unreached goal as it was, else `days` more."""
    if not path.exists():
        return first_goal(days)
    kept = json.loads(path.read_text())
    return Goal(date.fromisoformat(kept["until"]), kept["is_reached"]).next(days)


def write_goal(path: Path, goal: Goal) -> None:
    """Remember a goal, whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps({"until": goal.until.isoformat(), "is_reached": goal.is_reached}) + "\n")
    part.replace(path)


@contextlib.contextmanager
def sole_owner(folder: Path) -> Iterator[None]:
    """Keep a second demo out of a state folder; the system frees the lock when this process ends, however it does."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # secrets, real rows and logs of one person
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            raise ServiceError(
                f"A demo already uses {folder} (process {owner}): stop it with Ctrl-C, or use its pages."
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield
