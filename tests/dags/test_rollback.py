"""Wiring of dags/rollback.py: its tasks, its form and its document. The bodies are tested as functions."""

import re
import runpy

import pytest

from include.retraining import assets, rollback, specs, steps
from include.retraining.retries import RETRIES
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def dag():
    return runpy.run_path(str(ROOT / "dags" / "rollback.py"))["DAG_ROLLBACK"]


def test_it_runs_only_when_somebody_triggers_it_and_one_at_a_time(dag) -> None:
    assert dag.dag_id == "rollback"
    assert (dag.schedule, dag.max_active_runs, dag.tags) == (None, 1, {"retraining"})
    assert dag.is_paused_upon_creation is False, "no switch has to be found first"


def test_it_checks_first_and_moves_afterwards(dag) -> None:
    assert [task.task_id for task in dag.topological_sort()] == ["check_target", "roll_back"]
    assert dag.get_task("check_target").downstream_task_ids == {"roll_back"}
    assert all(callable(getattr(steps, task.task_id)) for task in dag.tasks)


def test_it_announces_whichever_champion_it_moved_and_no_other(dag) -> None:
    assert dag.get_task("roll_back").outlets == [assets.ROLLED_BACK]
    assert dag.get_task("check_target").outlets == []


def test_it_is_tried_again_like_every_other_dag(dag) -> None:
    for task in dag.tasks:
        assert {name: getattr(task, name) for name in RETRIES} == RETRIES


def test_every_field_of_the_form_is_typed_and_explained(dag) -> None:
    assert set(dag.params) == set(rollback.FORM)
    schemas = {name: dag.params.get_param(name).schema for name in dag.params}
    assert {name: schema["type"] for name, schema in schemas.items()} == {
        "model": "string",
        "version": "string",
        "reason": "string",
        "dry_run": "boolean",
    }
    assert all(dag.params.get_param(name).description for name in dag.params)
    assert schemas["model"]["enum"] == specs.names()


def test_only_the_model_and_the_reason_have_to_be_filled_in(dag) -> None:
    given = {name: dag.params.get_param(name) for name in dag.params}
    assert {name for name, param in given.items() if not param.has_value} == {"model", "reason"}
    assert {name: given[name].value for name in ("version", "dry_run")} == {
        name: rollback.FORM[name] for name in ("version", "dry_run")
    }


@pytest.mark.parametrize(
    ("version", "is_admitted"),
    [
        ("previously live", True),
        ("20130216-0123456789ab", True),
        ("20130216-0123456789AB", False),
        ("20130216-0123456789abc", False),
        ("2013216-0123456789ab", False),
        ("../20130216-0123456789ab", False),
        ("previously", False),
        ("", False),
    ],
)
def test_a_version_is_what_was_live_or_an_id(dag, version: str, is_admitted: bool) -> None:
    pattern = dag.params.get_param("version").schema["pattern"]
    assert bool(re.search(pattern, version)) == is_admitted


def test_it_tells_the_operator_what_to_do_and_how_to_undo_it(dag) -> None:
    assert all(task.doc_md for task in dag.tasks)
    assert all(word in dag.doc_md for word in ("check_target", "roll_back", "Dry run", "Went wrong?", "pause that DAG"))
