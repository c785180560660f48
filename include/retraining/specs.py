"""Finds the specs in ``include/models``; a spec that cannot be loaded never takes the others down."""

import importlib
from pathlib import Path

from include.retraining.errors import SpecError
from include.retraining.spec import ModelSpec

PACKAGE = "include.models"
FOLDER = Path(__file__).resolve().parents[1] / "models"


def load(name: str, package: str = PACKAGE) -> ModelSpec:
    """Return the spec in ``{package}/{name}.py``.

    Raises
    ------
    SpecError
        The module cannot be imported, defines no ``SPEC``, or its spec is wrong; the message says which.
    """
    path = f"{package}.{name}"
    try:
        spec = importlib.import_module(path).SPEC
    except SpecError:
        raise
    except ModuleNotFoundError as error:
        raise SpecError(f"There is no model {name!r}: {error}. Known models: {', '.join(names()) or 'none'}.") from None
    except (Exception, SystemExit) as error:
        raise SpecError(f"{path} cannot be loaded: {type(error).__name__}: {error}. Mend that file.") from error
    if not isinstance(spec, ModelSpec) or spec.name != name:
        raise SpecError(f"{path} must define SPEC, a ModelSpec named {name!r} like its file; found {spec!r:.80}.")
    return spec


def names(folder: Path = FOLDER) -> list[str]:
    """Return the names of all spec files, sorted."""
    return sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))


def loadable() -> list[str]:
    """Return the names of all models whose spec can be loaded, sorted."""
    return [name for name, found in load_all().items() if isinstance(found, ModelSpec)]


def load_all(folder: Path = FOLDER, package: str = PACKAGE) -> dict[str, ModelSpec | SpecError]:
    """Return each model's spec, or the error that its DAG will raise."""
    found: dict[str, ModelSpec | SpecError] = {}
    for name in names(folder):
        try:
            found[name] = load(name, package)
        except SpecError as error:
            found[name] = error
    return found
