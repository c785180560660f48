"""Each kind of bad data on real flights: who catches it, how gravely, and with which words. See docs/validation.md."""

import pytest

from include.retraining.validation import PASS
from tests.data import table
from tests.data.harness import Found, World
from tests.data.kinds import KINDS, NOTHING

pytestmark = [pytest.mark.data, pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")]
FEWEST = 60


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    return World.begun(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def told() -> list[str]:
    return table.written()


def test_the_day_as_it_was_gives_no_finding(world):
    assert world.meet(NOTHING) == Found(PASS, sentence=world.meet(NOTHING).sentence)


def test_there_are_many_kinds():
    assert len(KINDS) >= FEWEST


@pytest.mark.parametrize("title", KINDS)
def test_a_kind_is_caught_by_exactly_what_the_catalogue_says(world, told, title):
    kind = KINDS[title]
    found = world.meet(kind)
    assert (found.outcome, found.findings) == (kind.outcome, kind.found), found.sentence
    if (found.outcome, found.findings) == (PASS, ()):
        noticed = (*found.shifted, *(["loss"] if found.is_costly else []))
        assert noticed == kind.noticed, "what validation does not see is told with who does"
        assert kind.is_harm or not noticed
    assert table.row(kind, found) in told, "Run `make docs-data`."


def test_the_document_lists_every_kind_and_nothing_else(told):
    titles = [line.split(" | ")[0].removeprefix("| ") for line in told if line.startswith("| ")]
    assert [title for title in titles[1:] if title in KINDS] == list(KINDS)
    assert len(titles) - 1 == len(KINDS) + len(table.DAYS)
