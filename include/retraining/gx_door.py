"""Great Expectations is imported here first, without two libraries that it imports and a validation rarely needs.

GX 1.24 imports SciPy's statistics and Altair for one expectation, the divergence of a distribution: two fifths of what
its import costs. Each comes when it is used; for everybody else they are what they always are.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any

LATER = ("altair", "scipy.stats")


class _Later(ModuleType):
    """Stands for a module in what imports it, until something of it is used."""

    def __getattr__(self, name: str) -> Any:
        _remove(self)  # else it would find itself
        return getattr(importlib.import_module(self.__name__), name)


@cache
def load() -> Any:
    """Return Great Expectations, imported once."""
    with _later(LATER):
        return importlib.import_module("great_expectations")


@contextmanager
def _later(names: tuple[str, ...]) -> Iterator[None]:
    """Let what is imported meanwhile hold a stand-in for modules that nobody has imported before."""
    stand_ins = [_Later(name) for name in names if name not in sys.modules]
    sys.modules.update({one.__name__: one for one in stand_ins})
    try:
        yield
    finally:
        for one in stand_ins:
            _remove(one)


def _remove(stand_in: ModuleType) -> None:
    if sys.modules.get(stand_in.__name__) is stand_in:
        del sys.modules[stand_in.__name__]
