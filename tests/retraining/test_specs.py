"""Finding specs: one that cannot be loaded is told with its reason and takes no other down."""

import sys
from pathlib import Path

import pytest

from include.retraining import specs
from include.retraining.errors import SpecError
from include.retraining.spec import ModelSpec

GOOD = """
from dataclasses import replace
from tests.retraining import toy
SPEC = replace(toy.spec(), name={name!r})
"""
BROKEN = {
    "no_spec": ("X = 1", "AttributeError: .* has no attribute 'SPEC'. Mend that file"),
    "not_a_spec": ("SPEC = {'name': 'not_a_spec'}", "must define SPEC, a ModelSpec named 'not_a_spec'"),
    "other_name": (GOOD.format(name="another"), "must define SPEC, a ModelSpec named 'other_name' like its file"),
    "syntax": ("SPEC = (", "SyntaxError: .* Mend that file"),
    "needs_more": ("import no_such_library", "No module named 'no_such_library'"),
    "raises": ("1 / 0", "ZeroDivisionError: division by zero. Mend that file"),
    "exits": ("raise SystemExit(1)", "SystemExit: 1"),
    "mistaken": (
        "from tests.retraining import toy\nSPEC = toy.spec(name='mistaken', owner='', schedule='?')",
        r"has 2 mistake\(s\):(?s:.*)owner: empty(?s:.*)schedule: found",
    ),
}


@pytest.fixture
def package(tmp_path, monkeypatch) -> tuple[Path, str]:
    """Return an importable folder with two right specs and every kind of broken one."""
    name = f"models_{tmp_path.name}"
    folder = tmp_path / name
    folder.mkdir()
    sources = {stem: text for stem, (text, _) in BROKEN.items()}
    sources |= {stem: GOOD.format(name=stem) for stem in ("first", "last")} | {"__init__": "", "_private": "1 / 0"}
    for stem, text in sources.items():
        (folder / f"{stem}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder, name
    for module in [one for one in sys.modules if one.partition(".")[0] == name]:
        del sys.modules[module]


def test_broken_specs_do_not_take_the_others_down(package):
    found = specs.load_all(*package)
    assert set(found) == {*BROKEN, "first", "last"}
    assert all(isinstance(found[name], ModelSpec) for name in ("first", "last"))
    assert all(isinstance(found[name], SpecError) for name in BROKEN)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_spec_says_what_is_wrong(package, name):
    with pytest.raises(SpecError, match=BROKEN[name][1]):
        specs.load(name, package[1])


def test_an_unknown_model_is_told_with_the_known_ones():
    with pytest.raises(SpecError, match=r"There is no model 'fligth_delays'.* Known models: .*flight_delays"):
        specs.load("fligth_delays")


def test_every_model_of_the_repository_loads():
    assert specs.names()
    assert all(isinstance(found, ModelSpec) for found in specs.load_all().values())
