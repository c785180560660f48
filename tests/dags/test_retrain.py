"""Wiring of dags/retrain.py: files, ids, order, retries, form, documents. The bodies are tested as functions."""

import itertools
import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from include.retraining import errors, specs, steps
from include.retraining.links import DataDocsLink
from tests.conftest import ROOT
from tests.run.conftest import load_dag

ORDER = [
    "pull_snapshot",
    "validate_snapshot",
    "evaluate_champion",
    "decide",
    "train_candidate",
    "select_challenger",
    "compare_with_champion",
    "promote",
    "report",
]


@pytest.fixture(scope="module")
def dag():
    return load_dag()


def test_the_listed_files_are_all_there_is() -> None:
    listed = ["maintenance.py", "retrain.py", "rollback.py", "score.py"]
    assert sorted(path.name for path in (ROOT / "dags").glob("*.py")) == listed


def test_task_ids_are_the_steps_in_the_order_of_the_story(dag) -> None:
    assert [task.task_id for task in dag.topological_sort()] == ORDER
    assert all(callable(getattr(steps, name)) for name in ORDER)


def test_the_story_is_one_chain(dag) -> None:
    for first, second in itertools.pairwise(ORDER):
        assert second in dag.get_task(first).downstream_task_ids


def test_candidates_are_the_only_upstream_of_the_selection(dag) -> None:
    assert dag.get_task("select_challenger").upstream_task_ids == {"train_candidate"}


def test_the_report_is_a_teardown_that_never_decides_the_runs_state(dag) -> None:
    report = dag.get_task("report")
    assert report.is_teardown
    assert not report.on_failure_fail_dagrun


def test_the_task_that_publishes_data_docs_has_their_button(dag) -> None:
    assert [task.task_id for task in dag.tasks if type(task) in DataDocsLink.operators] == ["validate_snapshot"]


def test_runs_come_one_at_a_time_without_catching_up(dag) -> None:
    assert dag.max_active_runs == 1
    assert not dag.catchup
    assert str(dag.timezone) == "America/New_York"


def test_every_task_retries_servers_but_not_bad_input(dag) -> None:
    for task in dag.tasks:
        assert task.retries >= 2, task.task_id
        assert task.retry_policy is not None, task.task_id


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (errors.DataError("wrong rows"), "fail"),
        (errors.ValidationBlocked("critical"), "fail"),
        (errors.IntegrityError("altered"), "fail"),
        (KeyError("a defect"), "fail"),
        (errors.Unavailable("no answer"), "default"),
        (ConnectionError("reset"), "default"),
    ],
)
def test_what_a_retry_would_find_again_fails_at_once_and_what_may_pass_is_tried_again(dag, error, action: str) -> None:
    policy = dag.get_task("pull_snapshot").retry_policy
    assert policy.evaluate(error, try_number=1, max_tries=3).action.value == action


def test_the_form_has_a_default_for_every_field(dag) -> None:
    assert {name: dag.params[name] for name in dag.params} == {
        "as_of": None,
        "force_retrain": False,
        "refresh": False,
        "dry_run": False,
        "reason": None,
    }


def test_every_step_tells_the_operator_what_it_does(dag) -> None:
    assert all(task.doc_md for task in dag.tasks)
    assert all(name in dag.doc_md for name in ORDER)


def test_the_generated_document_is_up_to_date() -> None:
    render = runpy.run_path(str(ROOT / "docs" / "render.py"))["render"]
    assert (ROOT / "docs" / "DAGS.md").read_text() == render(), "Run `make docs`."


def test_one_broken_spec_does_not_take_the_others_down(tmp_path: Path) -> None:
    """A copy of the project with a bad spec beside the good ones still has all DAGs."""
    for name in ("dags", "include"):
        subprocess.run(["cp", "-r", str(ROOT / name), str(tmp_path)], check=True)
    (tmp_path / "include" / "models" / "worse.py").write_text("SPEC = 1 / 0\n")
    code = (
        "import json, runpy; dags = runpy.run_path('dags/retrain.py')['DAGS'];"
        "scoring = sorted(runpy.run_path('dags/score.py')['DAGS']);"
        "print(json.dumps([scoring, {name: sorted(dag.tags) for name, dag in dags.items()}]))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=_env(tmp_path), capture_output=True, text=True
    )
    scoring, tags = json.loads(found.stdout.splitlines()[-1])
    sound = {name: sorted([name, "retraining"]) for name in specs.names()}
    assert tags == {**sound, "worse": ["broken-spec", "retraining"]}
    assert scoring == specs.names(), "one DAG says what is wrong with a spec, and is enough"


def test_the_broken_dags_one_task_raises_the_full_message(tmp_path: Path) -> None:
    for name in ("dags", "include"):
        subprocess.run(["cp", "-r", str(ROOT / name), str(tmp_path)], check=True)
    (tmp_path / "include" / "models" / "worse.py").write_text("SPEC = 1 / 0\n")
    code = (
        "import runpy; dag = runpy.run_path('dags/retrain.py')['DAGS']['worse'];"
        "dag.get_task('read_spec').python_callable()"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=_env(tmp_path), capture_output=True, text=True
    )
    assert "include.models.worse cannot be loaded: ZeroDivisionError" in found.stderr


def _env(root: Path) -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(root)}


def test_its_schedule_ends_with_the_spec_and_runs_by_hand_do_not(dag) -> None:
    """Airflow stores it with the plugin's timetable; an `end_date` would let runs by hand after it hang."""
    import pendulum
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.timetables.base import DataInterval, TimeRestriction

    spec = specs.load("flight_delays")
    stored = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    restriction = TimeRestriction(dag.start_date, None, catchup=True)
    days = [pendulum.instance(spec.end) - pendulum.duration(days=number) for number in (3, 2, 1, 0)]
    found = [
        stored.timetable.next_dagrun_info(
            last_automated_data_interval=DataInterval(start, end), restriction=restriction
        )
        for start, end in itertools.pairwise(days)
    ]
    assert [one and one.data_interval.end for one in found] == [days[2], days[3], None]
    assert dag.end_date is None
    assert all(task.end_date is None for task in dag.tasks)
