"""The story of a replay, from a source whose runs move on at each question."""

from datetime import date

import pytest

from demo import progress
from demo.api import Run, TaskRun
from demo.processes import ServiceError

DAYS = [date(2013, 1, 27), date(2013, 1, 28)]


def run(day, state, seconds=0.0):
    return Run(day, f"run-{day}", state, seconds)


def task(verb, state="success", seconds=3.2):
    return TaskRun(f"{verb}[-1]", verb, state, f"end of {verb}", seconds)


class Film:
    """Frames of (runs, tasks by run), shown one after another; the last one stays."""

    def __init__(self, *frames):
        self.frames = [([], {}), *frames]

    def runs(self, dag_id, first, last):
        return self.frames[0][0]

    def tasks(self, dag_id, run_id):
        return self.frames[0][1].get(run_id, [])

    def next(self):
        if len(self.frames) > 1:
            self.frames.pop(0)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(progress, "_POLL_S", 0)


def follow(film, days=DAYS):
    told = []
    result = progress.follow(film, "dag", days, told.append, film.next)
    return "".join(told), result


def test_each_task_is_told_once_and_each_day_has_a_line():
    one, two = f"run-{DAYS[0]}", f"run-{DAYS[1]}"
    film = Film(
        ([run(DAYS[0], "running"), run(DAYS[1], "queued")], {one: [task("pull")]}),
        ([run(DAYS[0], "running"), run(DAYS[1], "queued")], {one: [task("pull"), task("train", seconds=11.7)]}),
        ([run(DAYS[0], "success", 20.4), run(DAYS[1], "running")], {one: [task("pull"), task("train", seconds=11.7)]}),
        ([run(DAYS[0], "success", 20.4), run(DAYS[1], "success", 7)], {two: [task("pull")]}),
    )
    text, finished = follow(film)
    assert text == "27 Jan  pull 3s  train 12s  = 20 s\n28 Jan  pull 3s  = 7 s\n"
    assert [finished[day].state for day in DAYS] == ["success", "success"]


def test_failure_is_loud_and_the_next_day_goes_on():
    film = Film(
        (
            [run(DAYS[0], "failed", 5), run(DAYS[1], "success", 6)],
            {f"run-{DAYS[0]}": [task("validate", "failed")], f"run-{DAYS[1]}": []},
        )
    )
    text, finished = follow(film)
    assert text == "27 Jan  validate FAILED  = 5 s  FAILED\n28 Jan  = 6 s\n"
    assert finished[DAYS[0]].state == "failed"


def test_a_retried_task_is_told_again():
    first = TaskRun("train[-1]", "train", "failed", "10:00", 4)
    second = TaskRun("train[-1]", "train", "success", "10:05", 5)
    one = f"run-{DAYS[0]}"
    film = Film(
        ([run(DAYS[0], "running")], {one: [first]}),
        ([run(DAYS[0], "success", 9)], {one: [second]}),
    )
    assert follow(film, DAYS[:1])[0] == "27 Jan  train FAILED  train 5s  = 9 s\n"


def test_standstill_ends_with_a_message(monkeypatch):
    monkeypatch.setattr(progress, "_PATIENCE_S", 0.05)
    with pytest.raises(ServiceError, match=r"Nothing has happened .* waiting for 2013-01-27"):
        follow(Film())


def test_services_are_checked_at_each_turn():
    def gone():
        raise ServiceError("Airflow has ended.")

    with pytest.raises(ServiceError, match="has ended"):
        progress.follow(Film(), "dag", DAYS, print, gone)
