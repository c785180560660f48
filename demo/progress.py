"""Follow the replay and tell it as it happens: one line a day, one word a task."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from demo.api import Run, TaskRun
from demo.processes import ServiceError

_POLL_S = 1.0
_PATIENCE_S = 900.0

Say = Callable[[str], None]


class Source(Protocol):
    """What is asked while runs go on; `demo.api.Api` in the demo."""

    def runs(self, dag_id: str, first: date, last: date) -> list[Run]:
        """List the runs of some days."""

    def tasks(self, dag_id: str, run_id: str) -> list[TaskRun]:
        """List the ended tasks of a run."""


@dataclass
class Story:
    """Tells each task once, and each run once it is finished."""

    say: Say
    _told: set[tuple[str, str, str]] = field(default_factory=set)
    _open: str = ""

    def tell(self, run: Run, tasks: Sequence[TaskRun]) -> None:
        """Add what ended since the last call; end the line when the run has ended."""
        for task in tasks:
            mark = (run.run_id, task.key, task.ended)
            if mark not in self._told:
                self._told.add(mark)
                self._begin(run)
                self.say(f"  {word(task)}")
        if run.is_finished:
            self._begin(run)
            self.say(f"  = {run.seconds:.0f} s{'' if run.state == 'success' else '  ' + run.state.upper()}\n")
            self._open = ""

    def _begin(self, run: Run) -> None:
        if self._open != run.run_id:
            self.say(f"{run.day:%d %b}")
            self._open = run.run_id


def word(task: TaskRun) -> str:
    """Tell a task in a word: its verb and how long it took."""
    return f"{task.verb} {task.seconds:.0f}s" if task.state == "success" else f"{task.verb} {task.state.upper()}"


def follow(source: Source, dag_id: str, days: Sequence[date], say: Say, check: Callable[[], None]) -> dict[date, Run]:
    """Tell the runs of `days` until all have ended.

    Parameters
    ----------
    source : Source
        Where to ask.
    days : sequence of date
        Days to wait for, oldest first.
    say : callable
        Prints text without ending the line.
    check : callable
        Called at each turn; raises when the services are gone.

    Returns
    -------
    dict
        The finished run of each day.
    """
    story, finished = Story(say), dict[date, Run]()
    deadline, seen = time.monotonic() + _PATIENCE_S, ""
    while len(finished) < len(days):
        check()
        waiting = [day for day in days if day not in finished]
        state = ""
        for run in (run for run in source.runs(dag_id, waiting[0], waiting[-1]) if run.day in waiting):
            if run.state == "queued":
                break
            tasks = source.tasks(dag_id, run.run_id)
            story.tell(run, tasks)
            state += f"{run.run_id}{run.state}{len(tasks)}"
            if not run.is_finished:
                break
            finished[run.day] = run
        if state != seen:
            deadline, seen = time.monotonic() + _PATIENCE_S, state
        if time.monotonic() > deadline:
            raise ServiceError(f"Nothing has happened for {_PATIENCE_S / 60:.0f} minutes; waiting for {waiting[0]}.")
        time.sleep(0 if len(finished) == len(days) else _POLL_S)
    return finished
