"""Registers the pages with Airflow, and nothing else: Airflow runs this file in every process."""

from airflow.plugins_manager import AirflowPlugin

from include.retraining.links import RUN_TAB, DataDocsLink
from include.retraining.timetables import EndingTimetable
from include.retraining.ui.app import LazyApp


class RetrainingPlugin(AirflowPlugin):
    """Data Docs in the navigation, on every run, and behind a button of the task that publishes them."""

    name = "retraining"
    fastapi_apps = [{"app": LazyApp(), "url_prefix": "/retraining", "name": "Retraining"}]
    external_views = [
        {
            "name": "Data Docs",
            "href": "retraining/data-docs",
            "destination": "nav",
            "category": "browse",
            "url_route": "retraining_data_docs",
        },
        {
            "name": "Data Docs",
            "href": "retraining/run?dag_id={DAG_ID}&run_id={RUN_ID}",
            "destination": "dag_run",
            "url_route": RUN_TAB,
        },
    ]
    operator_extra_links = [DataDocsLink()]
    timetables = [EndingTimetable]
