"""Wiring of dags/maintenance.py: its tasks, its form and its document. The bodies are tested as functions."""

import runpy

import pytest

from include.retraining import collecting, specs, steps
from include.retraining.retries import RETRIES
from tests.conftest import ROOT

ORDER = ["choose_models", "maintain.verify_store", "maintain.collect"]


@pytest.fixture(scope="module")
def dag():
    return runpy.run_path(str(ROOT / "dags" / "maintenance.py"))["DAG_MAINTENANCE"]


def test_it_runs_every_day_one_at_a_time_and_never_catches_up(dag) -> None:
    assert (dag.dag_id, dag.schedule, dag.max_active_runs, dag.catchup) == ("maintenance", "30 4 * * *", 1, False)
    assert dag.tags == {"retraining"}


def test_it_verifies_before_it_collects(dag) -> None:
    assert [task.task_id for task in dag.topological_sort()] == ORDER
    assert dag.get_task("maintain.verify_store").downstream_task_ids == {"maintain.collect"}
    assert all(callable(getattr(steps, name.rpartition(".")[2])) for name in ORDER)


def test_every_model_is_one_mapped_instance_with_its_name(dag) -> None:
    for name in ORDER[1:]:
        task = dag.get_task(name)
        assert task.get_closest_mapped_task_group().group_id == "maintain"
        assert task.map_index_template == "{{ task.op_kwargs['model'] }}"


def test_what_was_found_wrong_keeps_the_collection_of_that_model_from_running(dag) -> None:
    assert all(task.trigger_rule == "all_success" for task in dag.tasks)


def test_it_is_tried_again_like_every_other_dag(dag) -> None:
    for task in dag.tasks:
        assert {name: getattr(task, name) for name in RETRIES} == RETRIES


def test_the_form_is_typed_and_explained_and_deletes_nothing_unless_asked(dag) -> None:
    given = {name: dag.params.get_param(name) for name in dag.params}
    assert {name: param.value for name, param in given.items()} == collecting.FORM
    assert {name: param.schema["type"] for name, param in given.items()} == {
        "model": "string",
        "dry_run": "boolean",
        "reason": ["null", "string"],
    }
    assert given["model"].schema["enum"] == [collecting.ALL, *specs.loadable()]
    assert all(param.description for param in given.values())


def test_it_tells_the_operator_what_it_does(dag) -> None:
    assert all(task.doc_md for task in dag.tasks)
    assert all(name.rpartition(".")[2] in dag.doc_md for name in ORDER)
