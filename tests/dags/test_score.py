"""Wiring of dags/score.py: schedule, tasks, form and document. The bodies are tested as functions."""

import re
import runpy

import pytest
from airflow.serialization.serialized_objects import DagSerialization

from include.retraining import assets, score_steps, serving, specs, timetables
from include.retraining.retries import RETRIES
from tests.conftest import ROOT

MODEL = "flight_delays"


@pytest.fixture(scope="module")
def dags():
    return runpy.run_path(str(ROOT / "dags" / "score.py"))["DAGS"]


@pytest.fixture(scope="module")
def dag(dags):
    return dags[MODEL]


def test_every_model_has_one(dags) -> None:
    assert {name: dag.dag_id for name, dag in dags.items()} == {name: f"score_{name}" for name in specs.names()}
    assert all(dag.tags == {"retraining", name} for name, dag in dags.items())


def test_it_runs_for_each_interval_and_when_the_champion_moves(dag) -> None:
    schedule, spec = dag.timetable, specs.load(MODEL)
    assert schedule.timetable.serialize() == timetables.of(spec).serialize()
    assert list(schedule.asset_condition.objects) == [assets.champion(MODEL)]
    assert (dag.max_active_runs, dag.catchup, str(dag.timezone)) == (1, False, spec.timezone)


def test_airflow_can_store_it_and_knows_its_intervals(dag) -> None:
    """A schedule of two kinds keeps the data interval of the one by time: that which `retrain` has too."""
    import pendulum

    stored = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    run_after = pendulum.datetime(2013, 3, 11, 4, tz="UTC")
    found = stored.timetable.infer_manual_data_interval(run_after=run_after)
    assert (found.start, found.end) == (pendulum.datetime(2013, 3, 10, 5, tz="UTC"), run_after)


def test_it_chooses_first_and_scores_then(dag) -> None:
    order = ["choose_interval", "score_interval"]
    assert [task.task_id for task in dag.topological_sort()] == order
    assert dag.get_task(order[0]).downstream_task_ids == {order[1]}
    assert all(callable(getattr(score_steps, name)) for name in order)
    assert all(name in dag.doc_md for name in order)


def test_it_announces_predictions_that_others_can_schedule_on(dag) -> None:
    assert dag.get_task("score_interval").outlets == [assets.predictions(MODEL)]
    assert assets.predictions(MODEL).name in dag.doc_md


def test_it_is_tried_again_like_every_other_dag(dag) -> None:
    for task in dag.tasks:
        assert {name: getattr(task, name) for name in RETRIES} == RETRIES
        assert task.doc_md


def test_the_form_is_typed_and_explained_and_every_field_may_be_empty(dag) -> None:
    assert {name: dag.params[name] for name in dag.params} == serving.FORM
    given = {name: dag.params.get_param(name) for name in dag.params}
    assert all(param.schema["type"] == ["null", "string"] and param.description for param in given.values())
    pattern = given["interval"].schema["pattern"]
    assert re.search(pattern, "20130201T050000Z--20130202T050000Z")
    assert not re.search(pattern, "../20130201T050000Z--20130202T050000Z")
