"""`make demo`: real flights, a real scheduler, a champion model after a minute.

Environment: DAYS (how many days to replay, default 15), DEMO_EXIT=1 (end after the summary; status 0 only if every
run succeeded and the days showed what they should), DEMO_STATE (state folder, default `.demo`), DEMO_DAGS (folder of
DAG files, default `dags`).
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NoReturn

from demo import flights, plan, progress, standalone, state, summary
from demo.api import Api, Run
from demo.processes import Child, ServiceError, end, running
from demo.services import ROOT, s3_server
from demo.settings import ADMIN, DAGS, Layout, layout, prepare, s3_settings

DAG_ID = "retrain_flight_delays"
MODEL = "flight_delays"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
DATA_DOCS = "plugin/retraining_data_docs"


def say(text: str = "", end: str = "\n") -> None:
    """Print at once: the output may be a pipe."""
    print(text, end=end, flush=True)


@contextlib.contextmanager
def step(what: str) -> Iterator[None]:
    """Say what is being done, and how long it took."""
    say(f"  {what:<58}", end="")
    start = time.monotonic()
    yield
    say(f"{time.monotonic() - start:5.0f} s")


def main() -> int:
    """Run the demo and return its exit status."""
    for sign in _SIGNALS:
        signal.signal(sign, _interrupt)
    where = layout(Path(os.environ.get("DEMO_STATE", ROOT / ".demo")))
    try:
        with state.sole_owner(where.folder):
            return demo(where, days=_days())
    except ServiceError as error:
        say(f"\n\n{error}\n")
        return 1
    except KeyboardInterrupt:
        say("\nStopped. `make demo` goes on from here.")
        return 130


def _interrupt(*_: object) -> NoReturn:
    for sign in _SIGNALS:  # a second Ctrl-C must not leave services behind
        signal.signal(sign, signal.SIG_IGN)
    raise KeyboardInterrupt


def _days() -> int:
    days = os.environ.get("DAYS") or str(plan.DEFAULT_DAYS)
    if not days.isdigit() or int(days) < 1:
        raise ServiceError(f"DAYS is {days!r}; expected a whole number of days, 1 or more.")
    return int(days)


def demo(where: Layout, days: int) -> int:
    """Start everything, replay, tell what happened, and serve until Ctrl-C unless DEMO_EXIT=1."""
    goal = state.read_goal(where.folder / "goal.json", days)
    say("\nAirflow Retraining: a model that keeps itself fresh, on real flights from New York in 2013\n")
    folders = (where.airflow_run, where.s3 / "run")
    for folder in folders:
        if end(folder, patience_s=3):
            say(f"  Ended what a killed demo left running in {folder}")
    env = prepare(where, plan.data_until(goal.until), Path(os.environ.get("DEMO_DAGS", DAGS)))
    if not where.warehouse.exists():
        with step("Loading 336,776 departures into a SQLite warehouse"):
            flights.load(f"sqlite:///{where.warehouse}", flights.departures())
    state.write_goal(where.folder / "goal.json", goal)
    s3 = s3_settings(env)
    with contextlib.ExitStack() as services:
        for folder in folders:  # what was being started when a signal came is in nobody's hands yet
            services.callback(end, folder)
        with step(f"Starting an S3 server on {s3.endpoint_url}"):
            services.enter_context(s3_server(where.s3, settings=s3))
        api, child = Api(env["AIRFLOW__API__BASE_URL"], ADMIN, env["DEMO_ADMIN_PASSWORD"]), None
        with step(f"Starting Airflow on {env['AIRFLOW__API__BASE_URL']}"):
            child = services.enter_context(running(standalone.start(where, env)))
            child.wait_until(api.is_healthy, patience_s=300)
            child.wait_until(lambda: _is_parsed(api), patience_s=120)
        status = replay_and_tell(where, env, api, child, goal)
        if os.environ.get("DEMO_EXIT") == "1":
            return status
        say("\nServing until Ctrl-C.")
        return _serve(child)


def _is_parsed(api: Api) -> bool:
    if errors := api.import_errors():
        raise ServiceError("A DAG file cannot be imported:\n" + "\n".join(errors))
    return api.has_dag(DAG_ID)


def replay_and_tell(where: Layout, env: dict[str, str], api: Api, child: Child, goal: plan.Goal) -> int:
    """Replay up to the goal and print the summary; 0 if all went well and the days showed what they should."""
    began = datetime.now(UTC)
    failed = replay(api, child, goal)
    unasked, silent = api.failed_on_schedule(DAG_ID, began), api.without_note(DAG_ID, began)
    rows = [row for row in _summaries(env) if row["day"] in set(plan.days_until(goal.until))]
    say("\n" + summary.table(rows) + "\n")
    for line in summary.notes(rows):
        say(line)
    gaps = plan.gaps(rows, goal.until)
    if not failed:
        state.write_goal(where.folder / "goal.json", plan.Goal(goal.until, is_reached=True))
    _tell_addresses(env)
    for day in failed:
        say(f"FAILED: the run of {day:%-d %B}; its log is in {where.airflow_home / 'logs'} and in Airflow's pages.")
    for run_id in unasked:
        say(f"FAILED: {run_id}, which the schedule began by itself; its log is in Airflow's pages.")
    for run_id in silent:
        say(f"FAILED: {run_id} has no note with its decision; the log of its task `report` says why.")
    for gap in gaps:
        say(f"FAILED: these days should have shown {gap} and did not.")
    return 1 if failed or unasked or silent or gaps else 0


def replay(api: Api, child: Child, goal: plan.Goal) -> list[date]:
    """Let the scheduler run every day up to the goal that has not succeeded, and return the days that failed."""
    days = plan.days_until(goal.until)
    states = {run.day: run.state for run in api.runs(DAG_ID, days[0], days[-1])}
    if begun := [day for day, found in states.items() if found in {"queued", "running"}]:
        say(f"\nGoing on with what an interrupted demo began: {plan.span(begun)}\n")
        api.unpause(DAG_ID)
        states.update({day: run.state for day, run in _follow(api, child, begun).items()})
    todo = plan.missing(days, states)
    if not todo:
        say(f"\nEvery day up to {goal.until:%-d %B} has been replayed.")
        return []
    # Airflow closes a finished backfill within half a minute, and has room for one.
    child.wait_until(lambda: not api.open_backfills(DAG_ID), patience_s=120)
    say(f"\nReplaying {plan.span(todo)}, one run at a time\n")
    api.backfill(DAG_ID, todo[0], todo[-1])
    api.unpause(DAG_ID)
    return plan.missing(todo, {day: run.state for day, run in _follow(api, child, todo).items()})


def _follow(api: Api, child: Child, days: list[date]) -> dict[date, Run]:
    """Tell the runs of some days as they go."""

    def check() -> None:
        if not child.is_alive():
            raise ServiceError(f"Airflow has ended. {child.last_words()}")

    return progress.follow(api, DAG_ID, days, lambda text: say(text, end=""), check)


def _summaries(env: dict[str, str]) -> list[dict[str, object]]:
    os.environ.update({name: value for name, value in env.items() if name.startswith("AIRFLOW_CONN_")})
    from include.retraining import connections, records

    return plan.by_day(records.summaries(connections.open_store(), MODEL))


def _tell_addresses(env: dict[str, str]) -> None:
    url = env["AIRFLOW__API__BASE_URL"]
    say(f"\n  Airflow    {url}/dags/{DAG_ID}")
    say(f"  Data Docs  {url}/{DATA_DOCS}")
    say(f"  Log in as  {ADMIN}, password {env['DEMO_ADMIN_PASSWORD']}\n")


def _serve(child: Child) -> int:
    try:
        while child.is_alive():
            time.sleep(1)
    except KeyboardInterrupt:
        say("\nStopping …")
        return 0
    raise ServiceError(f"Airflow has ended. {child.last_words()}")


if __name__ == "__main__":
    sys.exit(main())
