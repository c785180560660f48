"""Airflow's REST API, as much of it as the demo needs: https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import httpx

from demo.plan import day_of, midnight
from demo.processes import ServiceError

_TRIES = 10


@dataclass(frozen=True)
class Run:
    """A DAG run.

    Parameters
    ----------
    day : date
        New York day of its data interval.
    state : str
        `queued`, `running`, `success` or `failed`.
    seconds : float
        From start to end; 0 while it runs.
    """

    day: date
    run_id: str
    state: str
    seconds: float

    @property
    def is_finished(self) -> bool:
        """Tell whether its state is final."""
        return self.state in {"success", "failed"}


@dataclass(frozen=True)
class TaskRun:
    """A task of a run, or one instance of a mapped task."""

    key: str
    verb: str
    state: str
    ended: str
    seconds: float


class Refused(ServiceError):
    """Airflow answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Api:
    """A logged-in client; it logs in again when its token has run out."""

    def __init__(self, url: str, user: str, password: str) -> None:
        """Keep the address and who to log in as."""
        self._client = httpx.Client(base_url=url, timeout=30)
        self._who = {"username": user, "password": password}

    def call(self, method: str, path: str, **options: Any) -> Any:
        """Make one call and return its JSON; what is safe to repeat is tried again while the server is busy."""
        for left in reversed(range(1 if method == "POST" else _TRIES)):
            try:
                answer = self._send(method, path, options)
            except httpx.TransportError as error:
                if not left:
                    raise ServiceError(f"Airflow does not answer {method} {path}: {error!r}.") from error
            else:
                if not answer.is_server_error or not left:
                    break
            time.sleep(1)
        if answer.is_error:
            raise Refused(
                answer.status_code, f"Airflow answered {answer.status_code} to {method} {path}: {answer.text}"
            )
        return answer.json()

    def _send(self, method: str, path: str, options: dict[str, Any]) -> httpx.Response:
        answer = self._client.request(method, f"/api/v2{path}", **options)
        if answer.status_code != httpx.codes.UNAUTHORIZED:
            return answer
        token = self._client.post("/auth/token", json=self._who)
        if token.is_error:
            raise ServiceError(
                f"Airflow refused the log-in of {self._who['username']}: {token.text[:200]} Another Airflow may have "
                "taken this port in the same moment; run `make demo` again, which then takes another."
            )
        self._client.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
        return self._client.request(method, f"/api/v2{path}", **options)

    def is_healthy(self) -> bool:
        """Tell whether scheduler and DAG processor are at work."""
        try:
            parts = self._client.get("/api/v2/monitor/health", timeout=5).json()
        except (httpx.TransportError, ValueError):
            return False
        return all(parts.get(name, {}).get("status") == "healthy" for name in ("scheduler", "dag_processor"))

    def import_errors(self) -> list[str]:
        """List the DAG files that cannot be imported, with the end of their traceback."""
        errors = self.call("GET", "/importErrors")["import_errors"]
        return [f"{error['filename']}: {error['stack_trace'].strip().splitlines()[-1]}" for error in errors]

    def has_dag(self, dag_id: str) -> bool:
        """Tell whether a DAG has been parsed."""
        found = self.call("GET", "/dags", params={"dag_id_pattern": dag_id, "exclude_stale": "true"})["dags"]
        return any(dag["dag_id"] == dag_id for dag in found)

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run a DAG; it starts no task of a paused one, not even in a backfill."""
        self.call("PATCH", f"/dags/{dag_id}", json={"is_paused": False})

    def open_backfills(self, dag_id: str) -> list[int]:
        """List the ids of the backfills of a DAG that are under way."""
        backfills = self.call("GET", "/backfills", params={"dag_id": dag_id, "limit": 100})["backfills"]
        return [backfill["id"] for backfill in backfills if backfill["completed_at"] is None]

    def backfill(self, dag_id: str, first: date, last: date) -> None:
        """Create a backfill of consecutive days, one run at a time; failed days are run again."""
        dates = {"from_date": midnight(first).isoformat(), "to_date": midnight(last).isoformat()}
        options = {"max_active_runs": 1, "reprocess_behavior": "failed", "run_backwards": False}
        for left in reversed(range(_TRIES)):
            try:
                self.call("POST", "/backfills", json={"dag_id": dag_id, **dates, **options})
                return
            except Refused as error:
                # On SQLite the creation fails whenever the scheduler has written in between.
                if error.status != httpx.codes.SERVICE_UNAVAILABLE or not left:
                    raise
            time.sleep(1)
            for half_made in self.open_backfills(dag_id):
                self.call("PUT", f"/backfills/{half_made}/cancel")

    def runs(self, dag_id: str, first: date, last: date) -> list[Run]:
        """List the run of each day from `first` to `last`, oldest day first."""
        bounds = {"logical_date_gte": midnight(first).isoformat(), "logical_date_lte": midnight(last).isoformat()}
        path = f"/dags/{dag_id}/dagRuns"
        found: list[dict[str, Any]] = []
        while True:
            page = self.call("GET", path, params={**bounds, "order_by": "id", "limit": 100, "offset": len(found)})
            found += page["dag_runs"]
            if len(found) >= page["total_entries"] or not page["dag_runs"]:
                break
        # A person's own run may have any logical date; a day's run has the midnight that begins it.
        daily = {run.day: run for run, at in ((_run(item), _moment(item)) for item in found) if at == midnight(run.day)}
        return [daily[day] for day in sorted(daily)]

    def failed_on_schedule(self, dag_id: str, since: datetime) -> list[str]:
        """List the ids of the runs that the schedule began after a moment and that failed."""
        asked = {"run_type": "scheduled", "state": "failed", "start_date_gte": since.isoformat(), "limit": 100}
        return [run["dag_run_id"] for run in self.call("GET", f"/dags/{dag_id}/dagRuns", params=asked)["dag_runs"]]

    def without_note(self, dag_id: str, since: datetime) -> list[str]:
        """List the ids of the runs that began after a moment, succeeded and tell no decision as their note."""
        asked = {"state": "success", "start_date_gte": since.isoformat(), "limit": 100}
        found = self.call("GET", f"/dags/{dag_id}/dagRuns", params=asked)["dag_runs"]
        return [run["dag_run_id"] for run in found if not run["note"]]

    def tasks(self, dag_id: str, run_id: str) -> list[TaskRun]:
        """List the tasks of a run that have ended, in the order in which they did."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        found = [_task(task) for task in self.call("GET", path, params={"limit": 100})["task_instances"]]
        ended = [task for task in found if task.state in {"success", "failed", "upstream_failed"}]
        return sorted(ended, key=lambda task: task.ended)


def _moment(run: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(run["logical_date"])


def _run(run: dict[str, Any]) -> Run:
    return Run(day_of(_moment(run)), run["dag_run_id"], run["state"], _seconds(run["start_date"], run["end_date"]))


def _task(task: dict[str, Any]) -> TaskRun:
    verb = task["task_id"].partition("_")[0]
    if task["map_index"] >= 0:
        verb += f"({task['rendered_map_index'] or task['map_index']})"
    key = f"{task['task_id']}[{task['map_index']}]"
    return TaskRun(key, verb, task["state"] or "", task["end_date"] or "", task["duration"] or 0.0)


def _seconds(start: str | None, end: str | None) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() if start and end else 0.0
