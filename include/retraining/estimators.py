"""Candidates that a spec names by import path, and what every candidate has to answer before it is believed."""

import importlib
import inspect
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from include.retraining import signing
from include.retraining.errors import DataError, SpecError
from include.retraining.phrases import visible
from include.retraining.policies import BINARY, REGRESSION, Candidate, is_import_path

NAMED = 5
TOLERANCE = 1e-4
"""Chances of a row may miss a sum of 1 by this, as those of an estimator that computes in 32 bits do."""
MEND = "Mend the estimator or its parameters, or leave the candidate out."


def made(candidate: Candidate, task: str, seed: int) -> Any:
    """Return the unfitted estimator that an import path names.

    An estimator that takes a ``random_state`` gets the seed, unless the parameters have one.

    Raises
    ------
    SpecError
        It cannot be imported or made, or lacks what the task asks for.
    """
    kind = _imported(candidate.name)
    seeded = {"random_state": seed} if "random_state" in _arguments(kind) else {}
    try:
        estimator = kind(**{**seeded, **candidate.parameters})
    except Exception as error:  # somebody else's code can fail in any way
        told = f"cannot be made of {candidate.parameters}: {_told(error)}"
        raise SpecError(f"Candidate {candidate.name} {told}. Mend its parameters.") from error
    verb = "predict" if task == REGRESSION else "predict_proba"
    if lacking := [name for name in ("fit", verb) if not callable(getattr(estimator, name, None))]:
        raise SpecError(
            f"Candidate {candidate.name} has no {' and no '.join(lacking)}; a {task} candidate needs fit and {verb}. "
            "Name a class that has both, or a function that returns such an estimator."
        )
    if task == REGRESSION and hasattr(estimator, "predict_proba"):
        raise SpecError(f"Candidate {candidate.name} predicts classes, the task is regression. Name a regressor.")
    return estimator


def identity(name: str) -> dict[str, str]:
    """Return what makes an imported candidate what it is: the release of its library, else its module's sha256.

    Our own candidates have none: the sources and libraries of training say it all.
    """
    if not is_import_path(name):
        return {}
    module = name.partition(":")[0]
    if found := _distributions().get(module.partition(".")[0]):
        return {one: metadata.version(one) for one in sorted(set(found))}
    _imported(name)
    origin = Path(getattr(find_spec(module), "origin", None) or "")
    return {module: signing.sha256(origin.read_bytes())} if origin.is_file() else {}


def check_classes(name: str, estimator: Any, labels: Iterable[Any]) -> None:
    """Raise DataError unless a fitted estimator knows the classes that it was shown, in sorted order."""
    expected = sorted(set(labels))
    given = getattr(estimator, "classes_", None)
    found = [] if given is None else np.asarray(given).tolist()
    if found != expected:
        raise DataError(f"Candidate {name} has the classes {_few(found)}, its labels are {_few(expected)}. {MEND}")


def answers(name: str, estimator: Any, columns: Any, task: str) -> np.ndarray[Any, Any]:
    """Return what a fitted estimator predicts, in the shape of the task (see ``judging.predict``), once it is checked.

    Raises
    ------
    DataError
        It cannot predict, or predicts another shape, no numbers, or chances that are none.
    """
    try:
        found = np.asarray(estimator.predict(columns) if task == REGRESSION else estimator.predict_proba(columns))
    except MemoryError:
        raise
    except Exception as error:  # somebody else's code can fail in any way
        raise DataError(f"Candidate {name} cannot predict: {_told(error)}. {MEND}") from error
    rows = len(columns)
    expected = (rows,) if task == REGRESSION else (rows, len(estimator.classes_))
    if found.shape != expected or found.dtype.kind not in "fiu":
        raise DataError(
            f"Candidate {name} answers {found.dtype} of shape {found.shape} for {rows} rows; numbers of shape "
            f"{expected} are expected. {MEND}"
        )
    if wrong := int((~np.isfinite(found)).reshape(rows, -1).any(axis=1).sum()):
        raise DataError(f"Candidate {name} answers NaN or infinity for {wrong} of {rows} rows. {MEND}")
    if task != REGRESSION and (wrong := _no_chances(found)):
        raise DataError(
            f"Candidate {name} answers chances below 0, above 1 or not summing to 1 for {wrong} of {rows} rows. {MEND}"
        )
    return found[:, 1] if task == BINARY else found


def _no_chances(found: np.ndarray[Any, Any]) -> int:
    outside = ((found < 0) | (found > 1)).any(axis=1)
    return int((outside | (np.abs(found.sum(axis=1) - 1) > TOLERANCE)).sum())


def _imported(name: str) -> Any:
    module, _, attribute = name.partition(":")
    try:
        held = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # importing runs somebody else's code
        raise SpecError(
            f"Candidate {name} cannot be imported: {_told(error)}. Install it where tasks run, or mend its path."
        ) from error
    if not callable(held):
        raise SpecError(f"Candidate {name} is a {type(held).__name__}; expected a class, or a function that makes one.")
    return held


def _arguments(kind: Any) -> Iterable[str]:
    try:
        return inspect.signature(kind).parameters
    except (ValueError, TypeError):  # made in C, without a signature
        return ()


@cache
def _distributions() -> dict[str, list[str]]:
    """Look once: it reads the metadata of everything that is installed."""
    return {name: list(found) for name, found in metadata.packages_distributions().items()}


def _few(values: list[Any]) -> str:
    told = ", ".join(visible(str(value)) for value in values[:NAMED])
    return f"[{told}, …] ({len(values)})" if len(values) > NAMED else f"[{told}]"


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
