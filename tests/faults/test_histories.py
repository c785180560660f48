"""The promise over many long random histories; `tests/test_promise.py` runs the same machine for seconds."""

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.matrix import Matrix
from tests.retraining.promise import CALM, Promise, tally

HISTORIES, STEPS, PARTS = 600, 24, 6
LONG = settings(CALM, max_examples=HISTORIES // PARTS, stateful_step_count=STEPS, derandomize=False)


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_happens_the_promise_is_kept(part):
    """In parts, so that processes share them; each draws histories of its own, others every time."""
    tally.clear()
    run_state_machine_as_test(Promise, settings=LONG)
    assert tally["histories"] >= HISTORIES // PARTS
    matrix = Matrix("folder")
    matrix.facts.update({f"{what} in random histories of up to {STEPS} steps": many for what, many in tally.items()})
    matrix.leave(f"histories-{part}")
