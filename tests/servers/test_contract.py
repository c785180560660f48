"""Ceph keeps what every store promises: the very same functions that are asked of a folder and of the small server."""

import importlib
import inspect
from pathlib import Path
from types import ModuleType

FIXTURES = {"any_store", "s3_settings", "proxied"}
ROOMS = Path(__file__).parents[1] / "retraining"


def asked_of(module: ModuleType) -> dict[str, object]:
    """Return a module's tests that talk to an S3 server, without those that need a fixture of that module alone."""
    tests = {name: held for name, held in vars(module).items() if name.startswith("test_") and callable(held)}
    needs = {name: set(inspect.signature(held).parameters) for name, held in tests.items()}
    return {name: tests[name] for name, found in needs.items() if found & FIXTURES and not found & set(vars(module))}


for path in sorted(ROOMS.glob("test_*.py")):
    if any(fixture in path.read_text() for fixture in FIXTURES):
        found = asked_of(importlib.import_module(f"tests.retraining.{path.stem}"))
        assert not set(found) & set(globals()), f"{path} has a test of a name that another file has too"
        globals().update(found)


def test_the_contract_is_here():
    assert len([name for name in globals() if name.startswith("test_")]) > 25
