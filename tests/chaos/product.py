"""The product as it is, with one small model in place of the flights, and the rows that it learns from."""

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.retraining import toy

MODELS = Path(__file__).parent / "models"
ERA_DAYS = 8
"""What makes a parcel late turns round every so many days, so the challenger of each era wins and is promoted."""
ERAS = 14


def copy_to(folder: Path) -> Path:
    """Copy the product, as it is, with the small model in place of the flights."""
    shutil.copytree(ROOT / "include", folder / "include", ignore=shutil.ignore_patterns("models", "__pycache__"))
    shutil.copytree(MODELS, folder / "include" / "models", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "include" / "models" / "__init__.py", folder / "include" / "models" / "__init__.py")
    (folder / "dags").mkdir()
    shutil.copy(ROOT / "dags" / "retrain.py", folder / "dags" / "retrain.py")
    return folder


def rows() -> list[Any]:
    """Return the rows of all days, one frame a day."""
    return [_day(number) for number in range(ERAS * ERA_DAYS)]


def _day(number: int) -> Any:
    frame = toy.rows(number)
    if number // ERA_DAYS % 2:
        frame["late"] = 1 - frame["late"]
    return frame


def era_end(number: int) -> str:
    """Return the as-of at which an era is known, its last day's labels aside."""
    return (toy.START + timedelta(days=(number + 1) * ERA_DAYS)).isoformat()
