"""A deployment of the parcels: every Connection that a spec names, in the environment."""

from pathlib import Path

import pytest

from include.retraining.connections import Settings
from tests.conftest import SECRET, connection_env
from tests.retraining import toy


def parcels(folder: Path, patch: pytest.MonkeyPatch, days: int, **warehouse: str) -> Path:
    """Set up a folder as store and a warehouse with some days of parcels, and return the warehouse's file."""
    path = folder / "warehouse.sqlite"
    toy.load(path, [toy.rows(number) for number in range(days)])
    for found in (
        Settings("store", "fs", extra={"path": str(folder / "store")}),
        Settings("signing", "generic", login="key-1", password=SECRET),
        Settings("pseudonyms", "generic", login="key-1", password=SECRET),
        Settings("warehouse", "sqlite", host=str(path), extra=dict(warehouse)),
    ):
        patch.setenv(f"AIRFLOW_CONN_{found.name.upper()}", connection_env(found))
    return path
