"""Which library versions training and loading execute, and which differences can break loading."""

import platform
from functools import cache
from importlib import metadata
from typing import Any

from include.retraining.errors import IntegrityError

NAMES = ("joblib", "numpy", "pandas", "scikit-learn", "scipy")
CHECK = "libraries"
"""The check that refuses an artifact of another release: it is sound, and what it was trained on makes it anew."""
AGREE = {"python": 1, "scikit-learn": 2, "numpy": 1, "joblib": 1}
"""How many leading parts of a version must agree. scikit-learn promises nothing across its minor releases; numpy and
joblib keep reading their own pickles within a major one. What slips through has to pass the smoke test."""


def versions() -> dict[str, str]:
    """Return the versions of the libraries that training and loading execute."""
    return dict(_installed())


@cache
def _installed() -> tuple[tuple[str, str], ...]:
    """Look once: reading a library's metadata costs more than the checks around it."""
    return (("python", platform.python_version()), *((name, metadata.version(name)) for name in NAMES))


def check(written: Any, what: str) -> None:
    """Raise IntegrityError where a library here may not read what another release of it wrote.

    Parameters
    ----------
    written : dict
        Library versions from a manifest.
    what : str
        The artifact's key, for messages.
    """
    if found := difference(written):
        raise IntegrityError(
            f"{what} was written by {found}. Install the former where tasks run, or trigger a run that retrains with "
            "the latter: an artifact loads in the release that wrote it.",
            CHECK,
        )


def difference(written: Any) -> str | None:
    """Return which library may not read what another release of it wrote, or None: ``numpy 1.26, here is 2.4``."""
    here, written = versions(), written if isinstance(written, dict) else {}
    for name, parts in AGREE.items():
        if _leading(str(written.get(name)), parts) != _leading(here[name], parts):
            return f"{name} {written.get(name)}, here is {here[name]}"
    return None


def _leading(version: str, parts: int) -> list[str]:
    return version.split(".")[:parts]
