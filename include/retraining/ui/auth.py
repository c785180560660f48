"""Door: who may see what. No other file of the pages knows Airflow's internals, which move with its versions."""

from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.core_api.security import get_user, requires_access_dag

__all__ = ["get_user", "readable_dags", "requires_access_dag"]


def readable_dags(user: Any) -> set[str]:
    """Return the ids of all DAGs that a user may read."""
    return set(get_auth_manager().get_authorized_dag_ids(user=user, method="GET"))
