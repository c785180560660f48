"""The plugin: what it registers, and that it costs next to nothing in every process that loads it."""

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
HEAVY = ("pandas", "numpy", "sklearn", "great_expectations", "boto3", "jinja2", "nh3")


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    return done.stdout.strip().splitlines()[-1]


def test_importing_the_plugin_is_light():
    seconds, heavy = run(
        "import sys, time; sys.path.insert(0, 'plugins'); import airflow.plugins_manager;"
        "known = set(sys.modules); start = time.process_time(); import retraining_plugin;"
        "spent = time.process_time() - start;"
        f"print(f'{{spent:.3f}}', [m for m in ({HEAVY!r} + ('fastapi',)) if m in sys.modules and m not in known])"
    ).split(" ", 1)
    assert heavy == "[]"
    assert float(seconds) < 0.3


def test_pages_import_nothing_of_the_models(tmp_path):
    heavy = ("pandas", "sklearn", "great_expectations", "boto3", "nh3")
    found = run(
        "import sys; import include.retraining.ui.data_docs_pages, include.retraining.ui.rendering as r;"
        f"r._environment(); print([m for m in {heavy!r} if m in sys.modules])"
    )
    assert found == "[]"


def test_airflow_registers_the_application_and_both_views(airflow_db):
    from airflow import plugins_manager

    apps, _ = plugins_manager.get_fastapi_plugins()
    (app,) = (one for one in apps if one["name"] == "Retraining")
    assert app["url_prefix"] == "/retraining"
    views, _ = plugins_manager._get_ui_plugins()
    ours = {view["url_route"]: view for view in views if view["url_route"].startswith("retraining")}
    assert ours["retraining_data_docs"]["destination"] == "nav"
    assert ours["retraining_data_docs"]["category"] == "browse"
    assert ours["retraining_run_data_docs"]["destination"] == "dag_run"
    assert ours["retraining_run_data_docs"]["href"] == "retraining/run?dag_id={DAG_ID}&run_id={RUN_ID}"
    assert all(not view["href"].startswith("/") for view in ours.values()), "Airflow may live below a path"


def test_airflow_registers_the_button_whose_tab_the_plugin_has(airflow_db):
    from airflow import plugins_manager

    from include.retraining.links import RUN_TAB

    assert "Data Docs" in [link.name for link in plugins_manager.get_operator_extra_links()]
    views, _ = plugins_manager._get_ui_plugins()
    assert [view["destination"] for view in views if view["url_route"] == RUN_TAB] == ["dag_run"]
    assert plugins_manager.get_global_operator_extra_links() == [], "it would be on other people's tasks"


@pytest.mark.parametrize(("name", "admitted"), [("retraining_plugin.py", True), ("json.py", False), ("a/b.py", False)])
def test_airflow_runs_plugins_only(tmp_path, name, admitted):
    from airflow._shared.module_loading.file_discovery import find_path_from_directory

    (tmp_path / ".airflowignore").write_text((PROJECT / "plugins" / ".airflowignore").read_text())
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("")
    found = [Path(path).name for path in find_path_from_directory(str(tmp_path), ".airflowignore", "glob")]
    assert (Path(name).name in found) == admitted
