"""Tasks of real runs are killed at random moments, the scheduler and the store too: nothing is lost, torn or twice.

Environment: SEED (of the plan; printed), CHAOS_KILLS (how many kills of tasks have to hit, default 24).
"""

import os
import random
import signal
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from demo.processes import members
from tests.chaos import checks, deployment, product, strikes
from tests.chaos.deployment import Deployment, deployed
from tests.chaos.strikes import ALL_OF_SCHEDULER, OF_TASKS, S3, SCHEDULER, Kill, Storm, Strike

pytestmark = [pytest.mark.chaos, pytest.mark.filterwarnings("ignore")]
WANTED_KILLS = int(os.environ.get("CHAOS_KILLS", "24"))
AT_ONCE, SERVERS_AT_ONCE = 5, 2
"""Strikes in one run: on tasks, and on scheduler and store."""
MOST_OF_A_TASK = 2
"""Strikes of any kind while one task of one run is at work: fewer than it has retries."""


@dataclass
class Told:
    """A storm that is over."""

    world: Deployment
    storm: Storm
    runs: list[str] = field(default_factory=list)
    cleared: list[str] = field(default_factory=list)
    calm_s: float = 0.0
    seconds: float = 0.0

    @property
    def hits(self) -> list[Kill]:
        """Kills of a task's process that was running it, after which Airflow tried it again."""
        return [one for one in self.storm.kills if one.strike.how in OF_TASKS and one.has_hit]

    def servers(self, *how: str) -> list[Kill]:
        """Kills of servers of a kind."""
        return [one for one in self.storm.kills if one.strike.how in how]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Let runs go on while everything they need is killed; then one in peace."""
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
    print(f"\nSEED={seed}", flush=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ended from outside, it still ends what it started
    with deployed(tmp_path_factory.mktemp("chaos")) as world:
        began = time.monotonic()
        found = Told(world, Storm(world))
        rage(found, random.Random(seed))
        found.seconds = time.monotonic() - began
        print(table(found), flush=True)
        yield found
    assert not any(members(folder) for folder in world.folders), "processes are left"


def rage(told: Told, chance: random.Random) -> None:
    """Trigger a run an era and strike while it goes on, until enough has been killed."""
    deck, servers = strikes.draw(chance, rounds=4), strikes.draw_servers(chance)
    while (len(told.hits) < WANTED_KILLS or servers) and len(told.runs) < product.ERAS - 1:
        chosen = deal(servers, [], SERVERS_AT_ONCE)
        chosen += deal(deck, chosen, AT_ONCE)
        unused = follow(told, chosen)
        deck[:0] = [one for one in unused if one.how in OF_TASKS]
        servers[:0] = [one for one in unused if one.how not in OF_TASKS]
    began = time.monotonic()
    follow(told, [])
    told.calm_s = time.monotonic() - began


def deal(deck: list[Strike], dealt: list[Strike], most: int) -> list[Strike]:
    """Take the next strikes out of a deck, not too many on one task with those that were dealt before."""
    chosen: list[Strike] = []
    for one in list(deck):
        on_it = sum(one.task == other.task for other in dealt + chosen)
        if len(chosen) < most and on_it < MOST_OF_A_TASK:
            chosen.append(one)
            deck.remove(one)
    return chosen


def follow(told: Told, chosen: list[Strike]) -> list[Strike]:
    """Trigger the run of the next era, and see it through to its success."""
    run = f"chaos__{len(told.runs) + 1:02d}"
    form = {"as_of": product.era_end(len(told.runs)), "force_retrain": True, "reason": "an era has ended"}
    told.world.trigger(run, form)
    state, unused = told.storm.follow(run, chosen)
    if state == "failed":
        told.cleared.append(run)
        print(f"{run} failed and is cleared once: {told.world.tries(run)}", flush=True)
        told.world.clear(run)
        state, _ = told.storm.follow(run, [])
    assert state == "success", f"{run} is {state}: {told.world.tries(run)}"
    told.storm.settle(run)
    told.runs.append(run)
    return unused


def table(told: Told) -> str:
    """Lay out what was killed and how long recovery took."""
    rows = [
        ("task", "kills", "recovered", "until its success", "until the run's success"),
        *(_row(task, [one for one in told.hits if one.strike.task == task]) for task in strikes.TASKS),
        _row("all tasks", told.hits),
        *(_row(f"  {how}", [one for one in told.hits if one.strike.how == how]) for how in OF_TASKS),
        *(_row(how, told.servers(how)) for how in (SCHEDULER, ALL_OF_SCHEDULER, S3)),
    ]
    widths = [max(len(row[n]) for row in rows) for n in range(5)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.append(
        f"{len(told.runs)} runs, {len(told.cleared)} cleared by hand, {told.storm.missed} strikes came too late; "
        f"the last run, undisturbed, took {told.calm_s:.0f} s; all of it {told.seconds:.0f} s. Seconds are median "
        f"(most). Heartbeat timeout {deployment.HEARTBEAT_TIMEOUT_S} s (Airflow ships 300), retry after "
        f"{deployment.RETRY_DELAY_S} s (the DAGs ship 10)."
    )
    return "\n".join(lines)


def _row(name: str, kills: list[Kill]) -> tuple[str, ...]:
    if not kills:
        return (name, "0", "-", "-", "-")
    recovered = sum(one.run_s is not None for one in kills)
    return name, str(len(kills)), str(recovered), _span(one.task_s for one in kills), _span(one.run_s for one in kills)


def _span(found: Iterator[float | None]) -> str:
    seconds = [one for one in found if one is not None]
    return f"{statistics.median(seconds):.0f} s ({max(seconds):.0f} s)"


def test_enough_tasks_were_killed_while_they_ran(told: Told) -> None:
    assert len(told.hits) >= min(20, WANTED_KILLS)
    assert len({one.strike.task for one in told.hits}) >= 7


def test_tasks_were_killed_in_each_way(told: Told) -> None:
    assert {one.strike.how for one in told.hits} == set(OF_TASKS)


def test_scheduler_and_store_were_killed_too(told: Told) -> None:
    assert len(told.servers(SCHEDULER, ALL_OF_SCHEDULER)) >= 3
    assert len(told.servers(S3)) >= 3


def test_every_run_succeeded_after_retries_alone(told: Told) -> None:
    assert all(one.run_s is not None for one in told.storm.kills)
    assert told.cleared == []


def test_each_run_moved_the_champion_once_and_every_version_loads(told: Told) -> None:
    checks.check_log(told.world.registry, told.runs)


def test_every_record_is_complete_and_agrees_with_itself(told: Told) -> None:
    checks.check_records(told.world.registry, told.runs)


def test_the_store_verifies_in_a_terminal(told: Told) -> None:
    done = told.world.command("verify", deployment.MODEL)
    assert done.returncode == 0, done.stdout + done.stderr


def test_crashes_left_only_what_maintenance_removes(told: Told) -> None:
    unfinished, deleted = checks.check_store(told.world.registry, told.world.spec)
    print(f"\nCrashes left {unfinished} objects that nothing names; maintenance removed {deleted} objects.", flush=True)
