"""Templates that escape whatever they are given, and styles that are inlined."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Path(__file__).parent


def environment(**filters: Callable[..., Any]) -> "Environment":
    """Return an environment of our templates with these filters; a name that is not given is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    found = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= filters
    return found


def style(names: Sequence[str]) -> str:
    """Return the styles of several files as one."""
    return "".join((HERE / name).read_text(encoding="utf-8") for name in names)
