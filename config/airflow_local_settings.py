"""Import what training and validation need once, in the scheduler, before LocalExecutor forks its workers.

Imports of pandas, scikit-learn and Great Expectations take about 5 s in every task that needs them; a task that is
forked from a process that has them already pays nothing. No other Airflow process loads them, and nothing of this
project is among them, so that an edited module is picked up by the next task. docs/decisions/0002-preloaded-imports.md
"""

import importlib
import os
import sys

__all__: list[str] = []  # Airflow copies what is public here into its own settings

_MODULES = (
    "pandas",
    "pyarrow.parquet",
    "boto3",
    "joblib",
    "scipy.stats",
    "sklearn.compose",
    "sklearn.ensemble",
    "sklearn.impute",
    "sklearn.linear_model",
    "sklearn.metrics",
    "sklearn.model_selection",
    "sklearn.pipeline",
    "sklearn.preprocessing",
    "great_expectations",
)


def _preload(arguments: list[str]) -> None:
    if arguments[1:2] == ["scheduler"]:
        # Read when scikit-learn's OpenMP is loaded: with threads that spin while they wait, two fits side by side
        # took 106 s instead of 2 s.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        for name in _MODULES:
            importlib.import_module(name)


_preload(sys.argv)
