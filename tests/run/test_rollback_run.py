"""Whole runs of the DAG `rollback` through Airflow, against S3 over HTTP: each begins with two versions promoted."""

import functools
import json
import runpy
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import ParamValidationError

from include.retraining import assets, keys, steps
from include.retraining.errors import BadInput, Unavailable
from include.retraining.registry import ARTIFACT, Registry
from tests.conftest import ROOT
from tests.retraining.desks import objects
from tests.run.conftest import FIRST, MODEL, SECOND, promote

pytestmark = [pytest.mark.run, pytest.mark.filterwarnings("ignore")]
THIRD = "20130122-000000000022"
FORM = {"model": MODEL, "reason": "It is wrong."}


@dataclass
class Told:
    """What one run did: its state, its tasks' states and tries, and the events it left on the champion's asset."""

    state: str
    tasks: dict[str, str]
    tries: dict[str, int]
    events: list[dict[str, Any]]
    run_id: str


def trigger(**form: Any) -> Told:
    """Run the DAG with a form through Airflow, and return what it did; a task that is tried again need not wait."""
    dag = runpy.run_path(str(ROOT / "dags" / "rollback.py"))["DAG_ROLLBACK"]
    for task in dag.tasks:
        task.retry_delay, task.retry_exponential_backoff = timedelta(0), 0
    run = dag.test(run_conf=form)
    instances = run.get_task_instances()
    states = {one.task_id: str(one.state) for one in instances}
    tries = {one.task_id: one.try_number for one in instances}
    return Told(str(run.state), states, tries, events(run.run_id), run.run_id)


def events(run_id: str) -> list[dict[str, Any]]:
    """Return what a run attached to the champion's asset."""
    import sqlalchemy
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session

    asset = assets.champion(MODEL)
    wanted = (
        sqlalchemy.select(AssetEvent.extra)
        .join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        .where(AssetEvent.source_run_id == run_id, AssetModel.name == asset.name, AssetModel.uri == asset.uri)
    )
    with create_session() as session:
        return list(session.scalars(wanted))


def test_the_defaults_bring_back_what_was_live_before(desk: Registry, messages: Path) -> None:
    told = trigger(**FORM)
    assert (told.state, told.tasks) == ("success", {"check_target": "success", "roll_back": "success"})
    head = desk.head()
    assert (head.number, head.version, head.content["action"]) == (3, FIRST, "rollback")
    assert (head.content["reason"], head.content["actor"]) == ("It is wrong.", "dag_test")
    (event,) = told.events
    assert {name: event[name] for name in ("version", "entry", "action")} == {
        "version": FIRST,
        "entry": 3,
        "action": "rollback",
    }
    assert messages.read_text() == (
        f"warning: {MODEL} from 20240102T000000Z: rolled back. From {SECOND} to {FIRST} by dag_test: It is wrong. "
        f"Champion: {FIRST}. (run {told.run_id})\n"
    )


def test_a_dry_run_checks_and_changes_nothing(desk: Registry, messages: Path) -> None:
    before = objects(desk.store)
    told = trigger(**FORM, version=FIRST, dry_run=True)
    assert (told.state, told.tasks) == ("success", {"check_target": "success", "roll_back": "skipped"})
    assert (told.events, messages.read_text()) == ([], "")
    assert objects(desk.store) == before


@pytest.mark.parametrize(
    "form",
    [{"version": "newest"}, {"reason": " "}, {"reason": None}, {"model": "nonesuch"}, {"dry_run": "no"}],
    ids=["no version's id", "blank reason", "no reason", "no such model", "no boolean"],
)
def test_what_the_form_does_not_admit_never_becomes_a_run(desk: Registry, form: dict[str, Any]) -> None:
    with pytest.raises(ParamValidationError, match=f"Invalid input for param {next(iter(form))}"):
        trigger(**{**FORM, **form})


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"version": "newest"}, "There is no version 'newest' of flight_delays; those that exist, newest first: "),
        ({"reason": " "}, "The reason is empty"),
        ({"reason": None}, "The reason is empty"),
        ({"model": "nonesuch"}, "There is no model 'nonesuch'.*Known models: .*flight_delays"),
        ({"model": None}, "There is no model 'None'.*Known models: .*flight_delays"),
        ({"dry_run": "no"}, "dry_run is 'no'; expected true or false"),
    ],
)
def test_the_first_task_relies_on_no_check_of_the_form(desk: Registry, form: dict[str, Any], message: str) -> None:
    before, run = objects(desk.store), SimpleNamespace(run_type="manual")
    with pytest.raises(BadInput, match=message):
        steps.check_target(params={**FORM, **form}, run_id="manual__1", dag_run=run)
    assert objects(desk.store) == before


@pytest.mark.parametrize(
    "form",
    [{"version": SECOND}, {"version": "20991231-000000000000"}, {"verison": FIRST}],
    ids=["the champion", "no such version", "no such field"],
)
def test_a_refusal_fails_the_first_task_once_and_leaves_everything_as_it_was(
    desk: Registry, form: dict[str, Any]
) -> None:
    before = objects(desk.store)
    told = trigger(**{**FORM, **form})
    assert (told.state, told.tasks) == ("failed", {"check_target": "failed", "roll_back": "upstream_failed"})
    assert told.tries["check_target"] == 1
    assert told.events == []
    assert objects(desk.store) == before


def test_a_damaged_version_fails_the_check_and_leaves_everything_as_it_was(desk: Registry) -> None:
    desk.store.put(keys.version(MODEL, FIRST, ARTIFACT), b"x")
    before = objects(desk.store)
    told = trigger(**FORM)
    assert told.tasks == {"check_target": "failed", "roll_back": "upstream_failed"}
    assert objects(desk.store) == before


def test_a_task_that_died_after_its_entry_was_written_finds_it_again(
    desk: Registry, messages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [Unavailable("injected after the entry was written")]

    def announce(*arguments: Any) -> None:
        if failures:
            raise failures.pop()
        whole(*arguments)

    whole = assets.announce_rollback
    monkeypatch.setattr(assets, "announce_rollback", announce)
    told = trigger(**FORM)
    assert (told.state, told.tries["roll_back"]) == ("success", 2)
    assert [entry.version for entry in desk.log()] == [FIRST, SECOND, FIRST]
    assert [event["entry"] for event in told.events] == [3]
    assert len(messages.read_text().splitlines()) == 1


def test_a_promotion_in_between_wins_and_the_run_fails(desk: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    def then_promoted(step: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(step)
        def check_target(**context: Any) -> Any:
            found = step(**context)
            promote(desk, THIRD, 2)
            return found

        return check_target

    monkeypatch.setattr(steps, "check_target", then_promoted(steps.check_target))
    told = trigger(**FORM)
    assert (told.state, told.tasks["roll_back"], told.tries["roll_back"]) == ("failed", "failed", 1)
    assert told.events == []
    assert [entry.version for entry in desk.log()] == [FIRST, SECOND, THIRD]


def test_what_travels_between_the_tasks_is_small_and_plain(desk: Registry) -> None:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    told = trigger(**FORM)
    with create_session() as session:
        found = session.query(XComModel).filter(XComModel.run_id == told.run_id, XComModel.key == "return_value").all()
        sizes = {one.task_id: len(json.dumps(one.value)) for one in found}
    assert set(sizes) == {"check_target", "roll_back"}
    assert max(sizes.values()) < 1000
