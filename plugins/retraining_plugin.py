"""Registers the pages with Airflow, and nothing else: Airflow runs this file in every process."""

from airflow.plugins_manager import AirflowPlugin

from include.retraining.ui.app import LazyApp


class RetrainingPlugin(AirflowPlugin):
    """Data Docs in the navigation and on every run."""

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
            "url_route": "retraining_run_data_docs",
        },
    ]
